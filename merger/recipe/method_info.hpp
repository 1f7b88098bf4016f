#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merger/recipe/recipe.hpp"

// What a merge method accepts, as data: the recipe reader checks against it, the documentation and
// the API list it. One table row a method; the arithmetic lives in merger/method.
namespace crucible::recipe {

enum class ParameterKind { kNumber, kBoolean };
struct ParameterInfo {
  std::string_view name;
  ParameterKind kind = ParameterKind::kNumber;
  bool per_model = false;  // may stand under a model; else shared by the whole tensor
  bool required = false;
  std::optional<Scalar> default_value;
  std::optional<double> minimum;
  std::optional<double> maximum;
  std::optional<double> usual_minimum;  // beyond these, values work but are hardly meant: a warning
  std::optional<double> usual_maximum;
  std::string_view meaning;  // one line
};

enum class BaseModelUse { kIgnored, kOptional, kRequired };
struct MethodInfo {
  std::string_view name;
  std::string_view meaning;  // one line, with the paper
  BaseModelUse base_model = BaseModelUse::kIgnored;
  std::size_t least_models = 1;  // counted with the base where it is among the inputs
  std::optional<std::size_t> most_models;
  std::vector<ParameterInfo> parameters;
};

std::span<const MethodInfo> methods();  // by name
const MethodInfo* find_method(std::string_view name);

}  // namespace crucible::recipe
