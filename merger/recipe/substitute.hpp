#pragma once

#include <string>
#include <string_view>

#include "merger/base/error.hpp"

namespace crucible::recipe {

// The recipe text with one number set, for sweeps. `parameter` is either
// - the NAME of a `${NAME}` placeholder: each occurrence becomes the shortest text of `value`, and
// the
//   rest of the text stays as it is; or
// - a path such as `parameters.t`, `models[1].parameters.weight`, `parameters.t[2].value[0]`: the
//   number there is replaced (or added, where only the last key of a `parameters` map is missing),
//   and the recipe is written anew as YAML.
// Error kInvalidArgument with one fault: no such placeholder or path, or the path names a gradient
// or a list of filters as a whole. The result is not checked as a recipe.
Result<std::string> substitute(std::string_view recipe_text, std::string_view parameter,
                               double value);

}  // namespace crucible::recipe
