#include "merger/plan/merge_plan.hpp"

#include <algorithm>
#include <map>

namespace crucible::plan {

std::uint64_t MergePlan::output_bytes() const {
  std::uint64_t bytes = 0;
  for (const PlannedTensor& planned : tensors) bytes += planned.output_bytes();
  return bytes;
}

std::uint64_t MergePlan::input_bytes() const {
  std::uint64_t bytes = 0;
  for (const PlannedTensor& planned : tensors) {
    for (const PlannedInput& input : planned.inputs) bytes += input.source->stored_bytes();
  }
  return bytes;
}

std::uint64_t MergePlan::parameters() const {
  std::uint64_t count = 0;
  for (const PlannedTensor& planned : tensors) count += planned.elements;
  return count;
}

tensor::DType MergePlan::main_dtype() const {
  std::map<tensor::DType, std::uint64_t> bytes;
  for (const PlannedTensor& planned : tensors) {
    if (!planned.copied) bytes[planned.output] += planned.output_bytes();
  }
  const auto most =
      std::ranges::max_element(bytes, {}, [](const auto& item) { return item.second; });
  return most == bytes.end() ? tensor::DType::kF32 : most->first;
}

}  // namespace crucible::plan
