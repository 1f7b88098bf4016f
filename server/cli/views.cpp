#include "server/cli/views.hpp"

#include <algorithm>

#include "merger/base/byte_count.hpp"
#include "merger/base/progress.hpp"
#include "merger/recipe/text.hpp"
#include "server/cli/json_fields.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/table.hpp"

namespace crucible::server::cli {
namespace {

std::uint64_t natural(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  return value.is_number_integer() ? value.get<std::uint64_t>() : 0;
}

std::string score(const Json& object) {
  return score_text(number(object, "value"), number(object, "standard_error"));
}

std::string joined(const Json& list, const std::string& key = {}) {
  std::string out;
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    out += (out.empty() ? "" : ", ") + (key.empty() ? text(item) : text(item, key));
  }
  return out;
}

// "2026-01-02 03:04:05" of an RFC 3339 time.
std::string time(const Json& object, const std::string& key) {
  std::string out = text(object, key);
  if (out.size() >= 19) out = out.substr(0, 10) + " " + out.substr(11, 8);
  return out;
}

std::string progress_cell(const Json& job) {
  const Progress progress = progress_of(job);
  if (text(job, "state") == "succeeded") return "100 %";
  if (progress.total == 0) return "";
  const double share =
      100.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total);
  return progress.stage + " " + std::to_string(static_cast<int>(std::min(share, 100.0))) + " %";
}

// "name  value" lines with the values aligned; empty values are left out.
std::string fields(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t width = 0;
  for (const auto& [name, value] : rows) width = std::max(width, name.size());
  std::string out;
  for (const auto& [name, value] : rows) {
    if (value.empty()) continue;
    out += name + std::string(width - name.size() + 2, ' ') + value + "\n";
  }
  return out;
}

std::string faults(const Json& list) {
  std::string out;
  if (!list.is_array()) return out;
  for (const Json& fault : list) {
    const std::string path = text(fault, "path");
    const std::string suggestion = text(fault, "suggestion");
    out += "  " + (path.empty() ? "" : path + ": ") + text(fault, "message") +
           (suggestion.empty() ? "" : " (" + suggestion + ")") + "\n";
  }
  return out;
}

std::vector<std::string> suite_names(const Json& list) {
  std::vector<std::string> names;
  if (!list.is_array()) return names;
  for (const Json& name : list) names.push_back(text(name));
  return names;
}

}  // namespace

Progress progress_of(const Json& object) {
  const Json& progress = member(object, "progress");
  return {text(progress, "stage"), natural(progress, "done"), natural(progress, "total"),
          text(progress, "unit")};
}

std::string event_note(const Json& event) {
  const std::string message = text(event, "message");
  return text(event, "state") + (message.empty() ? "" : ": " + message);
}

std::string jobs_view(const Json& items) {
  Table table({{"ID", Align::kRight},
               {"KIND"},
               {"STATE"},
               {"NAME"},
               {"PROGRESS"},
               {"SUITES"},
               {"UPDATED (UTC)"}});
  for (const Json& job : items) {
    table.add({text(job, "id"), text(job, "kind"), text(job, "state"), text(job, "name"),
               progress_cell(job), joined(member(job, "suites")), time(job, "updated_at")});
  }
  return table.empty() ? "no jobs\n" : table.text();
}

std::string job_view(const Json& job) {
  const Json& error = member(job, "error");
  const Progress progress = progress_of(job);
  std::string out = fields({{"job", text(job, "id") + "  " + text(job, "name")},
                            {"kind", text(job, "kind")},
                            {"state", text(job, "state")},
                            {"attempt", text(job, "attempt") + " of " + text(job, "max_attempts")},
                            {"progress", progress.stage.empty() ? "" : progress_text(progress)},
                            {"method", text(job, "merge_method")},
                            {"suites", joined(member(job, "suites"))},
                            {"model", text(job, "model_id")},
                            {"children", joined(member(job, "children"))},
                            {"sweep", text(job, "sweep_id")},
                            {"created", time(job, "created_at")},
                            {"started", time(job, "started_at")},
                            {"finished", time(job, "finished_at")},
                            {"next try", time(job, "not_before")},
                            {"error", text(error, "message")}});
  return out + faults(member(error, "errors"));
}

std::string models_view(const Json& items) {
  Table table({{"ID", Align::kRight},
               {"NAME"},
               {"ORIGIN"},
               {"METHOD"},
               {"ARCHITECTURE"},
               {"DTYPE"},
               {"PARAMETERS", Align::kRight},
               {"SIZE", Align::kRight}});
  for (const Json& model : items) {
    table.add({text(model, "id"), text(model, "name"), text(model, "origin"),
               text(model, "merge_method"), text(model, "architecture"), text(model, "dtype"),
               parameter_text(natural(model, "parameters")),
               format_byte_count(natural(model, "weight_bytes"))});
  }
  return table.empty() ? "no models\n" : table.text();
}

