#pragma once

#include <string>
#include <vector>

#include "evaluator/task/task_definition.hpp"
#include "evaluator/task/task_files.hpp"

// Names of tasks, groups and tags become the tasks to build. Rules of lm_eval/tasks/_factory.py.
namespace crucible::task {

struct PlannedGroup {
  Group group;
  std::vector<std::string> tasks;       // every task below it
  std::vector<bool> discovers_filters;  // for each metric: all filters its tasks have
};

struct TaskPlan {
  std::vector<MergedConfig> tasks;   // each name once, in the order met
  std::vector<PlannedGroup> groups;  // outer before inner
};

// Settings in `overrides` go over each task's own. Adds every fault; a name that does not exist is
// one too.
TaskPlan plan_tasks(const TaskFiles& files, const std::vector<std::string>& names,
                    const Json& overrides, std::vector<Fault>& faults);

}  // namespace crucible::task
