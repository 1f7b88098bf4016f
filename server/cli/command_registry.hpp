#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"

namespace crucible::server::cli {

// What registrations of commands have in common: each owns its parsed options through the shared
// pointer that its action captures.
class CommandRegistry {
 public:
  CommandRegistry(CLI::App& app, Action& action) : app_(app), action_(action) {}

 protected:
  // Options, shared by the parser that fills them and the action that reads them.
  template <typename Options>
  struct Parsed {
    Options options{};
    CommonOptions common;
  };

  template <typename Options, typename Run>
  void run_with(CLI::App& command, const std::shared_ptr<Parsed<Options>>& parsed, Run run) {
    command.callback([&action = action_, parsed, run] {
      action = [parsed, run] { return run(parsed->options, parsed->common); };
    });
  }

  static void add_json(CLI::App& command, CommonOptions& common) {
    command.add_flag("--json", common.json, "raw JSON on standard output");
  }
  static void add_server(CLI::App& command, CommonOptions& common) {
    command.add_option(
        "--server", common.server,
        "the daemon's address (default: $CRUCIBLE_SERVER, else http://127.0.0.1:7345)");
    command.add_option("--token-file", common.token_file,
                       "file with a token (default: $CRUCIBLE_TOKEN, else that of the daemon that "
                       "you run here)");
    add_json(command, common);
  }
  static void add_suites(CLI::App& command, std::vector<std::string>& suites, bool required) {
    command.add_option("-s,--suite", suites, "suite to evaluate; may be repeated")
        ->delimiter(',')
        ->required(required);
  }

  // A command that takes one job or sweep id.
  void id_command(CLI::App& parent, const std::string& name, const std::string& meaning,
                  int (*run)(std::int64_t, const CommonOptions&)) {
    auto parsed = std::make_shared<Parsed<std::int64_t>>();
    CLI::App& command = *parent.add_subcommand(name, meaning);
    command.add_option("ID", parsed->options, "its number")->required()->check(CLI::PositiveNumber);
    add_server(command, parsed->common);
    run_with(command, parsed, run);
  }
  // A command without options of its own.
  void plain_command(CLI::App& parent, const std::string& name, const std::string& meaning,
                     int (*run)(const CommonOptions&)) {
    auto parsed = std::make_shared<Parsed<bool>>();
    CLI::App& command = *parent.add_subcommand(name, meaning);
    add_server(command, parsed->common);
    run_with(command, parsed, [run](bool, const CommonOptions& common) { return run(common); });
  }

  static void add_priority(CLI::App& command, int& priority) {
    command.add_option("--priority", priority, "-100 to 100, higher is taken up earlier")
        ->check(CLI::Range(-100, 100))
        ->capture_default_str();
  }
  // What decides a merge's bytes beside recipe and models.
  template <typename Options>
  static void add_merge_choices(CLI::App& command, Options& options) {
    command.add_option("--seed", options.seed, "seed of the random methods")->capture_default_str();
    command
        .add_option("--compatibility", options.compatibility,
                    "mergekit: among equal magnitudes, the order of mergekit 0.1.5")
        ->check(CLI::IsMember({"none", "mergekit"}))
        ->capture_default_str();
    command.add_flag("--allow-nonfinite", options.allow_nonfinite,
                     "merge models that hold NaN or infinity");
  }

  CLI::App& app() { return app_; }
  Action& action() { return action_; }

 private:
  CLI::App& app_;
  Action& action_;
};

}  // namespace crucible::server::cli
