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

// Writes config.json, the donor's tokenizer files, mergekit_config.yml and README.md, all synced.
struct WrittenFiles {
  nlohmann::json config;
  std::map<std::string, Digest> tokenizer;  // by file name
};
Result<WrittenFiles> write_side_files(const MergePlan& plan, const recipe::Recipe& recipe,
                                      const std::filesystem::path& folder, const std::string& title,
                                      io::Syscalls& calls);

// A folder beside `out` that is removed, with all in it, unless it was published.
class StagingFolder {
 public:
  static Result<StagingFolder> create(const std::filesystem::path& out, io::Syscalls& calls);
  ~StagingFolder();
  StagingFolder(StagingFolder&& other) noexcept;
  StagingFolder& operator=(StagingFolder&&) = delete;
  const std::filesystem::path& path() const { return path_; }
  // Renames it to `out`. When that fails half-way (the rename not durable), `out` is removed too.
  Status publish(const std::filesystem::path& out, io::Syscalls& calls);

 private:
  explicit StagingFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;  // empty = nothing to remove
};

}  // namespace crucible::plan
