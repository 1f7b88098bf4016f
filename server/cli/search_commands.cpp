#include "server/cli/search_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "merger/base/io.hpp"
#include "merger/recipe/text.hpp"
#include "server/cli/client_commands.hpp"
#include "server/cli/json_fields.hpp"
#include "server/cli/optuna_study.hpp"
#include "server/cli/table.hpp"
#include "server/cli/watch.hpp"
#include "server/search/summary.hpp"

namespace crucible::server::cli {
namespace {

constexpr const char* kPageOfTrials = "10000";

std::string sweep_path(std::int64_t id, const std::string& rest = "") {
  return "/sweeps/" + std::to_string(id) + rest;
}

int show(const Result<Json>& sweep, const CommonOptions& common) {
  if (!sweep) return report(sweep.error(), common);
  if (common.json) {
    print_json(*sweep);
  } else {
    print(search_view(*sweep));
  }
  return kSuccess;
}

Result<Json> all_trials(const ApiClient& api, std::int64_t id) {
  Json trials = Json::array();
  std::string cursor;
  do {
    auto page = api.get(sweep_path(id, std::string("/trials?limit=") + kPageOfTrials +
                                           (cursor.empty() ? "" : "&cursor=" + cursor)));
    if (!page) return page;
    for (Json& trial : (*page)["items"]) trials.push_back(std::move(trial));
    cursor = text(*page, "next_cursor");
  } while (!cursor.empty());
  return trials;
}

std::string number_text(const Json& value) {
  return value.is_number() ? fmt::format("{:.4f}", value.get<double>()) : std::string("-");
}

// RFC 4180: a field with a comma, quote or line end stands in quotes.
std::string csv_field(const std::string& value) {
  if (value.find_first_of(",\"\r\n") == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string plain(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string trials_csv(const Json& trials) {
  std::set<std::string> names;
  for (const Json& trial : trials) {
    for (const auto& [name, value] : trial["values"].items()) names.insert(name);
  }
  std::string out = "name,trial,standing,seen,estimate,suites";
  for (const std::string& name : names) out += "," + csv_field(name);
  out += ",failure\r\n";
  for (const Json& trial : trials) {
    for (const char* key : {"name", "trial", "standing", "seen", "estimate", "suites"}) {
      out += (std::string(key) == "name" ? "" : ",") + csv_field(plain(trial[key]));
    }
    for (const std::string& name : names) {
      out += "," + csv_field(trial["values"].contains(name) ? plain(trial["values"][name]) : "");
    }
    out += "," + csv_field(plain(trial["failure"])) + "\r\n";
  }
  return out;
}

std::string trials_table(const Json& trials) {
  Table table(
      {{"TRIAL"}, {"STANDING"}, {"ITEMS", Align::kRight}, {"ESTIMATE", Align::kRight}, {"VALUES"}});
  for (const Json& trial : trials) {
    table.add({text(trial, "name"), text(trial, "standing"), text(trial, "seen"),
               number_text(member(trial, "estimate")), member(trial, "values").dump()});
  }
  return table.empty() ? "no trials yet\n" : table.text();
}

Result<Json> budget_of(const std::vector<std::string>& settings) {
  Json budget = Json::object();
  for (const std::string& setting : settings) {
    const std::size_t sign = setting.find('=');
    const auto value =
        recipe::parse_number(sign == std::string::npos ? "" : setting.substr(sign + 1));
    if (!value || *value < 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "`" + setting + "` must be NAME=NUMBER, such as items=20000");
    }
    const std::string name = setting.substr(0, sign);
    if (name == "minutes") {
      budget[name] = *value;
    } else {
      budget[name] = static_cast<std::uint64_t>(*value);
    }
  }
  return budget;
}

int write_study(const ApiClient& api, const TrialsOptions& options, const Json& trials,
                const CommonOptions& common) {
  if (options.out.empty()) {
    return report(
        {ErrorCode::kInvalidArgument, "an Optuna study is a file: name it with --out", {}}, common);
  }
  const auto sweep = api.get(sweep_path(options.id));
  if (!sweep) return report(sweep.error(), common);
  const Json& document = member(member(*sweep, "search"), "document");
  if (!document.is_string()) {
    return report({ErrorCode::kConflict, "the sweep is one of fixed values, without a space", {}},
                  common);
  }
  const auto status =
      write_optuna_study(text(*sweep, "name"), document.get<std::string>(), trials, options.out);
  return status ? kSuccess : report(status.error(), common);
}

}  // namespace

int submit_search(const SubmitSearchOptions& options, const CommonOptions& common) {
  auto document = read_recipe_text(options.document);
  if (document && !options.vary.empty()) {
    document = search::document_of_vary(*document, options.vary, options.suites);
  }
  if (!document) return report(document.error(), common);
  Json body{{"document", *document}, {"priority", options.priority}};
  if (!options.name.empty()) body["name"] = options.name;
  auto sweep = connect(common).and_then(
      [&](const ApiClient& api) { return api.post("/searches", body, options.idempotency_key); });
  if (!sweep || !options.watch) return show(sweep, common);
  CommonOptions quiet = common;
  quiet.json = false;
  const int code = watch_jobs({(*sweep)["search"]["job_id"].get<std::int64_t>()}, quiet);
  const int shown = show_sweep(sweep->value("id", std::int64_t{0}), common);
  return code != kSuccess ? code : shown;
}

int pause_sweep(std::int64_t id, const CommonOptions& common) {
  return show(connect(common).and_then([&](const ApiClient& api) {
    return api.post(sweep_path(id, "/pause"), nullptr);
  }),
              common);
}

int resume_sweep(const ResumeOptions& options, const CommonOptions& common) {
  const auto budget = budget_of(options.budget);
  if (!budget) return report(budget.error(), common);
  return show(connect(common).and_then([&](const ApiClient& api) {
    return api.post(sweep_path(options.id, "/resume"), Json{{"budget", *budget}});
  }),
              common);
}

int fork_sweep(const ForkOptions& options, const CommonOptions& common) {
  return show(connect(common).and_then([&](const ApiClient& api) {
    return api.post(sweep_path(options.id, "/fork"), Json{{"trial", options.trial}});
  }),
              common);
}

int list_trials(const TrialsOptions& options, const CommonOptions& common) {
  auto client = connect(common);
  if (!client) return report(client.error(), common);
  auto trials = all_trials(*client, options.id);
  if (!trials) return report(trials.error(), common);
  if (options.format == "optuna") return write_study(*client, options, *trials, common);
  std::string out = trials->dump(1) + "\n";
  if (options.format == "csv") out = trials_csv(*trials);
  if (options.format == "table" && !common.json) out = trials_table(*trials);
  if (options.out.empty()) {
    print(out);
    return kSuccess;
  }
  if (auto status = io::replace_file(options.out, out); !status) {
    return report(status.error(), common);
  }
  return kSuccess;
}

std::string search_view(const Json& sweep) {
  const Json& found = member(sweep, "search");
  std::string out = fmt::format(
      "sweep     {}  {}\nstate     {}\njob       {}\ntrials    {}, {} in the race\nanswers   {}\n",
      text(sweep, "id"), text(sweep, "name"), text(sweep, "state"), text(found, "job_id"),
      text(found, "trials"), text(found, "racing"), text(found, "evaluations"));
  if (const Json& left = member(found, "eta_seconds"); left.is_number()) {
    out +=
        fmt::format("left      about {:.0f} s, less if the race ends sooner\n", left.get<double>());
  }
  if (const Json& best = member(found, "best"); !best.is_null()) {
    out += fmt::format("leads     {}: {} on {} tune items, {}\n", text(best, "name"),
                       number_text(member(best, "estimate")), text(best, "seen"),
                       member(best, "values").dump());
  }
  const Json& result = member(found, "result");
  if (!result.is_null()) out += "\n" + search::summary(nlohmann::json::parse(result.dump()));
  return out;
}

}  // namespace crucible::server::cli
