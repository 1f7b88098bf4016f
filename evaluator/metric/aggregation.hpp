#pragma once

#include <string_view>
#include <vector>

#include "evaluator/task/task.hpp"

namespace crucible::metric {

// Names that MetricSetting::aggregation may have.
std::vector<std::string_view> aggregation_names();
bool is_aggregation(std::string_view name);
// Whether the metric's values are what the aggregation takes.
bool aggregation_fits(const task::MetricSetting& setting);

}  // namespace crucible::metric
