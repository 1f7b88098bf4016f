#include "evaluator/run/score_intervals.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "evaluator/stats/interval.hpp"

namespace crucible::run {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What one metric got from the items that have it.
struct Values {
  std::vector<metric::MetricValue> values;
  std::vector<std::size_t> clusters;
};

Values collect(const task::Task& task, const std::vector<Sample>& samples, std::size_t filter,
               const std::string& metric) {
  Values out;
  std::vector<std::string_view> names;
  for (const Sample& sample : samples) {
    const auto& metrics = sample.scores[filter].metrics;
    const auto found = metrics.find(metric);
    if (found == metrics.end()) continue;
    out.values.push_back(found->second);
    names.push_back(task.items[sample.item].cluster);
  }
  out.clusters = stats::number_clusters(names);
  return out;
}

// Values that a mean takes one number of; empty where some item has another shape.
std::vector<double> single_numbers(const std::vector<metric::MetricValue>& values) {
  std::vector<double> numbers;
  for (const metric::MetricValue& value : values) {
    if (value.numbers.size() != 1 || !value.texts.empty()) return {};
    numbers.push_back(value.numbers.front());
  }
  return numbers;
}

void set(MetricResult& result, stats::Interval interval, const char* kind, double spread) {
  result.score.low = interval.low;
  result.score.high = interval.high;
  result.score.interval = kind;
  result.spread = spread;
}

// Metrics whose zeros and ones are points of a longer scale, not wrong and right.
bool has_other_scale(const std::string& metric) {
  return metric.starts_with("eqbench") || metric.starts_with("rating");
}

void set_mean_interval(MetricResult& result, const std::vector<double>& numbers,
                       const std::vector<std::size_t>& clusters) {
  const auto count = stats::count_clusters(clusters);
  if (count.shared) {
    const double error = stats::cluster_standard_error(numbers, clusters);
    set(result,
        count.clusters > 1 ? stats::student(result.score.value, error, count.clusters - 1)
                           : stats::Interval{kNaN, kNaN},
        "cluster-robust", error);
    return;
  }
  const bool binary = std::ranges::all_of(numbers, [](double x) { return x == 0 || x == 1; });
  if (binary && !has_other_scale(result.metric)) {
    const auto hits = static_cast<std::size_t>(std::ranges::count(numbers, 1.0));
    set(result, stats::wilson(hits, numbers.size()), "wilson", result.score.stderr_);
    return;
  }
  set(result, stats::bootstrap_mean(numbers, clusters).interval, "bootstrap", result.score.stderr_);
}

// The aggregations of log-likelihoods as functions of drawn items; null for others.
stats::Statistic likelihood_statistic(const std::string& aggregation,
                                      const std::vector<metric::MetricValue>& values) {
  const bool weighted = aggregation == "weighted_perplexity" || aggregation == "bits_per_byte";
  if (!weighted && aggregation != "perplexity") return {};
  for (const metric::MetricValue& value : values) {
    if (value.numbers.size() != (weighted ? 2U : 1U)) return {};
  }
  return [&values, weighted,
          bits = aggregation == "bits_per_byte"](std::span<const std::uint32_t> times) {
    double sum = 0;
    double weight = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum += times[i] * values[i].numbers[0];
      weight += times[i] * (weighted ? values[i].numbers[1] : 1.0);
    }
    return bits ? -sum / weight / std::log(2.0) : std::exp(-sum / weight);
  };
}

// A mean over all parts of the drawn items alike: instructions of a prompt, turns of a
// conversation.
double parts_mean(const std::vector<metric::MetricValue>& values,
                  std::span<const std::uint32_t> times) {
  double sum = 0;
  double count = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (const double part : values[i].numbers) sum += times[i] * part;
    count += times[i] * static_cast<double>(values[i].numbers.size());
  }
  return sum / count;
}

void set_interval(MetricResult& result, const std::string& aggregation, const Values& values) {
  if (aggregation == "mean") {
    const std::vector<double> numbers = single_numbers(values.values);
    if (!numbers.empty()) return set_mean_interval(result, numbers, values.clusters);
  }
  if (aggregation == "agg_inst_level_acc") {
    const auto drawn = stats::bootstrap(values.clusters, [&](std::span<const std::uint32_t> times) {
      return parts_mean(values.values, times);
    });
    return set(result, drawn.interval, "bootstrap", drawn.standard_error);
  }
  if (const auto statistic = likelihood_statistic(aggregation, values.values)) {
    const auto drawn = stats::bootstrap(values.clusters, statistic);
    return set(result, drawn.interval, "bootstrap", drawn.standard_error);
  }
  set(result, stats::normal(result.score.value, result.score.stderr_), "normal",
      result.score.stderr_);
}

