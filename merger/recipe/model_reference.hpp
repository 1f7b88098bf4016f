#pragma once

#include <string_view>

#include "merger/recipe/recipe.hpp"

namespace crucible::recipe {

// PATH[@REVISION][+LORA[@REVISION]]. Error kInvalidArgument: an empty part, a second `@` in a part,
// a second `+`, control characters, more than 4096 bytes.
Result<ModelReference> parse_model_reference(std::string_view text);

}  // namespace crucible::recipe
