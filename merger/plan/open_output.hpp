#pragma once

#include <filesystem>

#include "merger/base/staging_folder.hpp"
#include "merger/plan/journal.hpp"
#include "merger/plan/merge_plan.hpp"
#include "merger/safetensors/writer.hpp"

namespace crucible::plan {

// A merge's output while it is made: new, or as an earlier run left it.
struct OpenOutput {
  io::StagingFolder staging;
  safetensors::ShardedWriter writer;
  Journal journal;
};

// With options.resume, takes up what a run of the same plan, options and input files (by size and
// time of change) left for `out`; everything else that is left there is removed. Errors: kConflict
// (another process is making `out`), kNoSpace, kIo.
Result<OpenOutput> open_output(const MergePlan& plan, const MergeOptions& options,
                               const std::filesystem::path& out,
                               io::Syscalls& calls = io::system());

}  // namespace crucible::plan
