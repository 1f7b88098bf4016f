#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluator/task/dataset.hpp"
#include "evaluator/task/task.hpp"

// Task files in the format of lm-evaluation-harness 0.4, found by name: those built into the binary
// and those of the user's folders.
namespace crucible::task {

// The model's chat template as a function; `add_generation_prompt` as in transformers.
using ChatRenderer = std::function<Result<std::string>(std::span<const engine::ChatMessage>,
                                                       bool add_generation_prompt)>;

// How tasks are asked; what a task file leaves open or a user overrides.
struct BuildOptions {
  DatasetSource* datasets = nullptr;
  std::optional<std::uint32_t> num_fewshot;  // in place of the task's own
  std::optional<std::size_t> limit;          // first items of each task
  std::uint64_t fewshot_seed = 1234;
  ChatRenderer chat;  // empty: no chat template
  bool fewshot_as_multiturn = true;
  std::string system_instruction;
};

struct TaskSet {
  std::vector<Task> tasks;    // each once, in the order asked for
  std::vector<Group> groups;  // outer groups before inner ones
};

struct TaskInfo {
  std::string name;
  std::string kind;  // "task", "group" or "tag"
  std::string description;
  std::filesystem::path file;  // empty: built in
};

class TaskCatalog {
 public:
  // Later folders win over earlier ones and over what is built in. Only names are read here; a
  // faulty file is reported when it is asked for.
  static Result<TaskCatalog> open(const std::vector<std::filesystem::path>& folders);

  const std::vector<TaskInfo>& list() const { return tasks_; }

  // Tasks, groups and tags by name. All faults of the files at once, each with its file and path
  // (`gsm8k.yaml: filter_list[0].filter[0]`); kNotFound for data names every missing data set.
  Result<TaskSet> build(const std::vector<std::string>& names, const BuildOptions& options) const;
  // One task with settings written over its file's, as a group's entry in the harness.
  Result<TaskSet> build_with(const std::string& name, const Json& overrides,
                             const BuildOptions& options) const;

 private:
  std::vector<TaskInfo> tasks_;
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace crucible::task
