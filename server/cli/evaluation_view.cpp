#include <array>
#include <cmath>
#include <cstdio>

#include "merger/recipe/text.hpp"
#include "server/cli/json_fields.hpp"
#include "server/cli/table.hpp"
#include "server/cli/views.hpp"

// An evaluation and a comparison as text for a terminal.
namespace crucible::server::cli {
namespace {

std::string interval(const Json& object) {
  const Json& own = member(object, "interval");
  const auto low = number(own, "low");
  const auto high = number(own, "high");
  if (!low || !high) return "";
  return score_text(low, std::nullopt) + " to " + score_text(high, std::nullopt);
}

std::string score(const Json& object) {
  return score_text(number(object, "value"), number(object, "standard_error"));
}

std::string with_filter(const Json& metric) {
  const std::string filter = text(metric, "filter");
  return text(metric, "name") + (filter.empty() || filter == "none" ? "" : " (" + filter + ")");
}

void add_metrics(Table& table, const std::string& name, const Json& owner) {
  std::string shown = name;
  for (const Json& metric : member(owner, "metrics")) {
    const bool primary = text(metric, "name") == text(owner, "primary_metric") &&
                         text(metric, "filter") == text(owner, "primary_filter");
    table.add({shown, with_filter(metric) + (primary ? " *" : ""), score(metric), interval(metric),
               text(owner, "items")});
    shown.clear();
  }
}

std::string tokens_line(const Json& evaluation) {
  const double asked = number(evaluation, "prompt_tokens_asked").value_or(0);
  const double computed = number(evaluation, "prompt_tokens_computed").value_or(0);
  if (!(asked > 0)) return "";
  const int saved = static_cast<int>(std::lround(100 * (1 - computed / asked)));
  std::string line = "prompt tokens: " + text(evaluation, "prompt_tokens_asked") + ", computed " +
                     text(evaluation, "prompt_tokens_computed") + " (" + std::to_string(saved) +
                     " % saved)";
  if (number(evaluation, "kept_items").value_or(0) > 0) {
    line += "; answers to " + text(evaluation, "kept_items") + " items were kept from before";
  }
  return line + "\n";
}

std::string columns_text(const Json& evaluation) {
  const Json& columns = member(evaluation, "columns");
  const Json& tasks = member(evaluation, "tasks");
  // Columns that are the tasks over again say nothing new.
  if (!columns.is_array() || columns.empty() || columns.size() == tasks.size()) return "";
  Table table({{"PART"}, {"SCORE", Align::kRight}, {"95 %"}, {"ITEMS", Align::kRight}});
  for (const Json& column : columns) {
    table.add({text(column, "name"), score(column), interval(column), text(column, "items")});
  }
  return table.text() + "\n";
}

std::string percent(const Json& comparison, const char* key) {
  return score_text(number(comparison, key), std::nullopt);
}

std::string probability(const Json& comparison) {
  const auto p = number(comparison, "p");
  if (!p) return "-";
  if (*p < 1e-4) return "<0.0001";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2g", *p);
  return text.data();
}

void add_comparison(Table& table, const Json& comparison) {
  const std::string task = text(comparison, "task");
  std::string difference = percent(comparison, "difference");
  if (number(comparison, "difference").value_or(0) > 0) difference = "+" + difference;
  table.add({task.empty() ? "all" : task, text(comparison, "metric"), percent(comparison, "mean_a"),
             percent(comparison, "mean_b"), difference, interval(comparison),
             probability(comparison),
             text(comparison, "wins") + "/" + text(comparison, "losses") + "/" +
                 text(comparison, "ties")});
}

}  // namespace

std::string evaluation_view(const Json& evaluation) {
  Table table({{"TASK"}, {"METRIC"}, {"SCORE", Align::kRight}, {"95 %"}, {"ITEMS", Align::kRight}});
  for (const Json& task : member(evaluation, "tasks")) add_metrics(table, text(task, "task"), task);
  for (const Json& group : member(evaluation, "groups")) {
    add_metrics(table, "group " + text(group, "group"), group);
  }
  const std::string total =
      score_text(number(evaluation, "score"), number(evaluation, "standard_error"));
  const std::string range = interval(evaluation);
  const std::string seconds = duration_text(number(evaluation, "seconds").value_or(-1));
  std::string out = "suite " + text(evaluation, "suite") + ": " + total +
                    (range.empty() ? "" : ", 95 % " + range) + "  (" + text(evaluation, "items") +
                    " items, " + seconds + ", " + text(evaluation, "engine") + ", " +
                    text(evaluation, "dtype") + ")\n";
  out += columns_text(evaluation) + table.text() + tokens_line(evaluation);
  for (const Json& flag : member(evaluation, "flags")) out += "DOUBTFUL  " + text(flag) + "\n";
  const std::string file = text(evaluation, "results_file");
  if (!file.empty()) out += "written: " + file + "\n";
  return out;
}

std::string comparison_view(const Json& comparison) {
  const Json& a = member(comparison, "a");
  const Json& b = member(comparison, "b");
  const std::string suite = text(comparison, "suite");
  std::string out = text(a, "name") + " (A) against " + text(b, "name") + " (B)" +
                    (suite.empty() ? "" : ", suite " + suite) + "\n";
  Table table({{"TASK"},
               {"METRIC"},
               {"A", Align::kRight},
               {"B", Align::kRight},
               {"A - B", Align::kRight},
               {"95 %"},
               {"P", Align::kRight},
               {"A BETTER/B BETTER/TIES"}});
  const Json& tasks = member(comparison, "tasks");
  const Json& overall = member(comparison, "overall");
  for (const Json& task : tasks) add_comparison(table, task);
  if (overall.is_object() && tasks.size() > 1) add_comparison(table, overall);
  out += table.text() + "\n";
  if (overall.is_object()) {
    out += text(overall, "verdict") + "\n";
  } else {
    for (const Json& task : tasks) out += text(task, "task") + ": " + text(task, "verdict") + "\n";
  }
  for (const Json& note : member(comparison, "notes")) out += "note: " + text(note) + "\n";
  return out;
}

}  // namespace crucible::server::cli
