#include "evaluator/task/task_definition.hpp"
#include "evaluator/task/yaml_value.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;

std::size_t count(const task::Json& value) {
  std::size_t total = 1;
  if (value.is_structured()) {
    for (const task::Json& below : value) total += count(below);
  }
  return total;
}

}  // namespace

// A task file of the harness: its YAML within limits, then the definition with its templates,
// filters and functions.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const task::TaskYamlLimits limits;
  auto values = task::parse_task_yaml(fuzz::Input(data, size).rest(), limits);
  if (!fuzz::accepted(values)) return 0;
  fuzz::require(count(*values) <= limits.values + 1);
  if (!values->is_object()) return 0;
  task::MergedConfig merged;
  for (const auto& [key, value] : values->items()) merged.origins[key] = "task.yaml";
  merged.values = std::move(*values);
  merged.place = "task.yaml";
  std::vector<Fault> faults;
  const task::TaskDefinition definition = task::read_task_definition(merged, faults);
  for (const Fault& fault : faults) fuzz::require(!fault.path.empty() && !fault.message.empty());
  if (faults.empty()) fuzz::require(task::shown_config(definition, 0).is_object());
  return 0;
}
