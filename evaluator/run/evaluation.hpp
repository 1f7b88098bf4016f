#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/metric/scoring.hpp"
#include "evaluator/task/task.hpp"

// From a model and a suite to scores: asks what the tasks ask, holds the answers against the golds,
// and says how sure the result is.
namespace crucible::run {

class ResultCache;

// A value with its uncertainty.
struct Score {
  double value = 0;
  double stderr_ = 0;        // by the harness's rule; NaN where there is none
  double low = 0, high = 0;  // 95 % interval; NaN where there is none
  std::string interval;      // "wilson", "cluster-robust", "bootstrap", "normal", "propagated"
};

struct MetricResult {
  std::string metric;  // "acc"
  std::string filter;  // "none"
  bool higher_is_better = true;
  Score score;
  double spread = 0;  // standard error behind the interval: clusters count, unlike in stderr_
};

// One item's outcome, what samples_*.jsonl holds a line of (one a filter).
struct Sample {
  std::size_t item = 0;  // index into Task::items
  metric::Responses responses;
  std::vector<metric::ItemScore> scores;  // one a filter pipeline
  bool truncated = false;
  std::string note;  // why an answer could not be read
};

struct TaskResult {
  std::string task;
  std::vector<MetricResult> metrics;
  std::vector<Sample> samples;
  std::size_t truncated_items = 0;
  std::size_t unreadable_items = 0;  // answers from which nothing could be read
  std::size_t empty_items = 0;       // generations without any text
  std::size_t level_items = 0;       // all options have the same log-likelihood
  std::size_t apart_items = 0;       // context and continuation had to be encoded apart

  const MetricResult* find(std::string_view metric, std::string_view filter) const;
};

struct GroupResult {
  std::string group;
  std::vector<MetricResult> metrics;
  std::size_t items = 0;
};

// A node of the suite's score rule, values in place.
struct ScoreResult {
  std::string name;
  Score score;
  std::size_t items = 0;
  std::vector<ScoreResult> of;
};

struct EvaluationReport {
  std::string suite;
  Digest suite_digest;
  engine::ModelDescription model;
  std::vector<TaskResult> tasks;    // in the suite's order
  std::vector<GroupResult> groups;  // in the suite's order
  ScoreResult score;
  std::size_t items = 0;
  std::vector<std::string> flags;  // what makes the numbers doubtful, in words
  engine::ComputeAccount account;  // of this evaluation, whether computed now or kept from before
  std::size_t kept_items = 0;      // of them were in the cache
  std::string cache_fault;         // why results could no longer be kept; "" = they were
  double seconds = 0;
  double started = 0;  // Unix time, seconds
};

// One item with the model's answers to its turns.
struct AnsweredItem {
  const task::Item* item = nullptr;
  const metric::Responses* responses = nullptr;
};
// Scores what metric::score_item cannot: conversations, which a judge grades, many side by side.
// For each item one score a filter pipeline, as there.
using Grader = std::function<Result<std::vector<std::vector<metric::ItemScore>>>(
    const task::Task& task, std::span<const AnsweredItem> items)>;

struct EvaluationOptions {
  ProgressSink progress;  // in requests over all tasks, stage "evaluate <task>"
  std::stop_token stop;
  ResultCache* cache = nullptr;  // finished segments are kept there and not asked for again
  Grader grade;                  // needed by conversation tasks only
};

// Before any work: kInvalidArgument for a suite without tasks or items, kUnsupported for filters
// and metrics that this build lacks (all faults, `tasks[0].filter_list[0]…`) and for tasks that the
// model cannot answer. Then the model's errors, with the task's name in front; kCorrupt for a
// log-probability that is not finite.
Result<EvaluationReport> evaluate(engine::LanguageModel& model, const task::Suite& suite,
                                  const EvaluationOptions& options = {});

}  // namespace crucible::run