Result<MetricResult> metric_of(const task::Task& task, const task::MetricSetting& setting,
                               const std::string& filter, const Values& values) {
  auto estimate = metric::aggregate(setting, values.values);
  if (!estimate) {
    return fail(std::move(estimate.error()).with_context(task.name + " " + setting.metric));
  }
  MetricResult result{setting.metric, filter, setting.higher_is_better, {}, kNaN};
  result.score.value = estimate->value;
  result.score.stderr_ = estimate->stderr_;
  set_interval(result, setting.aggregation, values);
  return result;
}

// The task's metrics, then what else the items have.
std::vector<task::MetricSetting> settings_of(const task::Task& task,
                                             const std::vector<Sample>& samples,
                                             std::size_t filter) {
  std::vector<task::MetricSetting> settings = task.metrics;
  std::set<std::string> known;
  for (const task::MetricSetting& setting : settings) known.insert(setting.metric);
  for (const Sample& sample : samples) {
    for (const auto& [name, value] : sample.scores[filter].metrics) {
      if (known.insert(name).second) settings.push_back({name, "mean", true, task::Json::object()});
    }
  }
  return settings;
}

const TaskResult* find_task(const std::vector<TaskResult>& tasks, const std::string& name) {
  for (const TaskResult& task : tasks) {
    if (task.task == name) return &task;
  }
  return nullptr;
}

// Leaf tasks of a group in order, each once; `seen` guards against cycles.
void add_leaves(const task::Suite& suite, const std::string& name,
                const std::vector<TaskResult>& tasks, std::set<std::string>& seen,
                std::vector<const TaskResult*>& leaves) {
  if (!seen.insert(name).second) return;
  if (const TaskResult* task = find_task(tasks, name)) leaves.push_back(task);
  for (const task::Group& group : suite.groups) {
    if (group.name != name) continue;
    for (const std::string& member : group.members) add_leaves(suite, member, tasks, seen, leaves);
  }
}

// One metric of a group under one filter; false where no member has it.
bool aggregate(const std::vector<const TaskResult*>& leaves, bool by_size, MetricResult& result) {
  double sum = 0, weights = 0, squares = 0, spread = 0, pooled = 0, items = 0;
  std::size_t members = 0;
  for (const TaskResult* leaf : leaves) {
    const MetricResult* own = leaf->find(result.metric, result.filter);
    if (own == nullptr) continue;
    ++members;
    const auto size = static_cast<double>(leaf->samples.size());
    const double weight = by_size ? size : 1;
    const double error = own->score.stderr_;
    result.higher_is_better = own->higher_is_better;
    sum += weight * own->score.value;
    weights += weight;
    items += size;
    squares += error * error;
    pooled += (size - 1) * error * error * size;
    spread += weight * weight * own->spread * own->spread;
  }
  if (members == 0) return false;
  const auto count = static_cast<double>(members);
  result.score.value = sum / weights;
  result.score.stderr_ =
      by_size ? std::sqrt(pooled / (items - count) / items) : std::sqrt(squares) / count;
  set(result, stats::normal(result.score.value, std::sqrt(spread) / weights), "propagated",
      std::sqrt(spread) / weights);
  return true;
}

// Those that the group names, else all under which some member has the metric.
std::set<std::string> filters_of(const task::GroupMetric& metric,
                                 const std::vector<const TaskResult*>& leaves) {
  if (!metric.filters.empty()) return {metric.filters.begin(), metric.filters.end()};
  std::set<std::string> filters;
  for (const TaskResult* leaf : leaves) {
    for (const MetricResult& own : leaf->metrics) {
      if (own.metric == metric.metric) filters.insert(own.filter);
    }
  }
  return filters;
}

// A score whose error is split by the tasks it comes from.
struct Part {
  ScoreResult result;
  std::vector<std::pair<std::string, double>> errors;  // by task, sorted
};

void add_error(Part& part, const std::string& task, double error) {
  for (auto& [name, sum] : part.errors) {
    if (name == task) {
      sum += error;
      return;
    }
  }
  part.errors.emplace_back(task, error);
}

double total_error(const Part& part) {
  double squares = 0;
  for (const auto& [task, error] : part.errors) squares += error * error;
  return std::sqrt(squares);
}

Result<Part> leaf_of(const task::ScoreRule& rule, const std::vector<TaskResult>& tasks) {
  const TaskResult* task = find_task(tasks, rule.task);
  const MetricResult* own = task ? task->find(rule.metric, rule.filter) : nullptr;
  if (own == nullptr && task != nullptr && task->unreadable_items == task->samples.size()) {
    return fail(ErrorCode::kInvalidArgument,
                "no answer to task " + rule.task + " could be read, so there is no " + rule.metric);
  }
  if (own == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the score needs " + rule.metric + "," + rule.filter +
                                                 " of task " + rule.task +
                                                 ", which the evaluation does not give");
  }
  Part part;
  part.result = {rule.name.empty() ? rule.task : rule.name, own->score, task->samples.size(), {}};
  part.errors = {{rule.task, own->spread}};
  return part;
}

