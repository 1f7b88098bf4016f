#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "evaluator/judge/judge.hpp"
#include "evaluator/run/evaluation.hpp"
#include "server/cli/model_source.hpp"

// A judge for `crucible eval` and `crucible judge`.
namespace crucible::server::cli {

struct JudgingOptions {
  ModelOptions judge;  // judge.model "" = none
  std::string name;    // beside the scores; "" = the model's label
  std::string rubric;  // YAML; "" = MT-Bench's judge_prompts.jsonl
  std::string data;    // MT-Bench's folder; "" = mt_bench in the data set folders
  std::uint64_t seed = 1234;
  std::uint32_t max_new_tokens = 2048;
};

// --judge-name, --rubric, --judge-seed, --judge-max-new-tokens and the judge's model options.
void add_judging_options(CLI::App& command, JudgingOptions& options);

// The folder of question.jsonl, reference_answer/ and judge_prompts.jsonl. kNotFound says what to
// fetch.
Result<std::filesystem::path> mt_bench_folder(const std::string& given);
Result<task::Task> mt_bench_task(const std::filesystem::path& folder,
                                 std::optional<std::size_t> limit);
// One task, whose overall rating is the score.
Result<task::Suite> mt_bench_suite(const std::filesystem::path& folder,
                                   std::optional<std::size_t> limit);

// A judging model with its rubric and the file that its judgments are added to.
class Judging {
 public:
  static Result<Judging> open(const JudgingOptions& options, const std::filesystem::path& judgments,
                              const std::stop_token& stop);
  judge::Judge& judge() { return *judge_; }
  // For run::evaluate; `this` must outlive it. Progress counts judgments.
  run::Grader grader(ProgressSink progress, std::stop_token stop);

 private:
  std::unique_ptr<engine::LanguageModel> model_;
  std::unique_ptr<judge::LineFile> file_;
  std::unique_ptr<judge::Judge> judge_;
};

}  // namespace crucible::server::cli
