#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluator/task/task.hpp"

namespace crucible::task {

// What can be said of a suite without reading data sets: tasks with items of their own are checked,
// of task files only that they exist.
struct SuiteOutline {
  std::string name;
  std::string description;
  std::vector<std::string> needs;  // data sets, by the names that are imported
};
Result<SuiteOutline> outline_suite(const std::filesystem::path& place);

}  // namespace crucible::task
