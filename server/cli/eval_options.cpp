#include <CLI/CLI.hpp>

#include "server/cli/compare_command.hpp"
#include "server/cli/eval_command.hpp"

// Flags of `crucible eval` and `crucible compare`; those that the harness has too carry its names.
namespace crucible::server::cli {
namespace {

void add_what(CLI::App& command, EvalCommandOptions& options) {
  command.add_option("MODEL", options.model.model,
                     "model folder, .gguf file, org/name of the Hugging Face cache, or address of "
                     "an endpoint");
  command
      .add_option("-s,--suite", options.suites, "suite file, or a suite's name; may be repeated")
      ->delimiter(',');
  command.add_option("--suite-folder", options.suite_folders,
                     "where names are looked up (default: $CRUCIBLE_SUITES, else ./suites)");
  command
      .add_option("--tasks", options.tasks,
                  "task files by name, groups and tags too, such as gsm8k,mmlu")
      ->delimiter(',');
  command.add_option("--include-path,--include_path", options.include_paths,
                     "folder of task files; may be repeated");
  command.add_option("--datasets", options.datasets,
                     "folder of data sets; may be repeated (default: $CRUCIBLE_DATASETS, else "
                     "$XDG_DATA_HOME/crucible/datasets)");
}

void add_how(CLI::App& command, EvalCommandOptions& options) {
  command.add_option("--num-fewshot,--num_fewshot", options.num_fewshot,
                     "examples before each item, in place of the task's number");
  command.add_option("--limit", options.limit, "first items of each task only");
  command.add_flag("--apply-chat-template,--apply_chat_template", options.apply_chat_template,
                   "put prompts through the model's chat template");
  command.add_flag("--fewshot-as-multiturn,--fewshot_as_multiturn,!--no-fewshot-as-multiturn",
                   options.fewshot_as_multiturn, "examples as turns of a chat (default)");
  command.add_option("--system-instruction,--system_instruction", options.system_instruction,
                     "system message, or text before each prompt");
  command.add_option("--seed", options.seed, "of the draw of examples")->capture_default_str();
  command.add_flag_callback(
      "--bos", [&options] { options.bos = true; },
      "begin contexts as the tokenizer does, in place of the tasks' own rule");
  command.add_flag_callback(
      "--no-bos", [&options] { options.bos = false; },
      "never begin contexts with a beginning-of-sequence token");
}

void add_where(CLI::App& command, EvalCommandOptions& options) {
  command.add_option("--out", options.out, "folder for results and samples files");
  command.add_option("--name", options.name, "in those files (default: the model's path)");
  command.add_option("--cache", options.cache,
                     "folder of what models answered, so that an evaluation goes on where it "
                     "stopped (default: $XDG_CACHE_HOME/crucible/evaluations)");
  command.add_flag("--no-cache", options.no_cache, "keep nothing and compute everything");
}

}  // namespace

void add_options(CLI::App& command, EvalCommandOptions& options) {
  add_what(command, options);
  add_how(command, options);
  add_where(command, options);
  add_recipe_options(command, options.recipes);
  add_local_options(command, options.model);
  add_endpoint_options(command, options.model);
  command
      .add_option("--judge", options.judging.judge.model,
                  "model folder or endpoint that grades conversations (mt-bench)")
      ->group("Judge");
  add_judging_options(command, options.judging);
  command.footer(
      "Scores are shown with standard error and 95 % interval.\n"
      "Examples: crucible eval merged/ --suite suites/sums.yaml --out results/\n"
      "          crucible eval merged/ --tasks gsm8k,mmlu --datasets data/ --limit 100\n"
      "          crucible eval --recipe slerp.yml --suite suites/sums.yaml");
}

void add_options(CLI::App& command, CompareOptions& options) {
  command.add_option("A", options.a, "model of the daemon, or folder of `crucible eval --out`")
      ->required();
  command.add_option("B", options.b, "the other one")->required();
  command.add_option("-s,--suite", options.suite,
                     "which one, where the daemon has evaluated both on several");
  command.footer(
      "Both are held against each other item by item: exact McNemar for right and wrong on\n"
      "independent items, paired t else; intervals by paired bootstrap.\n"
      "Example: crucible compare slerp-0.4 base --suite sums");
}

}  // namespace crucible::server::cli
