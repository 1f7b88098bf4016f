#pragma once

#include <cstdint>
#include <string>

#include "server/cli/commands.hpp"
#include "server/cli/model_source.hpp"
#include "server/cli/output.hpp"

namespace crucible::server::cli {

struct EvalServerCommandOptions {
  ModelOptions model;
  std::string name;  // "" = the folder's
  std::string address = "127.0.0.1";
  std::uint16_t port = 7346;
  std::size_t waiting = 64;
  std::string key_env;  // variable with the key that requests must carry; "" = none
};

// Serves until SIGINT or SIGTERM.
int eval_server(const EvalServerCommandOptions& options, const CommonOptions& common);

void add_eval_server_command(CLI::App& app, Action& action);

}  // namespace crucible::server::cli
