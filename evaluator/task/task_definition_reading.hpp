#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/task_definition.hpp"
#include "evaluator/task/yaml_value.hpp"

// Shared by the sources that read task definitions.
namespace crucible::task {

// A mapping of a task file under a path; wrong kinds become faults and defaults.
class Settings {
 public:
  Settings(const Json& values, std::string path, const MergedConfig& merged,
           std::vector<Fault>& faults)
      : values_(values), path_(std::move(path)), merged_(merged), faults_(faults) {}

  // nullptr where the key is absent or null.
  const Json* find(std::string_view key) const;
  std::string text(std::string_view key, std::string fallback = {}) const;
  bool flag(std::string_view key, bool fallback) const;
  std::optional<std::uint32_t> count(std::string_view key, std::uint32_t least,
                                     std::uint32_t most) const;
  std::optional<double> number(std::string_view key) const;
  // A string or a list of strings.
  std::vector<std::string> texts(std::string_view key) const;
  DocumentField field(std::string_view key) const;
  Settings nested(std::string_view key) const;  // an object; empty where absent or faulty
  void check_keys(const std::set<std::string_view>& known) const;
  // `key` may be empty (the mapping itself) or a path below it.
  void add(std::string_view key, std::string message, std::string suggestion = {}) const;
  // The fault of a `!function` that there is nothing for, with what to do instead.
  void add_no_counterpart(std::string_view key, const std::string& function) const;
  std::string path_of(std::string_view key) const;

  const Json& values() const { return values_; }
  const MergedConfig& merged() const { return merged_; }
  std::vector<Fault>& faults() const { return faults_; }

 private:
  const Json& values_;
  std::string path_;
  const MergedConfig& merged_;
  std::vector<Fault>& faults_;
};

// The parts of a definition, each with the faults of its keys.
void read_dataset(const Settings& settings, TaskDefinition& task);
void read_fewshot(const Settings& settings, TaskDefinition& task);
void read_generation(const Settings& settings, TaskDefinition& task);
void read_metrics(const Settings& settings, TaskDefinition& task);
void read_filters(const Settings& settings, TaskDefinition& task);
// The path of a process_docs function, which must be known; "" where absent.
std::string read_rows_function(const Settings& settings, std::string_view key);

}  // namespace crucible::task
