#include "evaluator/task/suite_mapping.hpp"

#include <algorithm>
#include <utility>

#include "evaluator/task/yaml_value.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

constexpr int kDepthLimit = 32;

std::string join(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Typed as in task files; quoted and block texts are strings.
Json scalar_value(const YAML::Node& node) {
  if (node.Tag() == "!") return node.Scalar();
  if (node.Tag() == "!function") return {{"!function", node.Scalar()}};
  auto value = parse_task_yaml(node.Scalar());
  return value && value->is_primitive() ? std::move(*value) : Json(node.Scalar());
}

// `left` counts down: aliases count as often as they stand for something, so that a few lines of
// them cannot become millions of values.
std::optional<Json> value_of(const YAML::Node& node, int depth, std::size_t& left) {
  if (depth > kDepthLimit || left == 0) return std::nullopt;
  --left;
  if (node.IsScalar()) return scalar_value(node);
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const auto& entry : node) {
      auto value = value_of(entry, depth + 1, left);
      if (!value) return std::nullopt;
      list.push_back(std::move(*value));
    }
    return list;
  }
  if (!node.IsMap()) return Json();
  Json object = Json::object();
  for (const auto& entry : node) {
    auto value = value_of(entry.second, depth + 1, left);
    if (!value || !entry.first.IsScalar()) return std::nullopt;
    object[entry.first.Scalar()] = std::move(*value);
  }
  return object;
}

}  // namespace

std::optional<Json> yaml_value(const YAML::Node& node) {
  std::size_t left = TaskYamlLimits().values;
  return value_of(node, 0, left);
}

bool is_plain_name(std::string_view name) {
  return name.size() <= 100 && !name.starts_with('.') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

Mapping::Mapping(const YAML::Node& node, std::string path, const std::set<std::string>& known,
                 std::vector<Fault>& faults, bool open)
    : path_(std::move(path)), faults_(faults) {
  if (!node.IsMap()) {
    add("", "is not a mapping");
    return;
  }
  for (const auto& entry : node) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
    if (!known.contains(key) && !open) {
      add(key, "is not a known key", "known keys: " + join(known));
    } else if (values_.contains(key) || rest_.contains(key)) {
      add(key, "is given twice");
    } else if (known.contains(key)) {
      values_.emplace(key, entry.second);
    } else if (auto value = yaml_value(entry.second)) {
      rest_[key] = std::move(*value);
    } else {
      add(key, "is nested too deeply, holds too many values or has a key that is no string");
    }
  }
}

const YAML::Node* Mapping::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::string Mapping::text(const std::string& key,
                          const std::optional<std::string>& fallback) const {
  const YAML::Node* node = find(key);
  if (node == nullptr) {
    if (!fallback) add(key, "is missing");
    return fallback.value_or("");
  }
  if (!node->IsScalar()) {
    add(key, "is not a string");
    return {};
  }
  if (node->Scalar().empty() && key != "delimiter") add(key, "is empty");
  return node->Scalar();
}

std::optional<double> Mapping::number(const std::string& key) const {
  const YAML::Node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->IsScalar() ? recipe::parse_number(node->Scalar()) : std::nullopt;
  if (!value) add(key, "is not a number");
  return value;
}

std::optional<std::int64_t> Mapping::whole(const std::string& key, std::int64_t low,
                                           std::int64_t high) const {
  const YAML::Node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const Json value = node->IsScalar() ? scalar_value(*node) : Json();
  if (!value.is_number_integer() || value.get<std::int64_t>() < low ||
      value.get<std::int64_t>() > high) {
    add(key, "is not a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return std::nullopt;
  }
  return value.get<std::int64_t>();
}

bool Mapping::flag(const std::string& key, bool fallback) const {
  const YAML::Node* node = find(key);
  if (node == nullptr) return fallback;
  const Json value = node->IsScalar() ? scalar_value(*node) : Json();
  if (!value.is_boolean()) add(key, "is neither true nor false");
  return value.is_boolean() ? value.get<bool>() : fallback;
}

std::vector<std::string> Mapping::texts(const std::string& key) const {
  const YAML::Node* node = find(key);
  if (node == nullptr) return {};
  if (node->IsScalar()) return {node->Scalar()};
  std::vector<std::string> list;
  for (const auto& entry : *node) {
    if (!node->IsSequence() || !entry.IsScalar()) {
      add(key, "is not a list of strings");
      return {};
    }
    list.push_back(entry.Scalar());
  }
  return list;
}

void Mapping::add(const std::string& key, std::string message, std::string suggestion) const {
  faults_.push_back({key.empty() ? (path_.empty() ? "suite" : path_) : child_path(path_, key),
                     std::move(message), std::move(suggestion)});
}

}  // namespace crucible::task
