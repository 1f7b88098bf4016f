#pragma once

#include "nlohmann/json.hpp"
#include "server/service/records.hpp"

// Scores as JSON: one form for the API, for what a worker sends and for what the store keeps whole.
// A number that is not finite is null.
namespace crucible::server {

using ScoreJson = nlohmann::ordered_json;

ScoreJson number_json(double value);
ScoreJson number_json(const std::optional<double>& value);
ScoreJson to_json(const std::optional<ScoreInterval>& interval);
ScoreJson to_json(const MetricScore& metric);
ScoreJson to_json(const TaskScore& task);
ScoreJson to_json(const GroupScore& group);
ScoreJson to_json(const ColumnScore& column);
template <typename T>
ScoreJson json_list(const std::vector<T>& items) {
  ScoreJson list = ScoreJson::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

// What to_json gave; nlohmann's exceptions where it is anything else.
std::optional<double> number_from(const ScoreJson& json);
std::optional<ScoreInterval> interval_from(const ScoreJson& json);
MetricScore metric_from(const ScoreJson& json);
TaskScore task_from(const ScoreJson& json);
GroupScore group_from(const ScoreJson& json);
ColumnScore column_from(const ScoreJson& json);

}  // namespace crucible::server
