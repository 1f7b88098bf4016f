#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/base/progress.hpp"
#include "merger/plan/buffers.hpp"
#include "merger/plan/journal.hpp"
#include "merger/plan/merge_plan.hpp"
#include "merger/plan/output_folder.hpp"
#include "merger/safetensors/writer.hpp"

namespace crucible::plan {

// Computes and writes every tensor of the plan, in plan order, tile by tile. `writer` was made for
// the plan's tensors in the same order. Tensors that the journal calls finished, and whose bytes
// are as it says, are left; every other one is added to it. Errors: reading, writing, kCancelled.
Status write_tensors(const MergePlan& plan, const MergeOptions& options,
                     safetensors::ShardedWriter& writer, Journal& journal,
                     const ProgressSink& progress, std::stop_token stop);

// What the output will be and whether it fits beside `out_parent`; kNoSpace when it does not.
Result<Preflight> describe_plan(const MergePlan& plan, const MergeOptions& options,
                                const std::filesystem::path& out_parent);

// The absolute form of an output folder's path, without a slash at the end.
std::filesystem::path output_path(const std::filesystem::path& out);

// Writes everything but the weights into a folder.
using SideFileWriter =
    std::function<Result<WrittenFiles>(const std::filesystem::path& folder, io::Syscalls& calls)>;

// Weights of a plan and side files into the new folder `out`, through `calls`.
Result<MergeReport> execute(const MergePlan& plan, const SideFileWriter& write_files,
                            const MergeOptions& options, const std::filesystem::path& out,
                            const ProgressSink& progress, std::stop_token stop,
                            io::Syscalls& calls = io::system());

// The whole merge of a plan into the new folder `out`, through `calls`.
Result<MergeReport> execute(const MergePlan& plan, const recipe::Recipe& recipe,
                            const MergeOptions& options, const std::filesystem::path& out,
                            const ProgressSink& progress, std::stop_token stop,
                            io::Syscalls& calls = io::system());

}  // namespace crucible::plan
