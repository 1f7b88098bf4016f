#include <chrono>
#include <cmath>
#include <span>
#include <utility>

#include "evaluator/metric/metric.hpp"
#include "evaluator/run/evaluation.hpp"

namespace crucible::run {
namespace {

using engine::LoglikelihoodRequest;
using engine::LoglikelihoodResult;

std::vector<LoglikelihoodRequest> requests_of(const task::Task& task) {
  std::vector<LoglikelihoodRequest> requests;
  for (const task::Document& document : task.documents) {
    for (const std::string& choice : document.choices) {
      requests.push_back({document.context, choice});
    }
  }
  return requests;
}

bool contains(const std::vector<std::size_t>& gold, std::size_t index) {
  for (const std::size_t right : gold) {
    if (right == index) return true;
  }
  return false;
}

Sample score_document(const task::Document& document,
                      std::span<const LoglikelihoodResult> results) {
  Sample sample;
  sample.document_id = document.id;
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < results.size(); ++i) {
    sample.logprobs.push_back(results[i].sum_logprob);
    sample.greedy.push_back(results[i].is_greedy);
    lengths.push_back(metric::code_points(document.choice_texts[i]));
  }
  sample.predicted = metric::argmax(sample.logprobs);
  sample.predicted_norm = metric::argmax_normalised(sample.logprobs, lengths);
  sample.gold = document.gold;
  sample.correct = contains(document.gold, sample.predicted);
  sample.correct_norm = contains(document.gold, sample.predicted_norm);
  return sample;
}

Metric metric_over(const std::string& name, const std::vector<Sample>& samples,
                   bool Sample::* correct) {
  std::vector<double> hits;
  for (const Sample& sample : samples) hits.push_back(sample.*correct ? 1.0 : 0.0);
  const metric::Estimate estimate = metric::mean(hits);
  return {name, estimate.value, estimate.stderr_};
}

Result<TaskResult> score_task(const task::Task& task,
                              const std::vector<LoglikelihoodResult>& results) {
  TaskResult result;
  result.task = task.name;
  result.version = task.version;
  result.digest = task.digest;
  result.primary_metric = task.primary_metric;
  result.items = task.documents.size();
  std::span<const LoglikelihoodResult> rest = results;
  for (const task::Document& document : task.documents) {
    const auto own = rest.first(document.choices.size());
    rest = rest.subspan(own.size());
    bool truncated = false;
    for (const LoglikelihoodResult& one : own) {
      if (!std::isfinite(one.sum_logprob)) {
        return fail(ErrorCode::kCorrupt,
                    "the model yields no finite log-probability for item " + document.id);
      }
      truncated = truncated || one.truncated;
    }
    result.truncated_items += truncated ? 1 : 0;
    result.samples.push_back(score_document(document, own));
  }
  result.metrics = {metric_over("acc", result.samples, &Sample::correct),
                    metric_over("acc_norm", result.samples, &Sample::correct_norm)};
  return result;
}

metric::Estimate primary_estimate(const TaskResult& task) {
  for (const Metric& metric : task.metrics) {
    if (metric.name == task.primary_metric) return {metric.value, metric.stderr_};
  }
  return {std::nan(""), std::nan("")};
}

std::size_t request_count(const task::Suite& suite) {
  std::size_t count = 0;
  for (const task::Task& task : suite.tasks) {
    for (const task::Document& document : task.documents) count += document.choices.size();
  }
  return count;
}

// One task: its requests in one call, with progress counted over the whole suite.
Result<TaskResult> evaluate_task(engine::LanguageModel& model, const task::Task& task,
                                 std::uint64_t done_before, std::uint64_t total,
                                 const ProgressSink& progress, std::stop_token stop) {
  const auto requests = requests_of(task);
  const std::string stage = "evaluate " + task.name;
  const ProgressSink forward = [&](const Progress& inner) {
    if (progress) progress({stage, done_before + inner.done, total, "requests"});
  };
  auto results = model.loglikelihood(requests, forward, std::move(stop));
  if (!results) return fail(std::move(results.error()).with_context("task " + task.name));
  if (results->size() != requests.size()) {
    return fail(ErrorCode::kInternal, "task " + task.name + ": the engine answered " +
                                          std::to_string(results->size()) + " of " +
                                          std::to_string(requests.size()) + " requests");
  }
  auto scored = score_task(task, *results);
  if (!scored) return fail(std::move(scored.error()).with_context("task " + task.name));
  return scored;
}

}  // namespace

Result<EvaluationReport> evaluate(engine::LanguageModel& model, const task::Suite& suite,
                                  const ProgressSink& progress, std::stop_token stop) {
  if (suite.tasks.empty()) {
    return fail(ErrorCode::kInvalidArgument, "suite " + suite.name + " has no tasks");
  }
  const auto begin = std::chrono::steady_clock::now();
  EvaluationReport report;
  report.started =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  report.suite = suite.name;
  report.suite_digest = suite.digest;
  report.model = model.description();
  const std::uint64_t total = request_count(suite);
  std::uint64_t done = 0;
  std::vector<metric::Estimate> scores;
  for (const task::Task& task : suite.tasks) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "evaluation was cancelled");
    if (task.documents.empty()) {
      return fail(ErrorCode::kInvalidArgument, "task " + task.name + " has no items");
    }
    auto result = evaluate_task(model, task, done, total, progress, stop);
    if (!result) return fail(std::move(result.error()));
    for (const task::Document& document : task.documents) done += document.choices.size();
    scores.push_back(primary_estimate(*result));
    report.items += result->items;
    report.tasks.push_back(std::move(*result));
  }
  const metric::Estimate suite_score = metric::mean_of(scores);
  report.score = suite_score.value;
  report.stderr_ = suite_score.stderr_;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace crucible::run
