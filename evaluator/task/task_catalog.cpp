#include "evaluator/task/task_catalog.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "evaluator/task/task_builder.hpp"
#include "evaluator/task/task_definition.hpp"
#include "evaluator/task/task_files.hpp"
#include "evaluator/task/task_plan.hpp"

namespace crucible::task {
namespace {

constexpr std::size_t kFaultLimit = 100;  // shown; the rest is counted

std::string_view kind_name(TaskEntry::Kind kind) {
  switch (kind) {
    case TaskEntry::Kind::kTask:
      return "task";
    case TaskEntry::Kind::kGroup:
      return "group";
    case TaskEntry::Kind::kTag:
      return "tag";
  }
  return "";
}

Error faults_error(ErrorCode code, std::string_view what, std::vector<Fault> faults) {
  const std::size_t count = faults.size();
  Error error{code, std::string(what), std::move(faults)};
  if (count > kFaultLimit) {
    error.faults.resize(kFaultLimit);
    error.message += ": " + std::to_string(count) + " faults, the first " +
                     std::to_string(kFaultLimit) + " of them follow";
  }
  return error;
}

// A group's metric without a filter list is averaged under every filter of its tasks.
std::vector<Group> finished_groups(const TaskPlan& plan, const std::vector<Task>& tasks) {
  std::vector<Group> groups;
  for (const PlannedGroup& planned : plan.groups) {
    Group group = planned.group;
    std::set<std::string> filters;
    for (const Task& task : tasks) {
      if (std::find(planned.tasks.begin(), planned.tasks.end(), task.name) == planned.tasks.end())
        continue;
      for (const FilterPipeline& filter : task.filters) filters.insert(filter.name);
    }
    for (std::size_t i = 0; i < group.metrics.size(); ++i) {
      if (planned.discovers_filters[i])
        group.metrics[i].filters.assign(filters.begin(), filters.end());
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

struct Problems {
  std::vector<Fault> faults;
  std::vector<Fault> missing;  // data sets

  void add(const Error& error) {
    auto& list = error.code == ErrorCode::kNotFound ? missing : faults;
    list.insert(list.end(), error.faults.begin(), error.faults.end());
  }
};

Result<TaskSet> build_plan(const TaskPlan& plan, const BuildOptions& options,
                           std::vector<Fault> faults) {
  std::vector<TaskDefinition> definitions;
  for (const MergedConfig& config : plan.tasks)
    definitions.push_back(read_task_definition(config, faults));
  if (!faults.empty())
    return fail(
        faults_error(ErrorCode::kInvalidArgument, "the task files have faults", std::move(faults)));
  if (options.datasets == nullptr)
    return fail(ErrorCode::kInvalidArgument, "no source of data sets is given");
  DocumentStore documents(*options.datasets);
  TaskSet set;
  Problems problems;
  for (const TaskDefinition& definition : definitions) {
    auto task = build_task(definition, options, documents);
    if (task) {
      set.tasks.push_back(std::move(*task));
    } else {
      problems.add(task.error());
    }
  }
  if (!problems.faults.empty())
    return fail(faults_error(ErrorCode::kInvalidArgument, "the tasks cannot be built",
                             std::move(problems.faults)));
  if (!problems.missing.empty())
    return fail(
        faults_error(ErrorCode::kNotFound, "data sets are missing", std::move(problems.missing)));
  set.groups = finished_groups(plan, set.tasks);
  return set;
}

}  // namespace

struct TaskCatalog::State {
  TaskFiles files;
};

Result<TaskCatalog> TaskCatalog::open(const std::vector<std::filesystem::path>& folders) {
  auto files = TaskFiles::open(folders);
  if (!files) return fail(std::move(files.error()).with_context("opening task files"));
  TaskCatalog catalog;
  for (const auto& [name, entry] : files->entries()) {
    catalog.tasks_.push_back({name, std::string(kind_name(entry.kind)), entry.description,
                              entry.place.builtin ? std::filesystem::path() : entry.place.path});
  }
  catalog.state_ = std::make_shared<const State>(State{std::move(*files)});
  return catalog;
}

Result<TaskSet> TaskCatalog::build(const std::vector<std::string>& names,
                                   const BuildOptions& options) const {
  std::vector<Fault> faults;
  const TaskPlan plan = plan_tasks(state_->files, names, Json::object(), faults);
  return build_plan(plan, options, std::move(faults));
}

Result<TaskSet> TaskCatalog::build_with(const std::string& name, const Json& overrides,
                                        const BuildOptions& options) const {
  if (!overrides.is_object())
    return fail(ErrorCode::kInvalidArgument, "overrides are not a mapping of settings");
  std::vector<Fault> faults;
  const TaskPlan plan = plan_tasks(state_->files, {name}, overrides, faults);
  return build_plan(plan, options, std::move(faults));
}

}  // namespace crucible::task
