#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"
#include "yaml-cpp/yaml.h"

// How suite files are read: mappings whose unknown, doubled and mistyped keys become faults.
namespace crucible::task {

class Mapping {
 public:
  // With `open`, keys beside `known` are kept for rest().
  Mapping(const YAML::Node& node, std::string path, const std::set<std::string>& known,
          std::vector<Fault>& faults, bool open = false);

  const YAML::Node* find(const std::string& key) const;
  bool has(const std::string& key) const { return find(key) != nullptr; }
  // Missing without a fallback is a fault, and so is an empty text (but a delimiter's).
  std::string text(const std::string& key, const std::optional<std::string>& fallback = {}) const;
  std::optional<double> number(const std::string& key) const;
  // A whole number from `low` to `high`.
  std::optional<std::int64_t> whole(const std::string& key, std::int64_t low,
                                    std::int64_t high) const;
  bool flag(const std::string& key, bool fallback) const;
  // A list of strings; one string is a list of one.
  std::vector<std::string> texts(const std::string& key) const;
  // What is not in `known`, as JSON.
  Json rest() const { return rest_; }

  void add(const std::string& key, std::string message, std::string suggestion = {}) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<Fault>& faults_;
  std::map<std::string, YAML::Node> values_;
  Json rest_ = Json::object();
};

// Values as task files have them. nullopt below 32 levels, for more values than a task file may
// have, or where a key is no string.
std::optional<Json> yaml_value(const YAML::Node& node);

// Letters, digits, '_', '-', '.', not beginning with '.', at most 100: names become file names and
// parts of URLs.
bool is_plain_name(std::string_view name);

}  // namespace crucible::task
