#include "server/service/score_json.hpp"

#include <cmath>

namespace crucible::server {
namespace {

// Whole numbers only: the library would convert others, even those past the type's range.
std::int64_t items_from(const ScoreJson& json) {
  return json.at("items").get_ref<const ScoreJson::number_integer_t&>();
}

std::vector<MetricScore> metrics_from(const ScoreJson& list) {
  std::vector<MetricScore> metrics;
  for (const ScoreJson& metric : list) metrics.push_back(metric_from(metric));
  return metrics;
}

}  // namespace

ScoreJson number_json(double value) {
  return std::isfinite(value) ? ScoreJson(value) : ScoreJson(nullptr);
}

ScoreJson number_json(const std::optional<double>& value) {
  return value ? number_json(*value) : ScoreJson(nullptr);
}

ScoreJson to_json(const std::optional<ScoreInterval>& interval) {
  if (!interval) return nullptr;
  return {{"low", number_json(interval->low)},
          {"high", number_json(interval->high)},
          {"kind", interval->kind}};
}

ScoreJson to_json(const MetricScore& metric) {
  return {{"name", metric.name},
          {"filter", metric.filter},
          {"higher_is_better", metric.higher_is_better},
          {"value", number_json(metric.value)},
          {"standard_error", number_json(metric.standard_error)},
          {"interval", to_json(metric.interval)}};
}

ScoreJson to_json(const TaskScore& task) {
  return {{"task", task.task},
          {"version", task.version},
          {"digest", task.digest},
          {"primary_metric", task.primary_metric},
          {"primary_filter", task.primary_filter},
          {"items", task.items},
          {"metrics", json_list(task.metrics)}};
}

ScoreJson to_json(const GroupScore& group) {
  return {{"group", group.group}, {"items", group.items}, {"metrics", json_list(group.metrics)}};
}

ScoreJson to_json(const ColumnScore& column) {
  return {{"name", column.name},
          {"value", number_json(column.value)},
          {"standard_error", number_json(column.standard_error)},
          {"interval", to_json(column.interval)},
          {"items", column.items}};
}

std::optional<double> number_from(const ScoreJson& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<double>());
}

std::optional<ScoreInterval> interval_from(const ScoreJson& json) {
  if (json.is_null()) return std::nullopt;
  const auto low = number_from(json.at("low"));
  const auto high = number_from(json.at("high"));
  if (!low || !high) return std::nullopt;
  return ScoreInterval{*low, *high, json.at("kind").get<std::string>()};
}

MetricScore metric_from(const ScoreJson& json) {
  return {
      json.at("name").get<std::string>(),      number_from(json.at("value")).value_or(std::nan("")),
      number_from(json.at("standard_error")),  json.at("filter").get<std::string>(),
      json.at("higher_is_better").get<bool>(), interval_from(json.at("interval"))};
}

TaskScore task_from(const ScoreJson& json) {
  return {json.at("task").get<std::string>(),
          json.at("version").get<std::string>(),
          json.at("digest").get<std::string>(),
          json.at("primary_metric").get<std::string>(),
          items_from(json),
          metrics_from(json.at("metrics")),
          json.at("primary_filter").get<std::string>()};
}

GroupScore group_from(const ScoreJson& json) {
  return {json.at("group").get<std::string>(), items_from(json), metrics_from(json.at("metrics"))};
}

ColumnScore column_from(const ScoreJson& json) {
  return {json.at("name").get<std::string>(), number_from(json.at("value")).value_or(std::nan("")),
          number_from(json.at("standard_error")), interval_from(json.at("interval")),
          items_from(json)};
}

}  // namespace crucible::server
