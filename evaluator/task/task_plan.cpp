#include "evaluator/task/task_plan.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/task/yaml_value.hpp"
#include "evaluator/template/template.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

constexpr std::size_t kDepthLimit = 32;
constexpr std::size_t kTaskLimit = 20'000;

const std::set<std::string_view>& group_keys() {
  static const std::set<std::string_view> kKeys = {"group", "group_alias", "task",
                                                   "aggregate_metric_list", "metadata"};
  return kKeys;
}

Json over(const Json& base, const Json& top) {
  Json merged = base;
  for (const auto& [key, value] : top.items()) merged[key] = value;
  return merged;
}

class Planner {
 public:
  Planner(const TaskFiles& files, TaskPlan& plan, std::vector<Fault>& faults)
      : files_(files), plan_(plan), faults_(faults) {}

  // Adds what a name stands for; returns the names of the tasks below it.
  std::vector<std::string> add(const std::string& name, const Json& overrides,
                               const std::string& asked_by, std::vector<std::string>* members) {
    const auto found = files_.entries().find(name);
    if (found == files_.entries().end()) {
      unknown(name, asked_by);
      return {};
    }
    const TaskEntry& entry = found->second;
    if (entry.fault) {
      add_error(*entry.fault);
      return {};
    }
    if (entry.kind == TaskEntry::Kind::kTag) {
      std::vector<std::string> tasks;
      for (const std::string& member : entry.members) {
        const auto below = add(member, overrides, asked_by, members);
        tasks.insert(tasks.end(), below.begin(), below.end());
      }
      return tasks;
    }
    auto merged = files_.load(entry);
    if (!merged) {
      add_error(merged.error());
      return {};
    }
    if (members != nullptr && entry.kind == TaskEntry::Kind::kGroup) members->push_back(name);
    return entry.kind == TaskEntry::Kind::kGroup ? add_group(name, *merged, overrides)
                                                 : add_task(std::move(*merged), overrides, members);
  }

 private:
  void unknown(const std::string& name, const std::string& asked_by) {
    std::vector<std::string_view> known;
    for (const auto& [other, entry] : files_.entries()) known.push_back(other);
    faults_.push_back({asked_by.empty() ? name : asked_by,
                       "there is no task, group or tag `" + recipe::printable(name) + "`",
                       recipe::did_you_mean(name, known)});
  }

  void add_error(const Error& error) {
    if (error.faults.empty()) {
      faults_.push_back({"", error.message, {}});
    } else {
      faults_.insert(faults_.end(), error.faults.begin(), error.faults.end());
    }
  }

  std::vector<std::string> add_task(MergedConfig merged, const Json& overrides,
                                    std::vector<std::string>* members) {
    for (const auto& [key, value] : overrides.items()) {
      merged.values[key] = value;
      merged.origins[key] = merged.place + " (as overridden)";
    }
    merged.values.erase("group");
    const auto name_value = merged.values.find("task");
    const std::string name = name_value != merged.values.end() && name_value->is_string()
                                 ? name_value->get<std::string>()
                                 : std::string();
    if (members != nullptr) members->push_back(name);
    const auto [same, added] = places_.try_emplace(name, plan_.tasks.size());
    if (!added) {
      if (same->second < plan_.tasks.size() && plan_.tasks[same->second].values != merged.values)
        faults_.push_back({merged.place + ": task",
                           "`" + name + "` is asked for twice with different settings",
                           "give one of the two another name"});
      return {name};
    }
    if (plan_.tasks.size() < kTaskLimit) plan_.tasks.push_back(std::move(merged));
    return {name};
  }

  std::vector<std::string> add_group(const std::string& name, const MergedConfig& config,
                                     const Json& overrides) {
    const bool again = std::any_of(plan_.groups.begin(), plan_.groups.end(),
                                   [&](const auto& group) { return group.group.name == name; });
    if (std::find(open_.begin(), open_.end(), name) != open_.end() || open_.size() >= kDepthLimit) {
      faults_.push_back({config.place, "the group `" + name + "` holds itself", {}});
      return {};
    }
    open_.push_back(name);
    const std::size_t place = plan_.groups.size();
    if (!again) plan_.groups.push_back(read_group(name, config));
    Json settings = Json::object();  // for the members: all that is not the group's own
    for (const auto& [key, value] : config.values.items()) {
      if (!group_keys().contains(key) && key != "tag") settings[key] = value;
    }
    settings = over(settings, overrides);
    std::vector<std::string> members;
    std::vector<std::string> tasks = add_members(name, config, settings, members);
    if (!again) {
      plan_.groups[place].group.members = std::move(members);
      plan_.groups[place].tasks = tasks;
    }
    open_.pop_back();
    return tasks;
  }

