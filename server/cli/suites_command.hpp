#pragma once

#include "server/cli/commands.hpp"

namespace crucible::server::cli {

// `crucible suites`: those of the daemon; and here, without one: list, show, import, generate.
void add_suites_commands(CLI::App& app, Action& action);

}  // namespace crucible::server::cli
