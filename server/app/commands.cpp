#include "server/app/commands.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "server/app/serve.hpp"
#include "server/app/storage_commands.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/config/options.hpp"
#include "server/worker/attempt.hpp"

namespace crucible::server::app {
namespace {

struct ServeFlags {
  std::map<std::string, config::Values> values;
  std::string config_file;
  bool print_config = false;
};

int run_serve(const ServeFlags& flags) {
  auto loaded = config::load(flags.values, flags.config_file,
                             [](const char* name) { return std::getenv(name); });
  if (!loaded) {
    std::fprintf(stderr, "%s\n", crucible::describe(loaded.error()).c_str());
    return cli::kUsage;
  }
  if (flags.print_config) {
    std::fputs(config::describe(*loaded).c_str(), stdout);
    return cli::kSuccess;
  }
  return serve(loaded->options);
}

}  // namespace

void add_commands(CLI::App& app, cli::Action& action) {
  CLI::App* serve_command =
      app.add_subcommand("serve", "run the daemon: API, page, queue, workers");
  auto flags = std::make_shared<ServeFlags>();
  for (const config::Key& key : config::keys()) {
    const std::string name(key.name);
    CLI::Option* option =
        serve_command->add_option("--" + name, flags->values[name], std::string(key.meaning));
    option->take_all()->expected(1, key.is_list ? CLI::detail::expected_max_vector_size : 1);
    option->multi_option_policy(key.is_list ? CLI::MultiOptionPolicy::TakeAll
                                            : CLI::MultiOptionPolicy::TakeLast);
  }
  serve_command->add_option("--config", flags->config_file, "YAML file with the same keys")
      ->check(CLI::ExistingFile);
  serve_command->add_flag("--print-config", flags->print_config,
                          "print each setting and where it comes from, then exit");
  serve_command->callback([flags, &action] { action = [flags] { return run_serve(*flags); }; });

  add_storage_commands(app, action);

  CLI::App* work_command = app.add_subcommand("work", "a worker process; started by the daemon");
  work_command->group("");  // not for people
  work_command->callback([&action] { action = [] { return worker::run_attempt(); }; });
}

}  // namespace crucible::server::app
