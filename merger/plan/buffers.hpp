#pragma once

#include <cstdint>
#include <vector>

#include "merger/plan/merge_plan.hpp"

namespace crucible::plan {

// How the memory budget is spent: `workers` threads, each with room for one tile of every input and
// of the output; what is left keeps the inputs of a tensor that is passed over several times, where
// all of them fit. The budget decides speed only; the result is the same for every one.
struct BufferPlan {
  unsigned workers = 1;
  std::uint64_t bytes = 0;         // at the peak
  std::uint64_t budget_bytes = 0;  // what tiles may take
  std::uint64_t kept_bytes = 0;    // room for the inputs of one tensor between passes
  std::vector<bool> keeps;         // by tensor: its inputs fit there
};

// Fewer threads than asked for when even the smallest tiles do not fit; one thread always runs.
BufferPlan plan_buffers(const MergePlan& plan, const MergeOptions& options);

// Of the tensor's inputs as they are stored, or of one of them, each rounded up to a cache line.
std::uint64_t kept_bytes(const PlannedTensor& planned);
std::uint64_t kept_bytes(const PlannedTensor& planned, std::size_t input);

// Elements of a tile for one tensor: a multiple of method::kBlockElements.
std::size_t tile_elements(const PlannedTensor& planned, const BufferPlan& buffers);

}  // namespace crucible::plan
