#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "merger/plan/fault_list.hpp"
#include "merger/plan/merge_plan.hpp"

// What a recipe says about tokenizer and chat template, worked out for a plan.
namespace crucible::plan {

// True for tensors whose first dimension counts the tokens of the vocabulary.
bool is_vocabulary_tensor(const checkpoint::TensorTemplate& tensor);

// Fills plan.tokenizer and plan.chat_template from the recipe; plan.models and plan.donor are
// known.
void plan_tokenizer(const recipe::Recipe& recipe, const ModelResolver& resolver, MergePlan& plan,
                    FaultList& faults);

// Replaces the inputs of a vocabulary tensor by aligned ones, where the plan has a tokenizer;
// others stay. The work type and the base are known. `path` is where the recipe asks for the
// tensor. False: faults.
bool align_inputs(const MergePlan& plan, const checkpoint::TensorTemplate& tensor,
                  const std::string& path, PlannedTensor& planned, FaultList& faults);

// Sets the vocabulary's size in the output's configuration and, where the tokenizer is another
// model's, the numbers of its special tokens.
void fit_vocabulary(nlohmann::ordered_json& config, const MergePlan& plan);

// A file of the output beside its weights: a copy of another file, or a text.
struct SideFile {
  std::filesystem::path copy_of;  // empty: `text` it is
  std::string text;
};
using SideFiles = std::map<std::string, SideFile>;  // by file name

// The output's tokenizer files: the plan's tokenizer, or the donor's files as they are; with the
// plan's chat template.
Result<SideFiles> tokenizer_files(const MergePlan& plan, io::Syscalls& calls = io::system());

// Writes the output's tokenizer files into `folder`, synced. Their digests by file name.
Result<std::map<std::string, Digest>> write_tokenizer_files(const MergePlan& plan,
                                                            const std::filesystem::path& folder,
                                                            io::Syscalls& calls);

}  // namespace crucible::plan
