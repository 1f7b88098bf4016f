#pragma once

#include <map>
#include <string>
#include <vector>

#include "evaluator/metric/metric.hpp"
#include "evaluator/task/task.hpp"

// From a model's responses to scores, by the rules of lm-evaluation-harness 0.4 (api/task.py
// process_results, api/metrics.py, filters/). Pure functions; safe from any thread.
namespace crucible::metric {

// What the model answered to one item, in the order of its requests. One of the three is filled.
struct Responses {
  std::vector<engine::LoglikelihoodResult> loglikelihoods;
  std::vector<engine::RollingResult> rolling;
  std::vector<std::string> generations;  // `repeats` of them
};

// What one metric got from one item. A mean takes numbers[0]; perplexities weighted by words or
// bytes have {log-likelihood, weight}; f1 and mcc {gold, prediction}; a list such as the
// instructions of one prompt its parts; corpus metrics over text (bleu, chrf, ter) use texts:
// {reference, prediction}.
struct MetricValue {
  std::vector<double> numbers;
  std::vector<std::string> texts;
};

// One item under one filter pipeline.
struct ItemScore {
  std::string filter;
  task::Json filtered;                         // "filtered_resps" of a samples file
  std::map<std::string, MetricValue> metrics;  // by metric name; what a rule leaves out is missing
  std::string note;                            // why an answer could not be read; "" usually
};

// One score a filter pipeline. Errors: kUnsupported for an unknown filter, metric or rule (but
// check_scoring finds those before any work), kCorrupt for a log-probability that is not finite.
Result<std::vector<ItemScore>> score_item(const task::Task& task, const task::Item& item,
                                          const Responses& responses);

// Every filter, metric, aggregation and rule of the task that this build does not have, and every
// argument that cannot be used (a regex that does not compile), with its path:
// `filter_list[0].filter[1].regex_pattern`.
std::vector<Fault> check_scoring(const task::Task& task);

// A metric over all items: value and standard error by the harness's rule (sample standard
// deviation over the square root of n for means; else bootstrap with its seeds and chunks;
// NaN where it has none).
Result<Estimate> aggregate(const task::MetricSetting& metric,
                           const std::vector<MetricValue>& values);

}  // namespace crucible::metric
