#include "server/cli/commands.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "server/cli/access.hpp"
#include "server/cli/client_commands.hpp"
#include "server/cli/command_registry.hpp"
#include "server/cli/compare_command.hpp"
#include "server/cli/eval_command.hpp"
#include "server/cli/eval_server_command.hpp"
#include "server/cli/gguf_command.hpp"
#include "server/cli/judge_command.hpp"
#include "server/cli/local_commands.hpp"
#include "server/cli/lora_command.hpp"
#include "server/cli/moe_command.hpp"
#include "server/cli/queue_command.hpp"
#include "server/cli/suites_command.hpp"
#include "server/cli/sweep_commands.hpp"

namespace crucible::server::cli {
namespace {

// Registers commands; each owns its parsed options through the shared pointer that its action
// captures.
class Registry : CommandRegistry {
 public:
  using CommandRegistry::CommandRegistry;

  void local() {
    check_command();
    merge_command();
    moe_command();
    extract_lora_command();
    export_gguf_command();
    eval_command();
    add_eval_server_command(app(), action());
    add_judge_commands(app(), action());
  }
  void client() {
    submit_command();
    job_commands();
    model_commands();
    suites_command();
    leaderboard_command();
    add_sweep_commands(app(), action());
    evaluate_command();
    compare_command();
    queue_commands();
    token_commands();
  }

 private:
  static void add_merge_options(CLI::App& command, MergeCommandOptions& options) {
    command.add_option("RECIPE", options.recipe, "mergekit recipe, YAML or JSON")->required();
    add_merge_choices(command, options);
    command.add_flag("--allow-crimes", options.allow_mixed_architectures,
                     "merge models of several architectures, as if all were like the first");
    command.add_option("--threads", options.threads, "0 = one per processor")
        ->capture_default_str();
    command.add_option("--memory", options.memory, "bound of tensor buffers, such as 512MiB")
        ->capture_default_str();
    command.add_option("--shard-size", options.shard_size, "largest weight file, such as 5GB")
        ->capture_default_str();
  }

  void check_command() {
    auto parsed = std::make_shared<Parsed<MergeCommandOptions>>();
    CLI::App& command =
        *app().add_subcommand("check", "check a recipe against its models; merges nothing");
    add_merge_options(command, parsed->options);
    add_json(command, parsed->common);
    command.footer("Example: crucible check ties.yaml");
    run_with(command, parsed, check);
  }

  void merge_command() {
    auto parsed = std::make_shared<Parsed<MergeCommandOptions>>();
    CLI::App& command = *app().add_subcommand("merge", "run a recipe here, without a daemon");
    add_merge_options(command, parsed->options);
    command.add_option("OUT", parsed->options.out, "folder to write; must not exist")->required();
    command.add_option("--intermediate", parsed->options.intermediate,
                       "for files with several recipes: folder that keeps the results of all but "
                       "the last (default: beside OUT, removed at the end)");
    command.add_flag("--resume", parsed->options.resume,
                     "go on where an interrupted merge into OUT stopped, and keep what is done if "
                     "this one is interrupted");
    add_json(command, parsed->common);
    command.footer(
        "Relative model paths are looked up in the recipe's folder, then in the working "
        "directory.\n"
        "The folder appears whole or not at all; the same recipe, models and seed give the same "
        "bytes.\n"
        "Example: crucible merge ties.yaml merged/ --memory 2GiB");
    run_with(command, parsed, merge);
  }

