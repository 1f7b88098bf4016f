#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/run/evaluation.hpp"
#include "evaluator/stats/paired.hpp"

// Two models item by item, from what their evaluations left on disk.
namespace crucible::run {

// What one metric made of one item.
struct ScoredItem {
  std::size_t doc_id = 0;
  std::string doc_hash;  // of the document: what makes two items the same; "" = unknown
  std::string cluster;
  double value = 0;
};
struct ScoredTask {
  std::string task;
  std::string metric;  // the task's primary metric
  std::string filter;
  bool higher_is_better = true;
  std::vector<ScoredItem> items;
};

// An item's own share in a metric, by its direction: the number of a mean, the mean of a list of
// parts, nats a word or byte of a perplexity, right or wrong of a classification. Nothing for
// corpus metrics over text.
std::optional<double> item_value(const std::string& aggregation, const metric::MetricValue& value);

// One compact line an item: {"task", "metric", "filter", "higher_is_better", "doc_id", "doc_hash",
// "cluster", "value", "metrics" {name: value}, "logprobs" or "generations", …}. What the daemon
// keeps.
std::string compact_samples(const task::Suite& suite, const EvaluationReport& report);
Result<std::vector<ScoredTask>> read_compact_samples(const std::filesystem::path& file);

// From a folder that `crucible eval --out` wrote, or the harness with --log_samples: the latest
// results of each task. kInvalidArgument when it holds several models.
Result<std::vector<ScoredTask>> read_report_folder(const std::filesystem::path& folder);

struct TaskComparison {
  std::string task;  // "" = all tasks together
  std::string metric;
  std::string filter;
  bool higher_is_better = true;
  stats::Comparison numbers;
  std::string verdict;  // in words
};
struct ReportComparison {
  std::vector<TaskComparison> tasks;
  // Over the items of all tasks; none where their values cannot be added up.
  std::optional<TaskComparison> overall;
  std::vector<std::string> notes;  // what was left out
};

// On the items that both have. kInvalidArgument when they have none in common.
Result<ReportComparison> compare_reports(const std::vector<ScoredTask>& a,
                                         const std::vector<ScoredTask>& b, std::string_view name_a,
                                         std::string_view name_b);

}  // namespace crucible::run
