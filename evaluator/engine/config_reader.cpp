#include "evaluator/engine/config_reader.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace crucible::engine {

using nlohmann::json;

const json* ConfigReader::find(const json& owner, const std::string& key) {
  if (!owner.is_object()) return nullptr;
  const auto found = owner.find(key);
  return found == owner.end() || found->is_null() ? nullptr : &*found;
}

const json* ConfigReader::find(const std::string& key) const { return find(config_, key); }

std::optional<std::uint32_t> ConfigReader::integer(const std::string& key, std::uint32_t least,
                                                   std::uint32_t most) {
  const json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer() || *value < least || *value > most) {
    fault(key, shown(*value) + " is not an integer from " + std::to_string(least) + " to " +
                   std::to_string(most));
    return std::max(least, 1U);
  }
  return value->get<std::uint32_t>();
}

double ConfigReader::positive(const json& owner, const std::string& key, double fallback) {
  const json* found = find(owner, key);
  if (found == nullptr) return fallback;
  const double value = found->is_number() ? found->get<double>() : 0;
  if (!std::isfinite(value) || value <= 0 ||
      value > static_cast<double>(std::numeric_limits<float>::max())) {
    fault(key, shown(*found) + " is not a positive number");
    return fallback;
  }
  return value;
}

bool ConfigReader::flag(const std::string& key, bool fallback) {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fault(key, shown(*value) + " is not true or false");
  return value->is_boolean() ? value->get<bool>() : fallback;
}

void ConfigReader::fault(const std::string& key, std::string message) {
  faults_.push_back({"config.json " + key, std::move(message), {}});
}

std::string ConfigReader::shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() <= 40 ? text : text.substr(0, 40) + "…";
}

}  // namespace crucible::engine