std::string model_view(const Json& model) {
  return fields({{"model", text(model, "id") + "  " + text(model, "name")},
                 {"origin", text(model, "origin")},
                 {"method", text(model, "merge_method")},
                 {"architecture", text(model, "architecture")},
                 {"dtype", text(model, "dtype")},
                 {"parameters", parameter_text(natural(model, "parameters"))},
                 {"size", format_byte_count(natural(model, "weight_bytes"))},
                 {"path", text(model, "path")},
                 {"digest", text(model, "digest")},
                 {"job", text(model, "job_id")},
                 {"parents", joined(member(model, "parents"), "name")},
                 {"children", joined(member(model, "children"), "name")},
                 {"created", time(model, "created_at")}});
}

std::string suites_view(const Json& items) {
  Table table({{"NAME"}, {"ITEMS", Align::kRight}, {"TASKS"}, {"DESCRIPTION"}});
  for (const Json& suite : items) {
    const std::string error = text(suite, "error");
    table.add({text(suite, "name"), error.empty() ? text(suite, "items") : "-",
               joined(member(suite, "tasks")),
               error.empty() ? text(suite, "description") : "unusable: " + error});
  }
  return table.empty() ? "no suites\n" : table.text();
}

std::string leaderboard_view(const Json& board) {
  const auto suites = suite_names(member(board, "suites"));
  std::vector<Table::Column> columns{
      {"RANK", Align::kRight}, {"MODEL"}, {"METHOD"}, {"MEAN", Align::kRight}};
  for (const std::string& suite : suites) columns.push_back({suite, Align::kRight});
  Table table(columns);
  for (const Json& row : member(board, "rows")) {
    const std::string method = text(row, "merge_method");
    std::vector<std::string> cells{text(row, "rank"), text(member(row, "model"), "name"),
                                   method.empty() ? text(row, "origin") : method,
                                   score(member(row, "mean"))};
    for (const std::string& suite : suites) {
      cells.push_back(score(member(member(row, "scores"), suite)));
    }
    table.add(std::move(cells));
  }
  return table.empty() ? "no scores yet\n" : table.text();
}

std::string sweeps_view(const Json& items) {
  Table table({{"ID", Align::kRight},
               {"NAME"},
               {"STATE"},
               {"PARAMETER"},
               {"TRIALS", Align::kRight},
               {"CREATED (UTC)"}});
  for (const Json& sweep : items) {
    table.add({text(sweep, "id"), text(sweep, "name"), text(sweep, "state"),
               text(sweep, "parameter"), std::to_string(member(sweep, "trials").size()),
               time(sweep, "created_at")});
  }
  return table.empty() ? "no sweeps\n" : table.text();
}

std::string sweep_view(const Json& sweep) {
  const auto suites = suite_names(member(sweep, "suites"));
  std::vector<Table::Column> columns{{""},
                                     {text(sweep, "parameter"), Align::kRight},
                                     {"JOB", Align::kRight},
                                     {"STATE"},
                                     {"MEAN", Align::kRight}};
  for (const std::string& suite : suites) columns.push_back({suite, Align::kRight});
  Table table(columns);
  const Json& best = member(sweep, "best_trial");
  std::size_t index = 0;
  for (const Json& trial : member(sweep, "trials")) {
    const bool is_best = best.is_number_integer() && best.get<std::size_t>() == index++;
    std::vector<std::string> cells{is_best ? "*" : "", text(trial, "value"), text(trial, "job_id"),
                                   text(trial, "state"), score(member(trial, "mean"))};
    for (const std::string& suite : suites) {
      cells.push_back(score(member(member(trial, "scores"), suite)));
    }
    table.add(std::move(cells));
  }
  return fields({{"sweep", text(sweep, "id") + "  " + text(sweep, "name")},
                 {"state", text(sweep, "state")}}) +
         table.text() + (best.is_null() ? "" : "* highest mean so far\n");
}

std::string preflight_view(const Json& preflight) {
  std::string out =
      fields({{"architecture", text(preflight, "architecture") + ", " + text(preflight, "layers") +
                                   " layers, " + text(preflight, "tensors") + " tensors"},
              {"parameters", parameter_text(natural(preflight, "parameters"))},
              {"dtype", text(preflight, "dtype")},
              {"reads", format_byte_count(natural(preflight, "input_bytes"))},
              {"writes", format_byte_count(natural(preflight, "output_bytes")) + " (" +
                             format_byte_count(natural(preflight, "free_disk_bytes")) + " free)"},
              {"memory", format_byte_count(natural(preflight, "memory_bytes"))}});
  const Json& warnings = member(preflight, "warnings");
  if (!warnings.empty()) out += "warnings\n" + faults(warnings);
  return out + "the recipe can run\n";
}

}  // namespace crucible::server::cli
