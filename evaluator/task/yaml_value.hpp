#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"

// Task YAML as JSON values, read as PyYAML's safe loader reads it: YAML 1.1 scalars (yes, off,
// 0x1F, 1_000), merge keys, aliases written out, the last of doubled keys. `!function mod.fn`
// becomes {"!function": "mod.fn"}; other tags are faults.
namespace crucible::task {

struct TaskYamlLimits {
  std::size_t bytes = 4U << 20;
  std::size_t depth = 64;
  std::size_t values = 500'000;  // aliases count as often as they stand for something
};

// Error kInvalidArgument with the line. Never throws.
Result<Json> parse_task_yaml(std::string_view text, const TaskYamlLimits& limits = {});

// "mod.fn" where the value is a `!function`; nullptr else.
const std::string* function_name(const Json& value);

// Paths of faults: child_path("metric_list", 0) is "metric_list[0]".
std::string child_path(std::string_view parent, std::string_view key);
std::string child_path(std::string_view parent, std::size_t index);

}  // namespace crucible::task