  std::vector<std::string> add_members(const std::string& group, const MergedConfig& config,
                                       const Json& settings, std::vector<std::string>& members) {
    const auto list = config.values.find("task");
    Json entries = list == config.values.end() ? Json::array() : *list;
    if (entries.is_string()) entries = Json::array({entries});
    if (!entries.is_array()) {
      faults_.push_back({config.place + ": task", "is not a list of tasks", {}});
      return {};
    }
    std::vector<std::string> tasks;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::string path = config.place + ": " + child_path("task", i);
      const auto below = add_member(group, config, entries[i], settings, path, members);
      tasks.insert(tasks.end(), below.begin(), below.end());
    }
    return tasks;
  }

  std::vector<std::string> add_member(const std::string& group, const MergedConfig& config,
                                      const Json& entry, const Json& settings,
                                      const std::string& path, std::vector<std::string>& members) {
    if (entry.is_string()) return add(entry.get<std::string>(), settings, path, &members);
    const char* kind = entry.is_object() && entry.contains("group") ? "group" : "task";
    if (!entry.is_object() || !entry.contains(kind) || !entry[kind].is_string()) {
      faults_.push_back({path, "is neither a name nor a mapping with `task` or `group`", {}});
      return {};
    }
    const std::string name = entry[kind].get<std::string>();
    Json own = entry;
    own.erase(kind);
    if (files_.entries().contains(name)) return add(name, over(settings, own), path, &members);
    MergedConfig inline_config = config;
    inline_config.origins.clear();
    inline_config.place = path;
    const std::string full = group + "::" + name;
    if (std::string_view(kind) == "group") {
      inline_config.values = entry;
      members.push_back(full);
      return add_group(full, inline_config, settings);
    }
    if (!own.contains("dataset_path") && !settings.contains("dataset_path")) {
      unknown(name, path);
      return {};
    }
    inline_config.values = over(settings, own);
    inline_config.values["task"] = full;
    return add_task(std::move(inline_config), Json::object(), &members);
  }

  PlannedGroup read_group(const std::string& name, const MergedConfig& config) {
    PlannedGroup planned;
    planned.group.name = name;
    const auto alias = config.values.find("group_alias");
    planned.group.alias =
        alias != config.values.end() && alias->is_string() ? alias->get<std::string>() : name;
    planned.group.version = "N/A";
    const auto metadata = config.values.find("metadata");
    if (metadata != config.values.end() && metadata->is_object() && metadata->contains("version"))
      planned.group.version = templating::python_str((*metadata)["version"]);
    const auto metrics = config.values.find("aggregate_metric_list");
    if (metrics == config.values.end() || metrics->is_null()) return planned;
    const Json list = metrics->is_array() ? *metrics : Json::array({*metrics});
    for (std::size_t i = 0; i < list.size(); ++i) {
      read_group_metric(list[i], config.place + ": " + child_path("aggregate_metric_list", i),
                        planned);
    }
    return planned;
  }

  void read_group_metric(const Json& entry, const std::string& path, PlannedGroup& planned) {
    const auto complain = [&](const char* key, const char* message) {
      faults_.push_back({path + "." + key, message, {}});
    };
    for (const char* key : {"metric", "aggregation"}) {
      if (!entry.is_object() || !entry.contains(key)) continue;
      const std::string* function = function_name(entry[key]);
      if (function == nullptr) continue;
      faults_.push_back({path + "." + key, no_counterpart(*function), {}});
      return;
    }
    if (!entry.is_object() || !entry.contains("metric") || !entry["metric"].is_string()) {
      complain("metric", "is missing");
      return;
    }
    GroupMetric metric;
    bool discovers = true;
    metric.metric = entry["metric"].get<std::string>();
    for (const auto& [key, value] : entry.items()) {
      if (key == "aggregation") {
        if (value != "mean")
          complain("aggregation", "is not `mean`, which alone exists for groups");
      } else if (key == "weight_by_size") {
        if (!value.is_boolean()) complain("weight_by_size", "is not true or false");
        if (value.is_boolean()) metric.weight_by_size = value.get<bool>();
      } else if (key == "filter_list") {
        discovers = value.is_null();
        metric.filters.clear();
        const Json list = value.is_array() ? value : Json::array({value});
        for (const Json& filter : list) {
          if (filter.is_string()) metric.filters.push_back(filter.get<std::string>());
        }
      } else if (key != "metric" && key != "higher_is_better") {
        complain(key.c_str(), "is not a known key");
      }
    }
    planned.group.metrics.push_back(std::move(metric));
    planned.discovers_filters.push_back(discovers);
  }

  const TaskFiles& files_;
  TaskPlan& plan_;
  std::vector<Fault>& faults_;
  std::vector<std::string> open_;              // groups being read
  std::map<std::string, std::size_t> places_;  // of tasks in the plan
};

}  // namespace

TaskPlan plan_tasks(const TaskFiles& files, const std::vector<std::string>& names,
                    const Json& overrides, std::vector<Fault>& faults) {
  TaskPlan plan;
  Planner planner(files, plan, faults);
  for (const std::string& name : names) planner.add(name, overrides, {}, nullptr);
  return plan;
}

}  // namespace crucible::task
