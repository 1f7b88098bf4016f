#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "server/app/commands.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/exit_codes.hpp"

namespace {

// Evaluation threads that wait must sleep: spinning ones starve each other where cores are shared.
// The OpenMP library reads this only when a program starts, hence a second start. If it fails, the
// command only runs slower.
void start_with_passive_waiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace crucible::server;
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "eval" || command == "eval-server" || command == "judge") {
    start_with_passive_waiting(argv);
  }
  CLI::App app{"Crucible merges language models by mergekit recipes, evaluates and ranks them."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "crucible " CRUCIBLE_VERSION);
  cli::Action action;
  app::add_commands(app, action);
  cli::add_commands(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::kSuccess : cli::kUsage;
  }
  try {
    return action();
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "internal error: %s\n", exception.what());
    return cli::kInternalError;
  }
}
