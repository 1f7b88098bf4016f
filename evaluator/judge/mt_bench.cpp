#include "evaluator/judge/mt_bench.hpp"

#include <map>
#include <string>

#include "evaluator/judge/conversations.hpp"

namespace crucible::judge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "mt-bench";
constexpr const char* kDescription = "MT-Bench: 80 conversations of two turns, rated by a judge";

}  // namespace

Result<fs::path> mt_bench_folder(const std::vector<fs::path>& datasets) {
  std::error_code ignored;
  std::string looked;
  for (const fs::path& root : datasets) {
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
  auto questions = read_questions(folder / "question.jsonl");
  if (!questions) return fail(std::move(questions.error()));
  const std::size_t all = questions->size();
  if (limit && all > *limit) questions->resize(*limit);
  std::map<std::string, std::vector<std::string>> references;
  std::error_code ignored;
  const fs::path file = folder / "reference_answer" / "gpt-4.jsonl";
  if (fs::exists(file, ignored)) {
    auto read = read_answers(file);
    if (!read) return fail(std::move(read.error()));
    references = std::move(*read);
  }
  task::Task task = conversation_task("mt_bench", *questions, references);
  task.original_items = all;
  return task;
}

Result<task::Suite> mt_bench_suite(const fs::path& folder, std::optional<std::size_t> limit) {
  auto task = mt_bench_task(folder, limit);
  if (!task) return fail(std::move(task.error()));
  task::Suite suite;
  suite.name = kName;
  suite.description = kDescription;
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

task::SuiteListing mt_bench_listing() {
  task::SuiteListing listing;
  listing.name = kName;
  listing.description = kDescription;
  listing.file = "builtin:mt-bench";
  listing.needs = {"mt_bench"};
  return listing;
}

}  // namespace crucible::judge
