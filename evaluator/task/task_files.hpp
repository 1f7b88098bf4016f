#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/task_definition.hpp"
#include "merger/base/error.hpp"

// Task files by name: which file holds which task, group or tag, and a file merged with what it
// includes. Rules of lm_eval/tasks/_index.py and _yaml_loader.py.
namespace crucible::task {

// A file in a folder, or one built in ("data/gsm8k/gsm8k.yaml").
struct TaskFilePlace {
  bool builtin = false;
  std::filesystem::path path;
  auto operator<=>(const TaskFilePlace&) const = default;
};

struct TaskEntry {
  enum class Kind { kTask, kGroup, kTag };
  Kind kind = Kind::kTask;
  std::string name;
  TaskFilePlace place;
  std::optional<std::size_t> in_list;  // which entry of the file's task_list
  std::set<std::string> members;       // of a tag
  std::string description;
  std::optional<Error> fault;  // the file cannot be read; it is reported when asked for
};

// Immutable once open; safe from several threads.
class TaskFiles {
 public:
  // Built-in files first, then the folders; later ones replace equal names. Within a folder the
  // first file by path keeps a name. A folder that does not exist is kNotFound.
  static Result<TaskFiles> open(const std::vector<std::filesystem::path>& folders);

  const std::map<std::string, TaskEntry, std::less<>>& entries() const { return entries_; }

  // The file's settings over those it includes; `!function` values become full paths
  // ("data/hellaswag/utils.process_docs"). Faults name the file. Includes must stay inside the
  // folder that the file was found in; 16 deep at most.
  Result<MergedConfig> load(const TaskEntry& entry) const;

 private:
  void add_root(const std::vector<TaskFilePlace>& files);

  std::vector<std::filesystem::path> folders_;
  std::map<std::string, TaskEntry, std::less<>> entries_;
};

}  // namespace crucible::task