  void moe_command() {
    auto parsed = std::make_shared<Parsed<MoeCommandOptions>>();
    MoeCommandOptions& options = parsed->options;
    CLI::App& command =
        *app().add_subcommand("moe", "build a mixture of experts from dense models here");
    command.add_option("RECIPE", options.merge.recipe, "mergekit-moe recipe, YAML or JSON")
        ->required();
    command.add_option("OUT", options.merge.out, "folder to write; must not exist");
    command.add_flag("--check", options.check, "only check the recipe against its models");
    command
        .add_option("--layout", options.layout,
                    "of the output (default: the first that can hold the mixture)")
        ->check(CLI::IsMember({"mixtral", "deepseek", "qwen2_moe", "qwen3_moe"}));
    command.add_flag("--allow-identical-experts", options.allow_identical_experts,
                     "build from experts that are all the same model, to train them afterwards");
    command
        .add_option("--states", options.states,
                    "weights of the base model while hidden states are computed")
        ->check(CLI::IsMember({"f32", "bf16", "f16", "q8_0"}))
        ->capture_default_str();
    command.add_flag("--resume", options.merge.resume,
                     "go on where an interrupted run into OUT stopped, and keep what is done if "
                     "this one is interrupted");
    command.add_option("--seed", options.merge.seed, "of random routers and of noise")
        ->capture_default_str();
    command.add_flag("--allow-nonfinite", options.merge.allow_nonfinite,
                     "use models that hold NaN or infinity");
    command.add_option("--threads", options.merge.threads, "0 = one per processor")
        ->capture_default_str();
    command.add_option("--memory", options.merge.memory, "bound of tensor buffers, such as 512MiB")
        ->capture_default_str();
    command
        .add_option("--shard-size", options.merge.shard_size, "largest weight file, such as 5GB")
        ->capture_default_str();
    add_json(command, parsed->common);
    command.footer(
        "Relative model paths are looked up in the recipe's folder, then in the working "
        "directory.\n"
        "Gate modes hidden and hidden_avg load the base model into memory; cheap_embed, random "
        "and\n"
        "uniform_random do not.\n"
        "Example: crucible moe beyonder.yaml mixture/");
    run_with(command, parsed, build_mixture);
  }

  void extract_lora_command() {
    auto parsed = std::make_shared<Parsed<ExtractLoraOptions>>();
    ExtractLoraOptions& options = parsed->options;
    CLI::App& command = *app().add_subcommand(
        "extract-lora", "write a fine-tuned model's difference from its base as a LoRA adapter");
    command.add_option("--base", options.base, "the base model")->required();
    command.add_option("MODEL", options.model, "the fine-tuned model")->required();
    command.add_option("OUT", options.out, "folder to write; must not exist")->required();
    command.add_option("--rank", options.max_rank, "largest rank of a module")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    command
        .add_option("--energy", options.energy,
                    "a module's rank keeps this share of its difference's squared norm")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    auto* exact = command.add_flag("--exact", options.exact, "full singular value decompositions");
    command
        .add_flag_function(
            "--randomized", [](std::int64_t) {}, "randomised decompositions (default)")
        ->excludes(exact);
    command.add_option("--include", options.include,
                       "only modules in whose names this regular expression occurs");
    command.add_option("--exclude", options.exclude, "not those where this one occurs");
    command.add_flag("--save-modules", options.save_modules,
                     "put what is no matrix (norms, biases) into the adapter whole");
    command.add_option("--dtype", options.dtype, "element type of the factors")
        ->check(CLI::IsMember({"float32", "bfloat16", "float16"}))
        ->capture_default_str();
    command.add_option("--seed", options.seed, "of the randomised decompositions")
        ->capture_default_str();
    command.add_option("--threads", options.threads, "0 = one per processor")
        ->capture_default_str();
    add_json(command, parsed->common);
    command.footer("Example: crucible extract-lora --base base/ tuned/ adapter/ --rank 16");
    run_with(command, parsed, extract_lora);
  }

  void export_gguf_command() {
    auto parsed = std::make_shared<Parsed<ExportGgufOptions>>();
    ExportGgufOptions& options = parsed->options;
    CLI::App& command = *app().add_subcommand(
        "export-gguf", "write a model as a GGUF file for programs built on llama.cpp");
    command.add_option("MODEL", options.model, "model folder")->required();
    command.add_option("OUT", options.out, "file to write; must not exist")->required();
    command.add_option("--type", options.type, "element type of the matrices")
        ->check(CLI::IsMember(gguf_type_names()))
        ->capture_default_str();
    command.add_option("--name", options.name, "general.name in it (default: the folder's)");
    command.add_option("--threads", options.threads, "of the quantiser; 0 = one per processor")
        ->capture_default_str();
    add_json(command, parsed->common);
    command.footer("Example: crucible export-gguf merged/ merged.gguf --type q8_0");
    run_with(command, parsed, export_gguf);
  }

  void eval_command() {
    auto parsed = std::make_shared<Parsed<EvalCommandOptions>>();
    CLI::App& command = *app().add_subcommand("eval", "evaluate a model here, without a daemon");
    add_options(command, parsed->options);
    add_json(command, parsed->common);
    run_with(command, parsed, eval);
  }

