#pragma once

#include "server/cli/commands.hpp"

namespace crucible::server::cli {

// `crucible sweep …`.
void add_sweep_commands(CLI::App& app, Action& action);

}  // namespace crucible::server::cli
