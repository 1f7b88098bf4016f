#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/base/progress.hpp"
#include "merger/plan/buffers.hpp"
#include "merger/plan/merge_plan.hpp"
#include "merger/plan/output_folder.hpp"
#include "merger/plan/tensor_sink.hpp"

namespace crucible::plan {

// Computes every tensor of the plan, in plan order, tile by tile, into `sink`; those that it has
// already are left. Errors: reading, those of the sink, kCancelled.
Status merge_tensors(const MergePlan& plan, const MergeOptions& options, TensorSink& sink,
                     const ProgressSink& progress, std::stop_token stop);

// What a merge has to tell beside its tensors: the plan's warnings, and tensors with values that
// are not finite. `results` by tensor of the plan.
std::vector<std::string> warnings_of(const MergePlan& plan,
                                     const std::vector<FinishedTensor>& results);

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
