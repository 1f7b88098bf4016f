#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/cli/output.hpp"

namespace crucible::plan {
struct MergeReport;
}

// Commands that need no daemon. Each takes its parsed options and returns the exit code.
namespace crucible::server::cli {

struct MergeCommandOptions {
  std::string recipe;
  std::string out;  // check: unused
  std::uint64_t seed = 0;
  std::string compatibility = "none";
  bool allow_nonfinite = false;
  bool allow_mixed_architectures = false;
  bool resume = false;  // merge only
  unsigned threads = 0;
  std::string memory = "512MiB";
  std::string shard_size = "5GB";
  // Files with several recipes: where the results of all but the last lie; "" = beside `out`, and
  // removed at the end.
  std::string intermediate;
};
// Relative model paths are looked up in the recipe's folder, then in the working directory.
int check(const MergeCommandOptions& options, const CommonOptions& common);
int merge(const MergeCommandOptions& options, const CommonOptions& common);
// Says what was written to `out`, warnings first.
int show_result(const plan::MergeReport& result, const std::string& out,
                const CommonOptions& common);

}  // namespace crucible::server::cli
