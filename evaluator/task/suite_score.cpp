#include "evaluator/task/suite_score.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "evaluator/task/suite_mapping.hpp"
#include "evaluator/task/yaml_value.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

constexpr int kDepthLimit = 8;
constexpr std::size_t kChildLimit = 1000;

class ScoreReader {
 public:
  ScoreReader(const Suite& suite, std::vector<Fault>& faults) : suite_(suite), faults_(faults) {}

  ScoreRule read(const YAML::Node& node, const std::string& path, int depth) {
    if (node.IsScalar()) return leaf_or_group(node.Scalar(), path);
    static const std::set<std::string> kKeys = {"name",   "task",    "group",          "metric",
                                                "filter", "of",      "weight_by_size", "baseline",
                                                "scale",  "decimals"};
    const Mapping mapping(node, path, kKeys, faults_);
    ScoreRule rule;
    if (!node.IsMap()) return rule;
    rule.name = mapping.text("name", "");
    const int kinds = mapping.has("task") + mapping.has("group") + mapping.has("of");
    if (kinds != 1) {
      mapping.add("", "needs exactly one of task, group and of");
    } else if (mapping.has("of")) {
      read_children(mapping, rule, depth);
    } else {
      const std::string key = mapping.has("task") ? "task" : "group";
      const std::string metric = mapping.text("metric", "");
      const std::string filter = mapping.text("filter", "");
      rule = entry(mapping.text(key), key == "group", metric, filter, child_path(path, key));
      if (mapping.has("name")) rule.name = mapping.text("name", "");
    }
    rule.weight_by_size = mapping.flag("weight_by_size", false);
    read_transformation(mapping, rule);
    return rule;
  }

  ScoreRule leaf(const Task& task, const std::string& metric, const std::string& filter,
                 const std::string& path) {
    ScoreRule rule;
    rule.name = task.alias.empty() ? task.name : task.alias;
    rule.task = task.name;
    rule.metric = metric.empty() ? task.primary_metric : metric;
    rule.filter = filter.empty() ? task.primary_filter : filter;
    const bool has_metric = std::ranges::any_of(
        task.metrics, [&](const MetricSetting& setting) { return setting.metric == rule.metric; });
    const bool has_filter = std::ranges::any_of(
        task.filters, [&](const FilterPipeline& pipeline) { return pipeline.name == rule.filter; });
    if (!has_metric) add(path, "task " + task.name + " has no metric '" + rule.metric + "'");
    if (!has_filter) add(path, "task " + task.name + " has no filter '" + rule.filter + "'");
    return rule;
  }

 private:
  void add(const std::string& path, std::string message) {
    faults_.push_back({path, std::move(message), {}});
  }

  ScoreRule leaf_or_group(const std::string& name, const std::string& path) {
    const bool is_group =
        std::ranges::any_of(suite_.groups, [&](const Group& group) { return group.name == name; });
    return entry(name, is_group, {}, {}, path);
  }

  // A task's leaf, or the node over a group's tasks.
  ScoreRule entry(const std::string& name, bool is_group, const std::string& metric,
                  const std::string& filter, const std::string& path) {
    if (!is_group) {
      const auto task = std::ranges::find(suite_.tasks, name, &Task::name);
      if (task != suite_.tasks.end()) return leaf(*task, metric, filter, path);
      add(path, "the suite has no task '" + name + "'");
      return {};
    }
    ScoreRule rule;
    rule.name = name;
    std::vector<std::string> members;
    if (!collect(name, members, 0)) {
      add(path, "the suite has no group '" + name + "'");
      return rule;
    }
    for (const std::string& member : members) {
      const auto task = std::ranges::find(suite_.tasks, member, &Task::name);
      rule.of.push_back(leaf(*task, metric, filter, path));
    }
    return rule;
  }

  // The tasks of a group, those of its inner groups included.
  bool collect(const std::string& name, std::vector<std::string>& members, int depth) const {
    const auto group = std::ranges::find(suite_.groups, name, &Group::name);
    if (group == suite_.groups.end() || depth > kDepthLimit) return false;
    for (const std::string& member : group->members) {
      const bool is_task =
          std::ranges::find(suite_.tasks, member, &Task::name) != suite_.tasks.end();
      if (is_task && std::ranges::find(members, member) == members.end()) {
        members.push_back(member);
      } else if (!is_task && !collect(member, members, depth + 1)) {
        return false;
      }
    }
    return true;
  }

  void read_children(const Mapping& mapping, ScoreRule& rule, int depth) {
    const YAML::Node& of = *mapping.find("of");
    if (!of.IsSequence() || of.size() == 0 || of.size() > kChildLimit || depth >= kDepthLimit) {
      mapping.add("of", "is not a list of 1 to 1000 entries, at most 8 levels deep");
      return;
    }
    for (std::size_t i = 0; i < of.size(); ++i) {
      const std::string path = child_path(mapping.path(), "of") + "[" + std::to_string(i) + "]";
      rule.of.push_back(read(of[i], path, depth + 1));
    }
  }

  static void read_transformation(const Mapping& mapping, ScoreRule& rule) {
    if (mapping.has("baseline")) rule.baseline = mapping.number("baseline");
    if (rule.baseline && (*rule.baseline < 0 || *rule.baseline >= 1)) {
      mapping.add("baseline", "is not in [0, 1)");
    }
    rule.scale = mapping.number("scale").value_or(1);
    if (const auto decimals = mapping.whole("decimals", 0, 15)) {
      rule.decimals = static_cast<int>(*decimals);
    }
  }

  const Suite& suite_;
  std::vector<Fault>& faults_;
};

void append(const ScoreRule& rule, std::string& text) {
  text += "(" + std::to_string(rule.name.size()) + ":" + rule.name;
  if (rule.is_leaf()) text += " " + rule.task + " " + rule.metric + " " + rule.filter;
  for (const ScoreRule& inner : rule.of) append(inner, text);
  if (rule.weight_by_size) text += " weighted";
  if (rule.baseline) text += " baseline " + recipe::number_text(*rule.baseline);
  text += " scale " + recipe::number_text(rule.scale);
  if (rule.decimals) text += " decimals " + std::to_string(*rule.decimals);
  text += ")";
}

}  // namespace

ScoreRule read_score(const YAML::Node* node, const Suite& suite, std::vector<Fault>& faults) {
  ScoreReader reader(suite, faults);
  ScoreRule rule;
  if (node != nullptr) {
    rule = reader.read(*node, "score", 0);
  } else {
    for (const Task& task : suite.tasks) rule.of.push_back(reader.leaf(task, {}, {}, "score"));
  }
  if (rule.name.empty()) rule.name = suite.name;
  return rule;
}

std::string canonical_text(const ScoreRule& rule) {
  std::string text;
  append(rule, text);
  return text;
}

}  // namespace crucible::task
