#pragma once

#include "server/sandbox/sandbox.hpp"

namespace crucible::server::sandbox {

// Leaves the system calls that merging and evaluating need; every other one fails with EPERM. That
// and not death: the libraries below probe for calls and go on without them.
Status restrict_calls(const Plan& plan);

}  // namespace crucible::server::sandbox
