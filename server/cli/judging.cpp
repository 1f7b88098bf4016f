#include "server/cli/judging.hpp"

#include <CLI/CLI.hpp>

#include "evaluator/judge/rubric.hpp"
#include "evaluator/task/folder_datasets.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

Result<judge::Rubric> read_rubric(const JudgingOptions& options) {
  if (!options.rubric.empty()) return judge::read_rubric(options.rubric);
  return mt_bench_folder(options.data).and_then([](const fs::path& folder) {
    return judge::read_mt_bench_prompts(folder / "judge_prompts.jsonl");
  });
}

}  // namespace

void add_judging_options(CLI::App& command, JudgingOptions& options) {
  const auto add = [&](const char* name, auto& value, const char* meaning) {
    return command.add_option(name, value, meaning)->group("Judge");
  };
  add("--judge-name", options.name, "its name beside the scores (default: the model's)");
  add("--rubric", options.rubric, "own prompts for the judge (YAML)");
  add("--judge-seed", options.seed, "sent to the judge")->capture_default_str();
  add("--judge-max-new-tokens", options.max_new_tokens, "of a judgment")->capture_default_str();
  add_local_options(command, options.judge, "judge-");
  add_endpoint_options(command, options.judge, "judge-");
}

Result<fs::path> mt_bench_folder(const std::string& given) {
  if (!given.empty()) return fs::path(given);
  return judge::mt_bench_folder(task::FolderDatasets::default_roots());
}

Result<judge::Judging> open_judging(const JudgingOptions& options, const fs::path& judgments,
                                    const std::stop_token& stop) {
  auto rubric = read_rubric(options);
  if (!rubric) return fail(std::move(rubric.error()));
  auto model = load_model(options.judge, stop);
  if (!model) return fail(std::move(model.error()).with_context("the judge"));
  judge::JudgeSettings settings;
  settings.name = options.name.empty() ? model_label(options.judge, **model) : options.name;
  settings.seed = options.seed;
  settings.max_new_tokens = options.max_new_tokens;
  return judge::Judging::open(std::move(*model), std::move(*rubric), std::move(settings),
                              judgments);
}

}  // namespace crucible::server::cli
