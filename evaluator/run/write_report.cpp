#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <set>
#include <utility>

#include "evaluator/run/report_files.hpp"
#include "merger/base/io.hpp"

namespace crucible::run {
namespace {

using task::Json;

Json number_or_na(double value) { return std::isfinite(value) ? Json(value) : Json("N/A"); }
Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

// "2026-01-31T09-05-59.123456": datetime.now().isoformat() with - for :.
std::string time_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() %
      1'000'000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H-%M-%S", &parts);
  const std::string fraction = std::to_string(micros);
  return std::string(text.data(), size) + "." + std::string(6 - fraction.size(), '0') + fraction;
}

Json interval_json(const Score& score) {
  return {{"low", number_or_null(score.low)},
          {"high", number_or_null(score.high)},
          {"kind", score.interval}};
}

void add_metrics(Json& metrics, Json& intervals, const std::vector<MetricResult>& results) {
  for (const MetricResult& result : results) {
    const std::string filter = "," + result.filter;
    metrics[result.metric + filter] = number_or_na(result.score.value);
    metrics[result.metric + "_stderr" + filter] = number_or_na(result.score.stderr_);
    intervals[result.metric + filter] = interval_json(result.score);
  }
}

// The task's own configuration, else what is known of it.
Json config_json(const task::Task& task) {
  static constexpr std::array kTypes = {"multiple_choice", "loglikelihood", "loglikelihood_rolling",
                                        "generate_until", "conversation"};
  if (task.config.is_object() && !task.config.empty()) return task.config;
  Json metrics = Json::array();
  for (const task::MetricSetting& metric : task.metrics) {
    metrics.push_back({{"metric", metric.metric},
                       {"aggregation", metric.aggregation},
                       {"higher_is_better", metric.higher_is_better}});
  }
  return {{"task", task.name},
          {"output_type", kTypes[static_cast<std::size_t>(task.output_type)]},
          {"num_fewshot", task.num_fewshot},
          {"metric_list", std::move(metrics)},
          {"repeats", task.repeats},
          {"metadata", {{"version", task.version}}}};
}

Json higher_is_better_json(const std::vector<MetricResult>& results) {
  Json json = Json::object();
  for (const MetricResult& result : results) json[result.metric] = result.higher_is_better;
  return json;
}

// As the task file has it: mostly a number.
Json version_json(const task::Task& task) {
  const auto metadata = task.config.find("metadata");
  if (metadata != task.config.end() && metadata->is_object() && metadata->contains("version")) {
    return metadata->at("version");
  }
  return task.version;
}

void add_task(Json& json, Json& intervals, const task::Task& task, const TaskResult& result) {
  const std::string& name = result.task;
  const std::size_t items = result.samples.size();
  Json metrics{
      {"name", name}, {"alias", task.alias.empty() ? name : task.alias}, {"sample_len", items}};
  intervals[name] = Json::object();
  add_metrics(metrics, intervals[name], result.metrics);
  json["results"][name] = std::move(metrics);
  json["configs"][name] = config_json(task);
  json["versions"][name] = version_json(task);
  json["n-shot"][name] = task.num_fewshot;
  json["higher_is_better"][name] = higher_is_better_json(result.metrics);
  json["n-samples"][name] = {{"original", std::max(task.original_items, items)},
                             {"effective", items}};
}

// Shots of all direct members, where they are the same.
void propagate_shots(Json& json, const task::Group& group) {
  std::set<std::uint64_t> shots;
  for (const std::string& member : group.members) {
    if (json["n-shot"].contains(member)) shots.insert(json["n-shot"][member].get<std::uint64_t>());
  }
  if (shots.size() == 1) json["n-shot"][group.name] = *shots.begin();
}

// Of all direct members' metrics; null where they differ.
void propagate_directions(Json& json, const task::Group& group) {
  Json directions = Json::object();
  for (const std::string& member : group.members) {
    if (!json["higher_is_better"].contains(member)) continue;
    for (const auto& [metric, higher] : json["higher_is_better"][member].items()) {
      if (!directions.contains(metric)) {
        directions[metric] = higher;
      } else if (directions[metric] != higher) {
        directions[metric] = nullptr;
      }
    }
  }
  if (!directions.empty()) json["higher_is_better"][group.name] = std::move(directions);
}

void add_group(Json& json, Json& intervals, const task::Group& group, const GroupResult& result) {
  Json metrics{{"alias", group.alias.empty() ? group.name : group.alias}, {"name", group.name}};
  if (!result.metrics.empty()) metrics["sample_len"] = result.items;
  intervals[group.name] = Json::object();
  add_metrics(metrics, intervals[group.name], result.metrics);
  if (!result.metrics.empty()) {
    Json counts = Json::object();
    for (const auto& own : result.metrics) counts[own.metric + "," + own.filter] = result.items;
    metrics["sample_count"] = std::move(counts);
    json["groups"][group.name] = metrics;
  }
  json["results"][group.name] = std::move(metrics);
  json["group_subtasks"][group.name] = group.members;
  json["versions"][group.name] = group.version.empty() ? Json("N/A") : Json(group.version);
  propagate_shots(json, group);
  propagate_directions(json, group);
}

Json config_json(const EvaluationReport& report, const RunDescription& description) {
  return {{"model", "crucible"},
          {"model_args", "pretrained=" + description.model_name + ",dtype=" + report.model.dtype},
          {"model_dtype", report.model.dtype},
          {"model_sha", description.model_digest},
          {"engine", report.model.engine},
          {"architecture", report.model.architecture},
          {"add_bos_token", report.model.adds_bos},
          {"batch_size", "auto"},
          {"batch_sizes", Json::array()},
          {"device", "cpu"},
          {"use_cache", nullptr},
          {"limit", description.limit ? Json(*description.limit) : Json(nullptr)},
          {"bootstrap_iters", 100'000},
          {"gen_kwargs", Json::object()},
          {"random_seed", 0},
          {"numpy_seed", 1234},
          {"torch_seed", 1234},
          {"fewshot_seed", description.fewshot_seed}};
}

Json hash_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(sha256(std::string_view(text)).hex());
}

void add_identity(Json& json, const EvaluationReport& report, const RunDescription& description) {
  const std::string chat = description.chat_template.value_or("");
  json["max_length"] = report.model.context_length;
  json["model_source"] = "crucible";
  json["model_name"] = description.model_name;
  json["model_name_sanitized"] = sanitized_model_name(description.model_name);
  json["system_instruction"] =
      description.system_instruction.empty() ? Json(nullptr) : Json(description.system_instruction);
  json["system_instruction_sha"] = hash_or_null(description.system_instruction);
  json["fewshot_as_multiturn"] = description.fewshot_as_multiturn;
  json["chat_template"] = description.chat_template ? Json(chat) : Json(nullptr);
  json["chat_template_sha"] = hash_or_null(chat);
}

Json score_json(const ScoreResult& result) {
  Json json{{"name", result.name},
            {"value", number_or_null(result.score.value)},
            {"stderr", number_or_null(result.score.stderr_)},
            {"interval", interval_json(result.score)},
            {"items", result.items}};
  if (result.of.empty()) return json;
  json["of"] = Json::array();
  for (const ScoreResult& inner : result.of) json["of"].push_back(score_json(inner));
  return json;
}

// What the harness has no place for.
Json own_json(const EvaluationReport& report, const task::Suite& suite, Json intervals) {
  Json tasks = Json::object();
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    const TaskResult& result = report.tasks[i];
    tasks[result.task] = {{"primary_metric", suite.tasks[i].primary_metric},
                          {"primary_filter", suite.tasks[i].primary_filter},
                          {"sha256", suite.tasks[i].digest.hex()},
                          {"truncated_items", result.truncated_items},
                          {"unreadable_items", result.unreadable_items},
                          {"empty_items", result.empty_items},
                          {"level_items", result.level_items},
                          {"encoded_apart_items", result.apart_items}};
  }
  return {{"suite", report.suite},
          {"suite_sha256", report.suite_digest.hex()},
          {"score", score_json(report.score)},
          {"items", report.items},
          {"intervals", std::move(intervals)},
          {"tasks", std::move(tasks)},
          {"flags", report.flags},
          {"prompt_tokens",
           {{"asked", report.account.prompt_tokens_asked},
            {"computed", report.account.prompt_tokens_computed}}},
          {"tokens_generated", report.account.tokens_generated}};
}

