#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/plan/merge_plan.hpp"

// What the result of a merge, or one tensor of it, depends on, as digests. Input files count by
// name, size and times of change: their bytes are not read.
namespace crucible::plan {

// Everything that config, tokenizer and tensors of the merged model depend on.
Digest merge_identity(const MergePlan& plan, const MergeOptions& options);

// Two tensors with the same key have the same elements, whichever recipes they are of: sweeps find
// by it what does not depend on the parameter that they vary.
class TensorKeys {
 public:
  // `method` is the recipe's merge_method. The plan must outlive this.
  TensorKeys(const MergePlan& plan, std::string method, const MergeOptions& options);
  // Tensor `number` of the plan, merged after `draws` random numbers were drawn.
  Digest key(std::size_t number, std::uint64_t draws) const;

 private:
  void add_parameters(Sha256& hash, const method::ParameterValues& values) const;

  const MergePlan& plan_;
  std::string method_;
  std::string options_;
  std::vector<Digest> models_;  // files of each model of the plan
  Digest vocabulary_;           // which rows aligned tensors take, and from where
};

}  // namespace crucible::plan
