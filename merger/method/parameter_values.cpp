#include "merger/method/parameter_values.hpp"

#include <charconv>
#include <stdexcept>

namespace crucible::method {

std::optional<double> as_number(const recipe::Scalar& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1.0 : 0.0;
  const auto& text = std::get<std::string>(value);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

double ParameterValues::number(std::string_view name) const {
  const auto found = values_.find(name);
  const auto value = found == values_.end() ? std::nullopt : as_number(found->second);
  if (!value) throw std::out_of_range("no number for parameter " + std::string(name));
  return *value;
}

bool ParameterValues::boolean(std::string_view name) const { return number(name) != 0; }

}  // namespace crucible::method
