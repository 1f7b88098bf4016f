#pragma once

#include "server/sandbox/sandbox.hpp"

namespace crucible::server::sandbox {

// Restricts files, TCP ports and signals to what the plan and the C library need (Linux 5.13 and
// later; documentation: docs.kernel.org/userspace-api/landlock.html).
Status restrict_files(const Plan& plan, int version);

}  // namespace crucible::server::sandbox
