#include "server/cli/json_fields.hpp"

#include "merger/recipe/text.hpp"

namespace crucible::server::cli {

const Json& member(const Json& object, const std::string& key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

std::string text(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return recipe::printable(value.get<std::string>(), 2000);
  if (value.is_number_float()) return recipe::number_text(value.get<double>());
  return value.dump();
}

std::string text(const Json& object, const std::string& key) { return text(member(object, key)); }

std::optional<double> number(const Json& object, const std::string& key) {
  const Json& value = member(object, key);
  return value.is_number() ? std::optional<double>(value.get<double>()) : std::nullopt;
}

}  // namespace crucible::server::cli
