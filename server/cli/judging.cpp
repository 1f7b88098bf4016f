#include "server/cli/judging.hpp"

#include <CLI/CLI.hpp>
#include <map>

#include "evaluator/judge/conversations.hpp"
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
  std::error_code ignored;
  if (!given.empty()) return fs::path(given);
  std::string looked;
  for (const fs::path& root : task::FolderDatasets::default_roots()) {
    const fs::path folder = root / "mt_bench";
    if (fs::exists(folder / "question.jsonl", ignored)) return folder;
    looked += " " + folder.string();
  }
  return fail(ErrorCode::kNotFound,
              "MT-Bench's files are not in" + looked +
                  "; fetch fastchat/llm_judge/data of lm-sys/FastChat (Apache-2.0): "
                  "mt_bench/question.jsonl, mt_bench/reference_answer/gpt-4.jsonl and "
                  "judge_prompts.jsonl, and put them there");
}

Result<task::Task> mt_bench_task(const fs::path& folder, std::optional<std::size_t> limit) {
  auto questions = judge::read_questions(folder / "question.jsonl");
  if (!questions) return fail(std::move(questions.error()));
  const std::size_t all = questions->size();
  if (limit && all > *limit) questions->resize(*limit);
  std::map<std::string, std::vector<std::string>> references;
  std::error_code ignored;
  const fs::path file = folder / "reference_answer" / "gpt-4.jsonl";
  if (fs::exists(file, ignored)) {
    auto read = judge::read_answers(file);
    if (!read) return fail(std::move(read.error()));
    references = std::move(*read);
  }
  task::Task task = judge::conversation_task("mt_bench", *questions, references);
  task.original_items = all;
  return task;
}

Result<task::Suite> mt_bench_suite(const fs::path& folder, std::optional<std::size_t> limit) {
  auto task = mt_bench_task(folder, limit);
  if (!task) return fail(std::move(task.error()));
  task::Suite suite;
  suite.name = "mt-bench";
  suite.description = "MT-Bench: 80 conversations of two turns, rated by a judge";
  suite.version = "1";
  suite.score.name = suite.name;
  task::ScoreRule leaf;
  leaf.name = "MT-Bench";
  leaf.task = task->name;
  leaf.metric = "rating";
  suite.score.of = {std::move(leaf)};
  suite.digest = Sha256().field("mt-bench 1").field(task->digest.hex()).finish();
  suite.tasks.push_back(std::move(*task));
  return suite;
}

Result<Judging> Judging::open(const JudgingOptions& options, const fs::path& judgments,
                              const std::stop_token& stop) {
  auto rubric = read_rubric(options);
  if (!rubric) return fail(std::move(rubric.error()));
  auto model = load_model(options.judge, stop);
  if (!model) return fail(std::move(model.error()).with_context("the judge"));
  Judging out;
  out.model_ = std::move(*model);
  judge::JudgeSettings settings;
  settings.name = options.name.empty() ? model_label(options.judge, *out.model_) : options.name;
  settings.seed = options.seed;
  settings.max_new_tokens = options.max_new_tokens;
  if (!judgments.empty()) {
    auto file = judge::LineFile::open(judgments);
    if (!file) return fail(std::move(file.error()));
    out.file_ = std::make_unique<judge::LineFile>(std::move(*file));
    settings.keep = [lines = out.file_.get()](const judge::Json& line) { return lines->add(line); };
  }
  out.judge_ = std::make_unique<judge::Judge>(*out.model_, std::move(*rubric), std::move(settings));
  return out;
}

run::Grader Judging::grader(ProgressSink progress, std::stop_token stop) {
  return [this, progress = std::move(progress), stop = std::move(stop)](
             const task::Task& task, std::span<const run::AnsweredItem> answered) {
    std::vector<const task::Item*> items;
    std::vector<const metric::Responses*> responses;
    for (const run::AnsweredItem& one : answered) {
      items.push_back(one.item);
      responses.push_back(one.responses);
    }
    engine::Call call;
    call.stop = stop;
    if (progress) {
      call.progress = [&](const Progress& inner) {
        progress({"judge " + task.name, inner.done, inner.total, "judgments"});
      };
    }
    return judge_->grade(task, items, responses, call);
  };
}

}  // namespace crucible::server::cli
