#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace crucible::server::cli {

// What the parsed command line asks for; returns the process's exit code. Empty until a command is
// given.
using Action = std::function<int()>;

// Adds the commands that talk to a daemon (submit, jobs, watch, …) and those that need none (check,
// merge, eval) to `app`. Parsing sets `action`; nothing runs before it is called. Both must outlive
// the parse. Use:  CLI::App app; Action action; add_commands(app, action); app.parse(argc, argv);
// return action();   with CLI::ParseError → app.exit(error) == 0 ? 0 : kUsage.
void add_commands(CLI::App& app, Action& action);

}  // namespace crucible::server::cli
