#include "merger/recipe/method_info.hpp"

#include <algorithm>

namespace crucible::recipe {
namespace {

ParameterInfo number(std::string_view name, std::optional<Scalar> default_value,
                     std::string_view meaning) {
  return {.name = name,
          .kind = ParameterKind::kNumber,
          .per_model = false,
          .required = false,
          .default_value = std::move(default_value),
          .minimum = std::nullopt,
          .maximum = std::nullopt,
          .meaning = meaning};
}

ParameterInfo boolean(std::string_view name, bool default_value, std::string_view meaning) {
  ParameterInfo info = number(name, Scalar(default_value), meaning);
  info.kind = ParameterKind::kBoolean;
  return info;
}

ParameterInfo weight(std::string_view meaning) {
  ParameterInfo info = number("weight", std::nullopt, meaning);
  info.per_model = true;
  info.required = true;
  return info;
}

ParameterInfo density(std::string_view meaning) {
  ParameterInfo info = number("density", Scalar(1.0), meaning);
  info.per_model = true;
  info.minimum = 0;
  info.maximum = 1;
  return info;
}

ParameterInfo interpolation() {
  ParameterInfo info =
      number("t", std::nullopt, "position between the base (0) and the other model (1)");
  info.required = true;
  info.minimum = 0;
  info.maximum = 1;
  return info;
}

ParameterInfo scale() {
  ParameterInfo info =
      number("scale", std::nullopt, "factor on every element; absent leaves them untouched");
  info.per_model = true;
  return info;
}

constexpr std::string_view kDeltaWeight = "factor on the model's difference to the base";
constexpr std::string_view kNormalize = "divide the sum by the sum of the weights";

// Task-vector methods (task_arithmetic and its sparsifying relatives) share their parameters.
MethodInfo task_vector(std::string_view name, std::string_view meaning,
                       std::string_view density_meaning, bool normalize, bool rescale) {
  MethodInfo info;
  info.name = name;
  info.meaning = meaning;
  info.base_model = BaseModelUse::kRequired;
  info.least_models = 1;
  info.parameters = {
      weight(kDeltaWeight),
      density(density_meaning),
      boolean("normalize", normalize, kNormalize),
      boolean("rescale", rescale, "after pruning, scale back to the L1 norm from before"),
      number("lambda", Scalar(1.0),
             "factor on the merged difference before it is added to the base"),
      boolean("int8_mask", false, "accepted for old recipes; has no effect on values"),
  };
  return info;
}

std::vector<MethodInfo> make_methods() {
  constexpr std::string_view kRandom = "share of elements kept at random";
  std::vector<MethodInfo> all;
  all.push_back(task_vector("dare_linear",
                            "random pruning of differences, then a weighted sum (arXiv:2311.03099)",
                            kRandom, false, true));
  all.push_back(task_vector(
      "dare_ties",
      "random pruning of differences, then TIES sign election (arXiv:2311.03099, 2306.01708)",
      kRandom, false, true));
  all.push_back(
      {.name = "linear",
       .meaning = "weighted average of the models (model soups, arXiv:2203.05482)",
       .base_model = BaseModelUse::kIgnored,
       .least_models = 1,
       .most_models = std::nullopt,
       .parameters = {weight("factor on the model"), boolean("normalize", true, kNormalize)}});
  all.push_back({.name = "passthrough",
                 .meaning = "copies one model's tensors; with slices it stacks layers",
                 .base_model = BaseModelUse::kIgnored,
                 .least_models = 1,
                 .most_models = 1,
                 .parameters = {scale()}});
  all.push_back({.name = "slerp",
                 .meaning = "spherical interpolation between two models (Shoemake 1985)",
                 .base_model = BaseModelUse::kRequired,
                 .least_models = 2,
                 .most_models = 2,
                 .parameters = {interpolation()}});
  all.push_back(task_vector("task_arithmetic",
                            "adds weighted differences to the base (arXiv:2212.04089)",
                            "accepted for old recipes; this method prunes nothing", false, false));
  all.push_back(task_vector("ties",
                            "keeps the largest differences, elects a sign, merges those that agree "
                            "(arXiv:2306.01708)",
                            "share of elements kept, largest magnitude first", true, false));
  return all;
}

const std::vector<MethodInfo>& table() {
  static const std::vector<MethodInfo> kMethods = make_methods();
  return kMethods;
}

}  // namespace

std::span<const MethodInfo> methods() { return table(); }

const MethodInfo* find_method(std::string_view name) {
  const auto found = std::find_if(table().begin(), table().end(),
                                  [&](const MethodInfo& info) { return info.name == name; });
  return found == table().end() ? nullptr : &*found;
}

}  // namespace crucible::recipe
