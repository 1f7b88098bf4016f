#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/task/suite.hpp"

namespace crucible::run {

// One item's outcome, what samples_*.jsonl holds a line of.
struct Sample {
  std::string document_id;
  std::vector<double> logprobs;  // one a choice
  std::vector<bool> greedy;
  std::size_t predicted = 0;       // argmax of logprobs, first wins ties
  std::size_t predicted_norm = 0;  // argmax of logprob / code points of the choice
  std::vector<std::size_t> gold;
  bool correct = false;
  bool correct_norm = false;
};

struct Metric {
  std::string name;  // "acc", "acc_norm"
  double value = 0;
  double stderr_ = 0;  // sample sd / sqrt(n); NaN when n = 1
};

struct TaskResult {
  std::string task;
  std::string version;
  Digest digest;
  std::string primary_metric;
  std::vector<Metric> metrics;
  std::size_t items = 0;
  std::vector<Sample> samples;
  std::size_t truncated_items = 0;
};

// Score of the suite: unweighted mean of its tasks' primary metrics; stderr from the tasks' own.
struct EvaluationReport {
  std::string suite;
  Digest suite_digest;
  engine::ModelDescription model;
  std::vector<TaskResult> tasks;
  double score = 0;
  double stderr_ = 0;
  std::size_t items = 0;
  double seconds = 0;
  double started = 0;  // Unix time, seconds
};

// Progress is in requests over all tasks, stage "evaluate <task>". A task's requests go to the
// model in one call, so that it can share their prefixes. Errors are the model's, with the task's
// name in front.
Result<EvaluationReport> evaluate(engine::LanguageModel& model, const task::Suite& suite,
                                  const ProgressSink& progress, std::stop_token stop);

// results_<suite>.json in the shape of the field's harness, and samples_<task>.jsonl, under
// `folder` (made when absent; files of the same names are replaced whole). `suite` must be the one
// evaluated: the samples carry its prompts.
Status write_report(const EvaluationReport& report, const task::Suite& suite,
                    std::string_view model_name, const std::filesystem::path& folder);

}  // namespace crucible::run
