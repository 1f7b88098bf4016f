#pragma once

#include <cstdint>
#include <vector>

#include "server/cli/output.hpp"

namespace crucible::server::cli {

// Follows jobs one after another, each with the children it has at its end, and shows progress on
// stderr. Prints the final jobs (as a JSON list when asked). kJobFailed when one did not succeed.
int watch_jobs(const std::vector<std::int64_t>& jobs, const CommonOptions& common);

}  // namespace crucible::server::cli
