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
          .usual_minimum = std::nullopt,
          .usual_maximum = std::nullopt,
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
  info.usual_minimum = 0;
  info.usual_maximum = 1;
  return info;
}

ParameterInfo gamma() {
  ParameterInfo info =
      number("gamma", Scalar(0.01), "share of elements dropped because they are the largest");
  info.per_model = true;
  info.usual_minimum = 0;
  info.usual_maximum = 1;
  return info;
}

// Half the width of the probabilities' range.
ParameterInfo epsilon() {
  ParameterInfo info =
      number("epsilon", Scalar(0.15),
             "the least and the largest of a row are kept with probability density "
             "- epsilon and density + epsilon, both between 0 and 1");
  info.per_model = true;
  return info;
}

ParameterInfo interpolation() {
  ParameterInfo info =
      number("t", std::nullopt, "position between the base (0) and the other model (1)");
  info.required = true;
  info.usual_minimum = 0;
  info.usual_maximum = 1;
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

MethodInfo breadcrumbs(std::string_view name, std::string_view meaning) {
  MethodInfo info = task_vector(name, meaning, "share of elements kept", false, false);
  info.parameters.insert(info.parameters.begin() + 2, gamma());
  return info;
}

MethodInfo della(std::string_view name, std::string_view meaning, bool normalize) {
  MethodInfo info =
      task_vector(name, meaning, "share of elements kept on average", normalize, true);
  info.parameters.insert(info.parameters.begin() + 2, epsilon());
  return info;
}

// Methods on differences that take no weights.
MethodInfo difference(std::string_view name, std::string_view meaning,
                      std::vector<ParameterInfo> parameters) {
  return {.name = name,
          .meaning = meaning,
          .base_model = BaseModelUse::kRequired,
          .least_models = 1,
          .most_models = std::nullopt,
          .parameters = std::move(parameters)};
}

ParameterInfo active_epsilon() {
  return number("epsilon", Scalar(1e-5), "differences above this magnitude are active");
}

void add_differences(std::vector<MethodInfo>& all) {
  all.push_back(difference(
      "ram", "differences of one model whole, shared ones averaged (RAM, arXiv:2601.13572)",
      {active_epsilon()}));
  all.push_back(difference(
      "ramplus_tl",
      "as ram, and strengthens what is unique to a model (RAM+ tensor-local, arXiv:2601.13572)",
      {number("r", Scalar(0.1), "how much shared elements strengthen a model's unique ones"),
       number("alpha", Scalar(0.2), "bound of the ratio of shared to unique elements"),
       active_epsilon()}));
  ParameterInfo share =
      number("select_topk", Scalar(1.0), "share of elements kept, largest variance first");
  share.usual_minimum = 0;
  share.usual_maximum = 1;
  all.push_back(difference(
      "sce",
      "keeps what varies most, weighs models by squared differences, elects a sign "
      "(arXiv:2408.07990)",
      {boolean("int8_mask", false, "accepted for old recipes; has no effect on values"), share}));
}

void add_breadcrumbs(std::vector<MethodInfo>& all) {
  all.push_back(breadcrumbs(
      "breadcrumbs",
      "drops the largest and the smallest differences, then a weighted sum (arXiv:2312.06795)"));
  all.push_back(breadcrumbs("breadcrumbs_ties",
                            "drops the largest and the smallest differences, then TIES sign "
                            "election (arXiv:2312.06795, 2306.01708)"));
}

void add_della(std::vector<MethodInfo>& all) {
  all.push_back(della("della",
                      "random pruning by rank of magnitude, then TIES sign election "
                      "(arXiv:2406.11617)",
                      true));
  all.push_back(della("della_linear",
                      "random pruning by rank of magnitude, then a weighted sum (arXiv:2406.11617)",
                      false));
}

// Methods that see a tensor as one vector or several, and mind its length and angles.
void add_spherical(std::vector<MethodInfo>& all) {
  all.push_back(
      {.name = "karcher",
       .meaning = "mean direction on the sphere, by iteration (arXiv:2603.04972)",
       .base_model = BaseModelUse::kIgnored,
       .least_models = 1,
       .most_models = std::nullopt,
       .parameters = {number("max_iter", Scalar(10.0), "most steps towards the mean"),
                      number("tol", Scalar(1e-5), "norms and angles up to this count as zero")}});
  all.push_back(
      {.name = "multislerp",
       .meaning = "spherical interpolation between any number of models, or of their "
                  "differences to the base (Goddard 2025)",
       .base_model = BaseModelUse::kOptional,
       .least_models = 1,
       .most_models = std::nullopt,
       .parameters = {weight("factor on the model's direction"),
                      boolean("normalize_weights", true, "divide the weights by their sum"),
                      number("eps", Scalar(1e-8), "added to lengths that divide")}});
  all.push_back(
      {.name = "nuslerp",
       .meaning = "spherical interpolation between two models, or their differences to the base",
       .base_model = BaseModelUse::kOptional,
       .least_models = 2,
       .most_models = 3,
       .parameters = {weight("share of the model, relative to the other's"),
                      boolean("nuslerp_flatten", true, "take the whole tensor as one vector"),
                      boolean("nuslerp_row_wise", false,
                              "without nuslerp_flatten: take vectors along the first extent, not "
                              "along the last")}});
}

void add_towards_other(std::vector<MethodInfo>& all) {
  all.push_back({.name = "arcee_fusion",
                 .meaning = "takes over the most important part of the other model's difference "
                            "(Arcee 2025)",
                 .base_model = BaseModelUse::kRequired,
                 .least_models = 2,
                 .most_models = 2,
                 .parameters = {}});
  all.push_back({.name = "model_stock",
                 .meaning = "goes from the base towards the models' average as far as their angles "
                            "suggest (arXiv:2403.19522)",
                 .base_model = BaseModelUse::kRequired,
                 .least_models = 3,
                 .most_models = std::nullopt,
                 .parameters = {boolean("filter_wise", false,
                                        "one angle for each row along the last extent")}});
  ParameterInfo nearness =
      number("t", std::nullopt, "difference up to which the base is replaced entirely");
  nearness.required = true;
  all.push_back({.name = "nearswap",
                 .meaning = "moves the base to the other model where the two are near "
                            "(alchemonaut 2024)",
                 .base_model = BaseModelUse::kRequired,
                 .least_models = 2,
                 .most_models = 2,
                 .parameters = {std::move(nearness)}});
}

MethodInfo consensus_ta() {
  ParameterInfo factor = number("weight", Scalar(1.0), kDeltaWeight);
  factor.per_model = true;
  ParameterInfo threshold = number("mask_threshold", Scalar(0.4),
                                   "an element matters to the model when its difference is at "
                                   "least this times that of all others together (lambda_t)");
  threshold.per_model = true;
  return difference(
      "consensus_ta",
      "sum of differences where they matter to several models: consensus task "
      "arithmetic with TALL masks (arXiv:2405.07813)",
      {std::move(factor), std::move(threshold),
       number("least_masks", Scalar(2.0), "elements that matter to fewer models are dropped (k)"),
       number("lambda", Scalar(1.0),
              "factor on the merged difference before it is added to the base")});
}

std::vector<MethodInfo> make_methods() {
  constexpr std::string_view kRandom = "share of elements kept at random";
  std::vector<MethodInfo> all;
  add_breadcrumbs(all);
  add_spherical(all);
  add_towards_other(all);
  all.push_back(consensus_ta());
  all.push_back(task_vector("dare_linear",
                            "random pruning of differences, then a weighted sum (arXiv:2311.03099)",
                            kRandom, false, true));
  all.push_back(task_vector(
      "dare_ties",
      "random pruning of differences, then TIES sign election (arXiv:2311.03099, 2306.01708)",
      kRandom, false, true));
  add_della(all);
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
  add_differences(all);
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
  std::ranges::sort(all, {}, &MethodInfo::name);
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
