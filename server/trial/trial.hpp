#pragma once

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "evaluator/engine/weight_memory.hpp"
#include "evaluator/run/evaluation.hpp"
#include "evaluator/task/task.hpp"
#include "merger/plan/merge.hpp"
#include "merger/plan/tensor_cache.hpp"

// Merges that are evaluated without being written: the merge streams into the engine's memory.
// Scores are those of merge, write, load and evaluate to the last bit.
namespace crucible::server::trial {

// What trials that follow each other share: merged tensors, and the engine's weights. One trial at
// a time; at most one model of it is in use.
class TrialMemory {
 public:
  explicit TrialMemory(std::uint64_t cache_bytes) : tensors_(cache_bytes) {}
  plan::TensorCache& tensors() { return tensors_; }
  engine::WeightMemory& weights() { return weights_; }

 private:
  plan::TensorCache tensors_;
  engine::WeightMemory weights_;
};

struct TrialOptions {
  plan::MergeOptions merge;
  engine::LlamaOptions engine;  // weights_file must be empty
  ProgressSink progress;        // of the merge, in bytes
  std::stop_token stop;
};

struct TrialModel {
  std::unique_ptr<engine::LanguageModel> model;
  Digest identity;                    // of recipe, options and input files
  std::vector<std::string> warnings;  // as plan::MergeReport has them
};
// The merged model of a recipe, loaded. Errors: plan::preflight's but for disk space, those of
// merging and of engine::load_llama_model.
Result<TrialModel> load_recipe(const recipe::Recipe& recipe, const plan::ModelResolver& resolver,
                               const TrialOptions& options, TrialMemory& memory);

// One report a suite, in their order. Errors: load_recipe's and run::evaluate's.
Result<std::vector<run::EvaluationReport>> evaluate_recipe_in_memory(
    const recipe::Recipe& recipe, const plan::ModelResolver& resolver,
    std::span<const task::Suite> suites, const TrialOptions& options,
    const run::EvaluationOptions& evaluation, TrialMemory& memory);

}  // namespace crucible::server::trial
