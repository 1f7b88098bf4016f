#include "evaluator/task/task_definition_reading.hpp"

#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

const Json& empty_object() {
  static const Json kEmpty = Json::object();
  return kEmpty;
}

std::string kind_of(const Json& value) {
  if (value.is_object()) return function_name(value) != nullptr ? "a function" : "a mapping";
  if (value.is_array()) return "a list";
  if (value.is_boolean()) return "a truth value";
  if (value.is_number()) return "a number";
  return value.is_null() ? "nothing" : "a string";
}

}  // namespace

const Json* Settings::find(std::string_view key) const {
  const auto found = values_.find(std::string(key));
  return found == values_.end() || found->is_null() ? nullptr : &*found;
}

std::string Settings::path_of(std::string_view key) const {
  const std::string path = key.empty()          ? path_
                           : key.front() == '[' ? path_ + std::string(key)
                                                : child_path(path_, key);
  const std::string top = path.substr(0, path.find_first_of(".["));
  const auto origin = merged_.origins.find(top);
  const std::string& file = origin == merged_.origins.end() ? merged_.place : origin->second;
  return path.empty() ? file : file + ": " + path;
}

void Settings::add(std::string_view key, std::string message, std::string suggestion) const {
  faults_.push_back({path_of(key), std::move(message), std::move(suggestion)});
}

void Settings::add_no_counterpart(std::string_view key, const std::string& function) const {
  std::string suggestion;
  const auto similar = similar_functions(function);
  for (std::size_t i = 0; i < similar.size() && i < 8; ++i) {
    suggestion += (i == 0 ? "known of its folder: " : ", ") + similar[i];
  }
  if (suggestion.empty()) {
    suggestion = key == "process_docs"      ? "prepare the rows in the data file instead"
                 : key == "process_results" ? "score with metric_list instead"
                 : key == "samples"         ? "write the samples out as a list"
                 : key.starts_with("doc_")  ? "write it as a Jinja template"
                                            : "use a metric, aggregation or filter by name";
  }
  add(key, no_counterpart(function), std::move(suggestion));
}

std::string Settings::text(std::string_view key, std::string fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number()) return value->dump();
  add(key, "is " + kind_of(*value) + ", not a string");
  return fallback;
}

bool Settings::flag(std::string_view key, bool fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  add(key, "is " + kind_of(*value) + ", not true or false");
  return fallback;
}

std::optional<std::uint32_t> Settings::count(std::string_view key, std::uint32_t least,
                                             std::uint32_t most) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_integer()) {
    const auto number = value->get<std::int64_t>();
    if (number >= least && number <= most) return static_cast<std::uint32_t>(number);
  }
  add(key, "is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

std::optional<double> Settings::number(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->get<double>();
  add(key, "is " + kind_of(*value) + ", not a number");
  return std::nullopt;
}

std::vector<std::string> Settings::texts(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  std::vector<std::string> list;
  if (value->is_array()) {
    for (const Json& entry : *value) {
      if (entry.is_string()) list.push_back(entry.get<std::string>());
    }
    if (list.size() == value->size()) return list;
  }
  add(key, "is neither a string nor a list of strings");
  return {};
}

DocumentField Settings::field(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  const std::string* function = function_name(*value);
  if (function != nullptr && find_value_function(*function) == nullptr) {
    add_no_counterpart(key, *function);
    return {};
  }
  auto field = DocumentField::compile(*value);
  if (field) return std::move(*field);
  add(key, field.error().message);
  return {};
}

Settings Settings::nested(std::string_view key) const {
  const Json* value = find(key);
  const bool usable = value != nullptr && value->is_object() && function_name(*value) == nullptr;
  if (value != nullptr && !usable) add(key, "is " + kind_of(*value) + ", not a mapping");
  return {usable ? *value : empty_object(), child_path(path_, key), merged_, faults_};
}

void Settings::check_keys(const std::set<std::string_view>& known) const {
  const std::vector<std::string_view> list(known.begin(), known.end());
  for (const auto& [key, value] : values_.items()) {
    if (known.contains(key)) continue;
    std::string suggestion = recipe::did_you_mean(key, list);
    if (suggestion.empty()) suggestion = "known keys: " + recipe::join(list);
    add(key, "is not a known key", std::move(suggestion));
  }
}

std::string read_rows_function(const Settings& settings, std::string_view key) {
  const Json* value = settings.find(key);
  if (value == nullptr) return {};
  const std::string* path = function_name(*value);
  if (path == nullptr) {
    settings.add(key, "is not a `!function`");
    return {};
  }
  if (find_rows_function(*path) != nullptr) return *path;
  settings.add_no_counterpart(key, *path);
  return {};
}

}  // namespace crucible::task