Part mean_of(const task::ScoreRule& rule, std::vector<Part> parts) {
  Part mean;
  mean.result.name = rule.name;
  double sum = 0;
  double weights = 0;
  for (const Part& part : parts) {
    const double weight = rule.weight_by_size ? static_cast<double>(part.result.items) : 1;
    sum += weight * part.result.score.value;
    weights += weight;
    mean.result.items += part.result.items;
    for (const auto& [task, error] : part.errors) add_error(mean, task, weight * error);
  }
  for (auto& [task, error] : mean.errors) error /= weights;
  Score& score = mean.result.score;
  if (parts.size() == 1) {
    score = parts.front().result.score;
  } else {
    score.value = sum / weights;
    score.stderr_ = total_error(mean);
    const auto interval = stats::normal(score.value, score.stderr_);
    score.low = interval.low;
    score.high = interval.high;
    score.interval = "propagated";
  }
  for (Part& part : parts) mean.result.of.push_back(std::move(part.result));
  return mean;
}

double rounded(double value, int decimals) {
  const double scale = std::pow(10.0, decimals);
  return std::nearbyint(value * scale) / scale;
}

// Baseline, scale and rounding; the interval goes through the same, but for the rounding.
void transform(const task::ScoreRule& rule, Part& part) {
  Score& score = part.result.score;
  double slope = rule.scale;
  const auto shift = [&](double value) {
    if (!rule.baseline || std::isnan(value)) return value * rule.scale;
    return std::max(0.0, (value - *rule.baseline) / (1 - *rule.baseline)) * rule.scale;
  };
  if (rule.baseline) slope /= 1 - *rule.baseline;
  score.value = shift(score.value);
  score.low = shift(score.low);
  score.high = shift(score.high);
  score.stderr_ *= slope;
  for (auto& [task, error] : part.errors) error *= slope;
  if (rule.decimals) score.value = rounded(score.value, *rule.decimals);
}

Result<Part> part_of(const task::ScoreRule& rule, const std::vector<TaskResult>& tasks) {
  Result<Part> part = fail(ErrorCode::kInternal, "");
  if (rule.is_leaf()) {
    part = leaf_of(rule, tasks);
  } else {
    std::vector<Part> parts;
    for (const task::ScoreRule& inner : rule.of) {
      auto own = part_of(inner, tasks);
      if (!own) return own;
      parts.push_back(std::move(*own));
    }
    part = mean_of(rule, std::move(parts));
  }
  if (part) transform(rule, *part);
  return part;
}

}  // namespace

const MetricResult* TaskResult::find(std::string_view metric, std::string_view filter) const {
  for (const MetricResult& result : metrics) {
    if (result.metric == metric && result.filter == filter) return &result;
  }
  return nullptr;
}

Result<std::vector<MetricResult>> metrics_of(const task::Task& task,
                                             const std::vector<Sample>& samples) {
  std::vector<MetricResult> results;
  for (std::size_t filter = 0; filter < task.filters.size(); ++filter) {
    for (const task::MetricSetting& setting : settings_of(task, samples, filter)) {
      const Values values = collect(task, samples, filter, setting.metric);
      if (values.values.empty()) continue;
      auto result = metric_of(task, setting, task.filters[filter].name, values);
      if (!result) return fail(std::move(result.error()));
      results.push_back(std::move(*result));
    }
  }
  return results;
}

std::vector<GroupResult> groups_of(const task::Suite& suite, const std::vector<TaskResult>& tasks) {
  std::vector<GroupResult> results;
  for (const task::Group& group : suite.groups) {
    std::vector<const TaskResult*> leaves;
    std::set<std::string> seen;
    add_leaves(suite, group.name, tasks, seen, leaves);
    GroupResult result{group.name, {}, 0};
    for (const TaskResult* leaf : leaves) result.items += leaf->samples.size();
    for (const task::GroupMetric& metric : group.metrics) {
      for (const std::string& filter : filters_of(metric, leaves)) {
        MetricResult own{metric.metric, filter, true, {}, kNaN};
        if (aggregate(leaves, metric.weight_by_size, own)) result.metrics.push_back(std::move(own));
      }
    }
    results.push_back(std::move(result));
  }
  return results;
}

Result<ScoreResult> score_of(const task::ScoreRule& rule, const std::vector<TaskResult>& tasks) {
  auto part = part_of(rule, tasks);
  if (!part) return fail(std::move(part.error()));
  return std::move(part->result);
}

}  // namespace crucible::run