  void compare_command() {
    auto parsed = std::make_shared<Parsed<CompareOptions>>();
    CLI::App& command =
        *app().add_subcommand("compare", "say whether two models can be told apart");
    add_options(command, parsed->options);
    add_server(command, parsed->common);
    run_with(command, parsed, compare);
  }

  void submit_command() {
    auto parsed = std::make_shared<Parsed<SubmitOptions>>();
    SubmitOptions& options = parsed->options;
    CLI::App& command = *app().add_subcommand("submit", "queue a merge and its evaluation");
    command.add_option("RECIPE", options.recipe, "mergekit recipe, - for standard input")
        ->required();
    add_suites(command, options.suites, false);
    command.add_option("--name", options.name, "name of the merged model");
    add_merge_choices(command, options);
    command.add_option("--idempotency-key", options.idempotency_key,
                       "the same key gives the first job again");
    add_priority(command, options.priority);
    command.add_flag("--check", options.check, "only check the recipe against the daemon's models");
    command.add_flag("--watch", options.watch, "follow the job and its evaluations to the end");
    add_server(command, parsed->common);
    command.footer("Example: crucible submit slerp.yaml --suite sums --suite words --watch");
    run_with(command, parsed, submit);
  }

  void job_commands() {
    auto parsed = std::make_shared<Parsed<JobsOptions>>();
    CLI::App& command = *app().add_subcommand("jobs", "list jobs, newest first");
    command.add_option("--state", parsed->options.state, "queued, running, succeeded, failed, …");
    command.add_option("--kind", parsed->options.kind, "merge or evaluation");
    command.add_option("--limit", parsed->options.limit, "at most this many")
        ->check(CLI::Range(1, 500))
        ->capture_default_str();
    add_server(command, parsed->common);
    run_with(command, parsed, list_jobs);
    id_command(app(), "job", "show a job", show_job);
    id_command(app(), "watch", "follow a job and its evaluations to the end", watch);
    id_command(app(), "cancel", "ask a job to stop", cancel_job);
    id_command(app(), "retry", "queue a failed, dead or cancelled job again", retry_job);
    id_command(app(), "log", "print what a job's worker wrote", show_log);
  }

  void name_command(CLI::App& parent, const std::string& name, const std::string& meaning,
                    int (*run)(const std::string&, const CommonOptions&)) {
    auto parsed = std::make_shared<Parsed<std::string>>();
    CLI::App& command = *parent.add_subcommand(name, meaning);
    command.add_option("MODEL", parsed->options, "id or name")->required();
    add_server(command, parsed->common);
    run_with(command, parsed, run);
  }

  void model_commands() {
    CLI::App& models = *app().add_subcommand("models", "list, register and show models");
    models.require_subcommand(1);
    plain_command(models, "list", "list models", list_models);
    name_command(models, "show", "show a model", show_model);
    name_command(models, "pin", "keep a model's files whatever `gc` is asked for", pin_model);
    name_command(models, "unpin", "let `gc` take its files again", unpin_model);
    name_command(models, "recipe", "print the recipe of a merged model", show_model_recipe);
    struct AddOptions {
      std::string path, endpoint, name;
    };
    auto parsed = std::make_shared<Parsed<AddOptions>>();
    CLI::App& add =
        *models.add_subcommand("add", "register a folder on the daemon's machine, or an endpoint");
    CLI::Option* path = add.add_option("PATH", parsed->options.path, "model folder");
    add.add_option("--endpoint", parsed->options.endpoint,
                   "name in the daemon's --endpoints file, instead of a folder")
        ->excludes(path);
    add.add_option("--name", parsed->options.name,
                   "unique name (default: the folder's or the endpoint's)");
    add_server(add, parsed->common);
    run_with(add, parsed, [](const AddOptions& options, const CommonOptions& common) {
      return add_model(options.path, options.endpoint, options.name, common);
    });
  }

  void suites_command() { add_suites_commands(app(), action()); }

