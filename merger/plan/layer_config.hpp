#pragma once

#include <vector>

#include "merger/plan/merge_plan.hpp"
#include "nlohmann/json.hpp"

// What a configuration says about single layers, made to fit the layers that slices chose.
namespace crucible::plan {

// Changes the donor's configuration: layer counts; lists with one entry a layer (layer_types);
// lists of layer numbers (mlp_only_layers); counts of leading layers (first_k_dense_replace); and
// where the kinds of layers follow from their numbers alone, the kinds are written out. Modules
// that are not sliced are left alone. The faults are warnings: what the configuration cannot
// express.
std::vector<Fault> fit_layers(nlohmann::ordered_json& config, const MergePlan& plan);

}  // namespace crucible::plan
