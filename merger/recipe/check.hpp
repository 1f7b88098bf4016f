#pragma once

#include "merger/recipe/faults.hpp"
#include "merger/recipe/method_info.hpp"
#include "merger/recipe/recipe.hpp"

namespace crucible::recipe {

// Rules that span several fields: number of inputs, base model, required parameters, slice lengths.
// `recipe` has been read without structural faults in the parts that are looked at here.
void check_recipe(const Recipe& recipe, const MethodInfo& method, Faults& faults);

}  // namespace crucible::recipe
