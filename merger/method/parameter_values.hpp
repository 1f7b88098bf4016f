#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "merger/recipe/recipe.hpp"

namespace crucible::method {

// The parameters of one tensor (or of one model's tensor) after filters, gradients, levels and
// defaults.
class ParameterValues {
 public:
  void set(std::string_view name, recipe::Scalar value) {
    values_.insert_or_assign(std::string(name), std::move(value));
  }
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  // Required or defaulted parameters, which the plan has checked; asking for another is a bug and
  // throws std::out_of_range. Booleans count as 1 and 0, numbers other than 0 as true.
  double number(std::string_view name) const;
  bool boolean(std::string_view name) const;

 private:
  std::map<std::string, recipe::Scalar, std::less<>> values_;
};

// Numbers as they are, true and false as 1 and 0, texts such as "1e-3" by their value.
std::optional<double> as_number(const recipe::Scalar& value);

}  // namespace crucible::method