Status check_same_suite(const EvaluationReport& report, const task::Suite& suite) {
  bool same = report.suite_digest == suite.digest && report.tasks.size() == suite.tasks.size();
  for (std::size_t i = 0; same && i < report.tasks.size(); ++i) {
    same = report.tasks[i].samples.size() == suite.tasks[i].items.size();
  }
  if (same) return {};
  return fail(ErrorCode::kInvalidArgument,
              "the report of suite " + report.suite + " does not belong to the suite handed over");
}

}  // namespace

std::string sanitized_model_name(std::string_view name) {
  constexpr std::string_view kDisliked = "\"<>:/|\\?*[]";
  std::string out;
  bool in_run = false;
  for (const char c : name) {
    const bool disliked = kDisliked.find(c) != std::string_view::npos;
    if (!disliked) {
      out += c;
    } else if (!in_run) {
      out += "__";
    }
    in_run = disliked;
  }
  return out;
}

Json results_json(const EvaluationReport& report, const task::Suite& suite,
                  const RunDescription& description, Json task_hashes) {
  Json json;
  for (const char* key : {"results", "groups", "group_subtasks", "configs", "versions", "n-shot",
                          "higher_is_better", "n-samples"}) {
    json[key] = Json::object();
  }
  Json intervals = Json::object();
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    add_task(json, intervals, suite.tasks[i], report.tasks[i]);
  }
  for (std::size_t i = report.groups.size(); i-- > 0;) {  // inner groups before outer ones
    add_group(json, intervals, suite.groups[i], report.groups[i]);
  }
  if (json["groups"].empty()) json.erase("groups");
  json["config"] = config_json(report, description);
  json["git_hash"] = nullptr;
  json["date"] = report.started;
  json["task_hashes"] = std::move(task_hashes);
  add_identity(json, report, description);
  json["total_evaluation_time_seconds"] = std::to_string(report.seconds);
  json["crucible"] = own_json(report, suite, std::move(intervals));
  return json;
}

Result<std::filesystem::path> write_report(const EvaluationReport& report, const task::Suite& suite,
                                           const RunDescription& description,
                                           const std::filesystem::path& folder) {
  if (auto same = check_same_suite(report, suite); !same) return fail(std::move(same.error()));
  const auto target = folder / sanitized_model_name(description.model_name);
  if (auto made = io::make_folders(target); !made) return fail(std::move(made.error()));
  const std::string time = time_text();
  Json task_hashes = Json::object();
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    const std::string& name = report.tasks[i].task;
    const auto path = target / ("samples_" + sanitized_model_name(name) + "_" + time + ".jsonl");
    auto hash = write_samples(suite.tasks[i], report.tasks[i], path);
    if (!hash) return fail(std::move(hash.error()));
    task_hashes[name] = hash->hex();
  }
  const Json results = results_json(report, suite, description, std::move(task_hashes));
  const auto path = target / ("results_" + time + ".json");
  const std::string text = results.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  if (auto written = io::replace_file(path, text); !written)
    return fail(std::move(written.error()));
  return path;
}

}  // namespace crucible::run
