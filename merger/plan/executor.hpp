#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/base/progress.hpp"
#include "merger/plan/buffers.hpp"
#include "merger/plan/merge_plan.hpp"
#include "merger/safetensors/writer.hpp"

namespace crucible::plan {

struct TensorResult {
  Digest digest;                 // checkpoint::tensor_digest
  std::uint64_t not_finite = 0;  // NaN and infinities
};

// Computes and writes every tensor of the plan, in plan order, tile by tile. `writer` was made for
// the plan's tensors in the same order. Returns one result a tensor. Errors: reading, writing,
// kCancelled.
Result<std::vector<TensorResult>> write_tensors(const MergePlan& plan, const MergeOptions& options,
                                                safetensors::ShardedWriter& writer,
                                                const ProgressSink& progress, std::stop_token stop);

// The whole merge of a plan into the new folder `out`, through `calls`.
Result<MergeReport> execute(const MergePlan& plan, const recipe::Recipe& recipe,
                            const MergeOptions& options, const std::filesystem::path& out,
                            const ProgressSink& progress, std::stop_token stop,
                            io::Syscalls& calls = io::system());

}  // namespace crucible::plan
