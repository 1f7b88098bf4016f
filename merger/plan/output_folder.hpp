#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "merger/plan/merge_plan.hpp"

// The files of a merged model's folder beside its weights.
namespace crucible::plan {

// The README: YAML front matter as the Hugging Face Hub reads it, method, models, recipe.
std::string model_card(const MergePlan& plan, const recipe::Recipe& recipe,
                       const std::string& title);

// The text of the output's config.json.
Result<std::string> config_text(const MergePlan& plan, io::Syscalls& calls = io::system());

// Copies one file, synced; its digest.
Result<Digest> copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
                         io::Syscalls& calls);

// Copies a model's tokenizer files into `folder`, synced; their digests by file name.
Result<std::map<std::string, Digest>> copy_tokenizer_files(const checkpoint::Checkpoint& donor,
                                                           const std::filesystem::path& folder,
                                                           io::Syscalls& calls);

// Writes config.json, the donor's tokenizer files, mergekit_config.yml and README.md, all synced.
struct WrittenFiles {
  nlohmann::json config;
  std::map<std::string, Digest> tokenizer;  // by file name
};
Result<WrittenFiles> write_side_files(const MergePlan& plan, const recipe::Recipe& recipe,
                                      const std::filesystem::path& folder, const std::string& title,
                                      io::Syscalls& calls);

}  // namespace crucible::plan
