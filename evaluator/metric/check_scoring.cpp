#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/metric/aggregation.hpp"
#include "evaluator/metric/filter.hpp"
#include "evaluator/metric/output_types.hpp"
#include "evaluator/metric/rule.hpp"
#include "evaluator/metric/scoring.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using task::Json;

std::string listed(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Rules that run code the model wrote: refused for safety, not for want of a rule.
bool runs_code(std::string_view name) {
  return name.find("pass_at") != std::string_view::npos ||
         name.find("pass@") != std::string_view::npos ||
         name.find("code_eval") != std::string_view::npos ||
         name.find("humaneval") != std::string_view::npos ||
         name.find("mbpp") != std::string_view::npos;
}
constexpr const char* kRunsCode =
    "is scored by running code that the model wrote; this program runs no such code";

std::vector<std::string_view> check_rule(const task::Task& task, std::vector<Fault>& faults) {
  if (task.process_results.empty()) return metrics_of(task.output_type);
  const Rule* rule = find_rule(task.process_results);
  if (rule == nullptr) {
    const bool code = runs_code(task.process_results) || runs_code(task.name);
    faults.push_back({"process_results",
                      "'" + task.process_results + "' " + (code ? kRunsCode : "is not known"),
                      code ? "" : "one of " + text::join(rule_names(), ", ")});
    return {};
  }
  if (rule->output_type != task.output_type) {
    faults.push_back({"process_results",
                      "'" + task.process_results + "' is for another output type than the task's",
                      ""});
  }
  return rule->metrics;
}

void check_ignored(const Json& arguments, const std::string& path, std::vector<Fault>& faults) {
  const auto list = arguments.find("regexes_to_ignore");
  if (list == arguments.end() || list->is_null()) return;
  if (!list->is_array()) {
    faults.push_back({path + ".regexes_to_ignore", "is not a list", ""});
    return;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string own = path + ".regexes_to_ignore[" + std::to_string(i) + "]";
    if (!(*list)[i].is_string()) {
      faults.push_back({own, "is not a text", ""});
      continue;
    }
    const auto regex = text::Regex::compile((*list)[i].get<std::string>());
    if (!regex) faults.push_back({own, regex.error().message, "Python's `re` syntax is read"});
  }
}

void check_metric(const task::MetricSetting& setting, const std::string& path,
                  const std::vector<std::string_view>& known, std::vector<Fault>& faults) {
  if (runs_code(setting.metric)) {
    faults.push_back({path + ".metric", "'" + setting.metric + "' " + kRunsCode, ""});
  } else if (!known.empty() && !contains(known, setting.metric)) {
    faults.push_back({path + ".metric",
                      "'" + setting.metric + "' is not a metric of this task's answers",
                      "one of " + listed(known)});
  }
  if (!is_aggregation(setting.aggregation)) {
    faults.push_back({path + ".aggregation", "'" + setting.aggregation + "' is not known",
                      "one of " + listed(aggregation_names())});
  } else if (!aggregation_fits(setting)) {
    faults.push_back(
        {path + ".aggregation",
         "'" + setting.aggregation + "' cannot take the values of '" + setting.metric + "'", ""});
  }
  check_ignored(setting.arguments, path, faults);
}

}  // namespace

std::vector<Fault> check_scoring(const task::Task& task) {
  std::vector<Fault> faults;
  const std::vector<std::string_view> known = check_rule(task, faults);
  if (task.output_type == task::OutputType::kConversation) return faults;
  for (std::size_t i = 0; i < task.metrics.size(); ++i) {
    check_metric(task.metrics[i], "metric_list[" + std::to_string(i) + "]", known, faults);
  }
  for (std::size_t i = 0; i < task.filters.size(); ++i) {
    const std::string path = "filter_list[" + std::to_string(i) + "]";
    if (task.output_type == task::OutputType::kGenerateUntil) {
      check_filters(task.filters[i], path, faults);
      continue;
    }
    for (std::size_t j = 0; j < task.filters[i].steps.size(); ++j) {
      const std::string& function = task.filters[i].steps[j].function;
      if (function == "take_first") continue;
      faults.push_back({path + ".filter[" + std::to_string(j) + "].function",
                        "'" + function + "' is for generated text; this task's results are numbers",
                        "take_first"});
    }
  }
  return faults;
}

}  // namespace crucible::metric
