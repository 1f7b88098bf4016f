#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "evaluator/judge/judging.hpp"
#include "evaluator/judge/mt_bench.hpp"
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

// The folder of question.jsonl, reference_answer/ and judge_prompts.jsonl: the given one, else that
// of the data sets. kNotFound says what to fetch.
Result<std::filesystem::path> mt_bench_folder(const std::string& given);

Result<judge::Judging> open_judging(const JudgingOptions& options,
                                    const std::filesystem::path& judgments,
                                    const std::stop_token& stop);

}  // namespace crucible::server::cli
