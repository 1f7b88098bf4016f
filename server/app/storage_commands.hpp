#pragma once

#include "server/cli/commands.hpp"

namespace crucible::server::app {

// Adds `backup`, `restore`, `gc` and `doctor`. The first and third go through the daemon where one
// runs on the state folder, and work on the folder itself where none does.
void add_storage_commands(CLI::App& app, cli::Action& action);

}  // namespace crucible::server::app