  void leaderboard_command() {
    auto parsed = std::make_shared<Parsed<LeaderboardOptions>>();
    LeaderboardOptions& options = parsed->options;
    CLI::App& command = *app().add_subcommand("leaderboard", "show scored models in order");
    command.add_option("--sort", options.sort, "mean, name, created, or a suite");
    command.add_option("--order", options.order, "asc or desc")
        ->check(CLI::IsMember({"asc", "desc"}));
    command.add_option("--method", options.method,
                       "only this merge method; none = registered models");
    add_suites(command, options.suites, false);
    add_server(command, parsed->common);
    command.footer("Scores are shown with their standard errors: 0.512 ± 0.031.");
    run_with(command, parsed, leaderboard);
  }

  void evaluate_command() {
    auto parsed = std::make_shared<Parsed<EvaluateOptions>>();
    EvaluateOptions& options = parsed->options;
    CLI::App& command = *app().add_subcommand("evaluate", "queue evaluations of a model");
    command.add_option("MODEL", options.model, "id or name")->required();
    add_suites(command, options.suites, true);
    command.add_option("--idempotency-key", options.idempotency_key,
                       "the same key gives the first jobs again");
    add_priority(command, options.priority);
    command.add_flag("--watch", options.watch, "follow the jobs to the end");
    add_server(command, parsed->common);
    command.footer("Example: crucible evaluate base --suite sums --watch");
    run_with(command, parsed, evaluate_remote);
  }

  void queue_commands() {
    CLI::App& queue = *app().add_subcommand("queue", "see, pause and resume the queue");
    queue.require_subcommand(1);
    plain_command(queue, "status", "what waits, what runs, what it waits for", queue_status);
    for (const bool pause : {true, false}) {
      auto parsed = std::make_shared<Parsed<std::string>>();
      CLI::App& command = *queue.add_subcommand(
          pause ? "pause" : "resume",
          pause ? "take up no more jobs; running ones go on" : "take up jobs again");
      command.add_option("--kind", parsed->options, "only merge, or only evaluation")
          ->check(CLI::IsMember({"merge", "evaluation"}));
      add_server(command, parsed->common);
      run_with(command, parsed, pause ? pause_queue : resume_queue);
    }
    struct PriorityOptions {
      std::int64_t job = 0;
      int priority = 0;
    };
    auto parsed = std::make_shared<Parsed<PriorityOptions>>();
    CLI::App& command = *app().add_subcommand("priority", "change when a waiting job is taken up");
    command.add_option("ID", parsed->options.job, "its number")->required();
    command.add_option("PRIORITY", parsed->options.priority, "-100 to 100, higher is earlier")
        ->required()
        ->check(CLI::Range(-100, 100));
    add_server(command, parsed->common);
    run_with(command, parsed, [](const PriorityOptions& options, const CommonOptions& common) {
      return set_priority(options.job, options.priority, common);
    });
  }

  void token_commands() {
    CLI::App& tokens = *app().add_subcommand("token", "create, list and revoke access tokens");
    tokens.require_subcommand(1);
    auto parsed = std::make_shared<Parsed<CreateTokenOptions>>();
    CreateTokenOptions& options = parsed->options;
    CLI::App& command = *tokens.add_subcommand("create", "make a token and print it once");
    command.add_option("--name", options.name, "who or what uses it")->required();
    command.add_option("--role", options.role, "read, submit or admin")
        ->check(CLI::IsMember({"read", "submit", "admin"}))
        ->capture_default_str();
    command.add_option("--days", options.days, "valid for so long; 0 = for ever")
        ->check(CLI::Range(0, 3650))
        ->capture_default_str();
    add_server(command, parsed->common);
    run_with(command, parsed, create_token);
    plain_command(tokens, "list", "list tokens", list_tokens);
    auto revoked = std::make_shared<Parsed<std::string>>();
    CLI::App& revoke = *tokens.add_subcommand("revoke", "end a token at once");
    revoke.add_option("TOKEN", revoked->options, "id or name")->required();
    add_server(revoke, revoked->common);
    run_with(revoke, revoked, revoke_token);
    plain_command(app(), "page", "print the page's address, with your token in it", print_page);
  }
};

}  // namespace

void add_commands(CLI::App& app, Action& action) {
  Registry registry(app, action);
  registry.local();
  registry.client();
  app.footer(
      "Exit codes: 0 done, 1 internal error, 2 usage, 3 invalid input, 4 not found, 5 file "
      "system,\n"
      "6 daemon unavailable, 7 the watched job did not succeed, 130 interrupted.");
}

}  // namespace crucible::server::cli
