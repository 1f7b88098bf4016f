#pragma once

#include "server/cli/commands.hpp"

namespace crucible::server::app {

// Adds `serve` and `work`, as cli::add_commands adds the others.
void add_commands(CLI::App& app, cli::Action& action);

}  // namespace crucible::server::app
