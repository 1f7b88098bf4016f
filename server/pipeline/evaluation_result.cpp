#include "server/pipeline/evaluation_result.hpp"

#include <cmath>
#include <utility>

namespace crucible::server::pipeline {
namespace {

std::optional<double> finite(double number) {
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::optional<ScoreInterval> interval_of(double low, double high, const std::string& kind) {
  if (!std::isfinite(low) || !std::isfinite(high)) return std::nullopt;
  return ScoreInterval{low, high, kind};
}

std::optional<ScoreInterval> interval_of(const run::Score& score) {
  return interval_of(score.low, score.high, score.interval);
}

std::vector<MetricScore> metrics_of(const std::vector<run::MetricResult>& results) {
  std::vector<MetricScore> metrics;
  for (const run::MetricResult& result : results) {
    metrics.push_back({result.metric, result.score.value, finite(result.score.stderr_),
                       result.filter, result.higher_is_better, interval_of(result.score)});
  }
  return metrics;
}

TaskComparison record_of(const run::TaskComparison& comparison) {
  const stats::Comparison& numbers = comparison.numbers;
  TaskComparison out;
  out.task = comparison.task;
  out.metric = comparison.metric;
  out.filter = comparison.filter;
  out.higher_is_better = comparison.higher_is_better;
  out.items = static_cast<std::int64_t>(numbers.items);
  out.mean_a = numbers.mean_a;
  out.mean_b = numbers.mean_b;
  out.wins = static_cast<std::int64_t>(numbers.wins);
  out.losses = static_cast<std::int64_t>(numbers.losses);
  out.ties = static_cast<std::int64_t>(numbers.ties);
  out.difference = numbers.difference;
  out.standard_error = finite(numbers.standard_error);
  out.interval = interval_of(numbers.interval.low, numbers.interval.high, "bootstrap");
  out.p = finite(numbers.p);
  out.test = numbers.test;
  out.told_apart = numbers.told_apart;
  if (numbers.further_items) {
    out.further_items = static_cast<std::int64_t>(*numbers.further_items);
  }
  out.verdict = comparison.verdict;
  return out;
}

}  // namespace

EvaluationResult result_of(const run::EvaluationReport& report, const task::Suite& suite) {
  EvaluationResult result;
  result.suite = report.suite;
  result.suite_digest = report.suite_digest.hex();
  result.engine = report.model.engine;
  result.dtype = report.model.dtype;
  result.score = report.score.score.value;
  result.standard_error = finite(report.score.score.stderr_);
  result.interval = interval_of(report.score.score);
  result.items = static_cast<std::int64_t>(report.items);
  result.seconds = report.seconds;
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    const task::Task& task = suite.tasks[i];
    result.tasks.push_back({task.name, task.version, task.digest.hex(), task.primary_metric,
                            static_cast<std::int64_t>(report.tasks[i].samples.size()),
                            metrics_of(report.tasks[i].metrics), task.primary_filter});
  }
  for (const run::ScoreResult& column : report.score.of) {
    result.columns.push_back({column.name, column.score.value, finite(column.score.stderr_),
                              interval_of(column.score), static_cast<std::int64_t>(column.items)});
  }
  for (const run::GroupResult& group : report.groups) {
    result.groups.push_back(
        {group.group, static_cast<std::int64_t>(group.items), metrics_of(group.metrics)});
  }
  result.flags = report.flags;
  result.prompt_tokens_asked = static_cast<std::int64_t>(report.account.prompt_tokens_asked);
  result.prompt_tokens_computed = static_cast<std::int64_t>(report.account.prompt_tokens_computed);
  return result;
}

ModelComparison record_of(const run::ReportComparison& comparison) {
  ModelComparison out;
  for (const run::TaskComparison& task : comparison.tasks) out.tasks.push_back(record_of(task));
  if (comparison.overall) out.overall = record_of(*comparison.overall);
  out.notes = comparison.notes;
  return out;
}

}  // namespace crucible::server::pipeline
