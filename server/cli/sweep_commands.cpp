#include "server/cli/sweep_commands.hpp"

#include "server/cli/client_commands.hpp"
#include "server/cli/command_registry.hpp"
#include "server/cli/search_command.hpp"
#include "server/cli/search_commands.hpp"

namespace crucible::server::cli {
namespace {

class SweepRegistry : CommandRegistry {
 public:
  using CommandRegistry::CommandRegistry;

  void search_command(CLI::App& sweep) {
    auto parsed = std::make_shared<Parsed<SearchCommandOptions>>();
    CLI::App& command =
        *sweep.add_subcommand("run", "carry out a sweep document here, without a daemon");
    add_search_options(command, parsed->options);
    run_with(command, parsed, [](const SearchCommandOptions& options, const CommonOptions&) {
      return run_search_command(options);
    });
  }

  void search_client_commands(CLI::App& sweep) {
    auto parsed = std::make_shared<Parsed<SubmitSearchOptions>>();
    SubmitSearchOptions& options = parsed->options;
    CLI::App& start =
        *sweep.add_subcommand("start", "queue a sweep document: a sampler and races find the best");
    start
        .add_option("DOCUMENT", options.document,
                    "sweep document, - for standard input; with "
                    "--vary a recipe")
        ->required();
    start.add_option("--vary", options.vary,
                     "PATH=LOW:HIGH:POINTS, such as parameters.t=0:1:5; may be repeated");
    add_suites(start, options.suites, false);
    start.add_option("--name", options.name, "name of the sweep");
    start.add_option("--idempotency-key", options.idempotency_key,
                     "the same key gives the first sweep again");
    add_priority(start, options.priority);
    start.add_flag("--watch", options.watch, "follow it to the end");
    add_server(start, parsed->common);
    run_with(start, parsed, submit_search);
    id_command(sweep, "pause", "stop a sweep that searches; what it has found is kept",
               pause_sweep);
    auto resumed = std::make_shared<Parsed<ResumeOptions>>();
    CLI::App& resume = *sweep.add_subcommand("resume", "go on with it, or with a larger budget");
    resume.add_option("ID", resumed->options.id, "its number")->required();
    resume.add_option("--budget", resumed->options.budget,
                      "NAME=NUMBER: trials, items, tokens or minutes; may be repeated");
    add_server(resume, resumed->common);
    run_with(resume, resumed, resume_sweep);
    auto forked = std::make_shared<Parsed<ForkOptions>>();
    CLI::App& fork = *sweep.add_subcommand("fork", "queue a new sweep around a trial of another");
    fork.add_option("ID", forked->options.id, "the sweep")->required();
    fork.add_option("TRIAL", forked->options.trial, "number of the trial")->required();
    add_server(fork, forked->common);
    run_with(fork, forked, fork_sweep);
    auto listed = std::make_shared<Parsed<TrialsOptions>>();
    CLI::App& trials = *sweep.add_subcommand("trials", "trials of a sweep that searches");
    trials.add_option("ID", listed->options.id, "the sweep")->required();
    trials.add_option("--format", listed->options.format, "")
        ->check(CLI::IsMember({"table", "csv", "json", "optuna"}))
        ->capture_default_str();
    trials.add_option("-o,--out", listed->options.out, "file, in place of standard output");
    add_server(trials, listed->common);
    run_with(trials, listed, list_trials);
  }

  void sweep_commands() {
    CLI::App& sweep =
        *app().add_subcommand("sweep", "find the best values of a recipe's parameters");
    sweep.require_subcommand(1);
    plain_command(sweep, "list", "list sweeps", list_sweeps);
    id_command(sweep, "show", "show a sweep and its trials", show_sweep);
    id_command(sweep, "cancel", "cancel a sweep's jobs", cancel_sweep);
    search_command(sweep);
    search_client_commands(sweep);
    auto parsed = std::make_shared<Parsed<SweepOptions>>();
    SweepOptions& options = parsed->options;
    CLI::App& command = *sweep.add_subcommand("submit", "queue one merge for each value");
    command.add_option("RECIPE", options.recipe, "recipe, - for standard input")->required();
    command
        .add_option("-p,--parameter", options.parameter,
                    "path such as parameters.t, or NAME of a ${NAME} in the recipe")
        ->required();
    auto* values = command.add_option("--values", options.values, "values, such as 0,0.25,0.5")
                       ->delimiter(',');
    auto* from = command.add_option("--from", options.from, "first value")->excludes(values);
    auto* to = command.add_option("--to", options.to, "last value")->excludes(values)->needs(from);
    auto* points = command.add_option("--points", options.points, "how many, ends included")
                       ->check(CLI::Range(2, 1000))
                       ->needs(from)
                       ->needs(to);
    from->needs(to)->needs(points);
    add_suites(command, options.suites, true);
    command.add_option("--name", options.name, "name of the sweep");
    add_merge_choices(command, options);
    command.add_option("--idempotency-key", options.idempotency_key,
                       "the same key gives the first sweep again");
    add_priority(command, options.priority);
    command.add_flag("--watch", options.watch, "follow all trials to the end");
    add_server(command, parsed->common);
    command.footer(
        "Example: crucible sweep submit slerp.yaml -p parameters.t --from 0 --to 1 --points 5 -s "
        "sums");
    run_with(command, parsed, submit_sweep);
  }
};

}  // namespace

void add_sweep_commands(CLI::App& app, Action& action) {
  SweepRegistry(app, action).sweep_commands();
}

}  // namespace crucible::server::cli
