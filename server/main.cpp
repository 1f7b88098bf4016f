#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "server/app/commands.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/exit_codes.hpp"

int main(int argc, char** argv) {
  using namespace crucible::server;
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
