#include "server/search/field_reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "merger/recipe/text.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

json scalar_of(const recipe::YamlNode& node) {
  if (node.quoted) return node.scalar;
  if (node.scalar == "true") return true;
  if (node.scalar == "false") return false;
  const auto number = recipe::parse_number(node.scalar);
  if (!number) return node.scalar;
  constexpr double kExact = 9007199254740992;  // 2^53
  if (*number >= 0 && *number < kExact && std::floor(*number) == *number &&
      node.scalar.find_first_of(".eE") == std::string::npos) {
    return static_cast<std::uint64_t>(*number);
  }
  return *number;
}

const json& nothing() {
  static const json kNothing = json::object();
  return kNothing;
}

}  // namespace

json json_of(const recipe::YamlNode& node) {
  if (node.is_scalar()) return scalar_of(node);
  if (node.is_sequence()) {
    json list = json::array();
    for (const auto& item : node.items) list.push_back(json_of(item));
    return list;
  }
  if (!node.is_map()) return nullptr;
  json map = json::object();
  for (const auto& [key, value] : node.entries) map[key] = json_of(value);
  return map;
}

const json* Fields::find(std::string_view key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::path_of(std::string_view key) const { return recipe::child_path(path_, key); }

void Fields::fault(std::string path, std::string message, std::string suggestion) const {
  faults_.push_back({std::move(path), std::move(message), std::move(suggestion)});
}

void Fields::only(std::initializer_list<std::string_view> known) const {
  const std::vector<std::string_view> names(known);
  for (const auto& [key, value] : object_.items()) {
    if (std::ranges::find(names, key) != names.end()) continue;
    std::string suggestion = recipe::did_you_mean(key, names);
    if (suggestion.empty()) suggestion = "known here: " + recipe::join(names);
    fault(path_of(key), "unknown field", std::move(suggestion));
  }
}

double Fields::number(std::string_view key, double fallback, double low, double high) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_number() && *value >= low && *value <= high) return value->get<double>();
  fault(path_of(key), fmt::format("must be a number from {} to {}", low, high));
  return fallback;
}

std::uint64_t Fields::whole(std::string_view key, std::uint64_t fallback,
                            std::uint64_t most) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_number_unsigned() && *value <= most) return value->get<std::uint64_t>();
  fault(path_of(key), fmt::format("must be a whole number from 0 to {}", most));
  return fallback;
}

bool Fields::boolean(std::string_view key, bool fallback) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  fault(path_of(key), "must be true or false");
  return fallback;
}

std::string Fields::text(std::string_view key, std::string fallback) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  fault(path_of(key), "must be text");
  return fallback;
}

std::vector<std::string> Fields::texts(std::string_view key) const {
  const json* value = find(key);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (!value->is_array()) {
    fault(path_of(key), "must be a list of names");
    return texts;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    if ((*value)[i].is_string()) {
      texts.push_back((*value)[i]);
    } else {
      fault(recipe::child_path(path_of(key), i), "must be text");
    }
  }
  return texts;
}

std::optional<std::pair<double, double>> Fields::range(std::string_view key) const {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool is_pair = value->is_array() && value->size() == 2 && (*value)[0].is_number() &&
                       (*value)[1].is_number() && (*value)[0] < (*value)[1];
  if (is_pair) return std::pair((*value)[0].get<double>(), (*value)[1].get<double>());
  fault(path_of(key), "must be two numbers, the lower one first", "such as [0, 1]");
  return std::nullopt;
}

Fields Fields::map(std::string_view key) const {
  const json* value = find(key);
  const std::string path = path_of(key);
  if (value == nullptr) return {nothing(), path, faults_};
  if (!value->is_object()) {
    fault(path, "must be a map");
    return {nothing(), path, faults_};
  }
  return {*value, path, faults_};
}

}  // namespace crucible::server::search
