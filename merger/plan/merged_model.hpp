#pragma once

#include <memory>
#include <string>
#include <vector>

#include "merger/checkpoint/model_source.hpp"
#include "merger/plan/merge_plan.hpp"
#include "merger/plan/tensor_cache.hpp"
#include "merger/plan/tensor_keys.hpp"
#include "merger/plan/vocabulary.hpp"

namespace crucible::plan {

// The model that a merge would write, without a file: config, tokenizer files and tensors are the
// same bytes as in the folder. Every visit merges anew what the cache does not have; memory is one
// tensor beside the executor's buffers and the cache.
class MergedModel final : public checkpoint::ModelSource {
 public:
  // Errors as build_plan's. The cache must outlive the model; a budget of 0 keeps nothing.
  static Result<std::unique_ptr<MergedModel>> open(const recipe::Recipe& recipe,
                                                   const ModelResolver& resolver,
                                                   const MergeOptions& options, TensorCache& cache);

  std::string label() const override { return label_; }
  const nlohmann::json& config() const override { return config_; }
  const checkpoint::Documents& documents() const override { return documents_; }
  const checkpoint::TensorHeaders& tensors() const override { return tensors_; }
  // In the plan's order. Errors: reading, kCancelled, the visitor's.
  Status visit(checkpoint::TensorVisitor& visitor, const ProgressSink& progress,
               std::stop_token stop) override;

  // Who the model is: of recipe, options and input files.
  Digest identity() const { return merge_identity(plan_, options_); }
  // Of the last visit, as MergeReport has them; before one, the plan's.
  const std::vector<std::string>& warnings() const { return warnings_; }
  std::uint64_t output_bytes() const { return plan_.output_bytes(); }

 private:
  // config.json and tokenizer files, from memory or from the model that they are copied from.
  class OutputDocuments final : public checkpoint::Documents {
   public:
    OutputDocuments(std::string label, SideFiles files)
        : label_(std::move(label)), files_(std::move(files)) {}
    bool has(std::string_view name) const override;
    Result<std::string> read(std::string_view name, std::uint64_t limit_bytes) const override;
    std::string place(std::string_view name) const override;
    std::string label() const override { return label_; }

   private:
    std::string label_;
    SideFiles files_;
  };

  MergedModel(MergePlan plan, const recipe::Recipe& recipe, const MergeOptions& options,
              TensorCache& cache, nlohmann::json config, SideFiles files);

  std::string label_;
  MergePlan plan_;
  MergeOptions options_;
  TensorCache& cache_;
  TensorKeys keys_;
  nlohmann::json config_;
  OutputDocuments documents_;
  checkpoint::TensorHeaders tensors_;
  std::vector<std::string> warnings_;
};

}  // namespace crucible::plan
