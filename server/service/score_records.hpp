#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What an evaluation's numbers are made of: plain values.
namespace crucible::server {

struct ScoreInterval {  // 95 %
  double low = 0;
  double high = 0;
  std::string kind;  // "wilson", "cluster-robust", "bootstrap", "normal", "propagated"
};
struct MetricScore {
  std::string name;
  double value = 0;
  std::optional<double> standard_error;
  std::string filter = "none";
  bool higher_is_better = true;
  std::optional<ScoreInterval> interval;
};
struct GroupScore {  // a group of tasks, as the harness aggregates it
  std::string group;
  std::int64_t items = 0;
  std::vector<MetricScore> metrics;
};
struct ColumnScore {  // a part of the suite's score, which a leaderboard shows by itself
  std::string name;
  double value = 0;
  std::optional<double> standard_error;
  std::optional<ScoreInterval> interval;
  std::int64_t items = 0;
};
struct TaskScore {
  std::string task;
  std::string version;
  std::string digest;
  std::string primary_metric;
  std::int64_t items = 0;
  std::vector<MetricScore> metrics;
  std::string primary_filter = "none";
};

}  // namespace crucible::server
