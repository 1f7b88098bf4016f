#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "merger/recipe/faults.hpp"
#include "merger/recipe/recipe.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::recipe {

// PATH[@REVISION][+LORA[@REVISION]]. Error kInvalidArgument: an empty part, a second `@` in a part,
// a second `+`, control characters, more than 4096 bytes.
Result<ModelReference> parse_model_reference(std::string_view text);

// The same from a recipe, where it may also be a map {model: {path, revision}, lora: {path,
// revision}}. nullopt after a fault.
std::optional<ModelReference> read_model_reference(const YamlNode& node, const std::string& path,
                                                   Faults& faults);

// What stands at a node, for messages: "`0.5`", "a list".
std::string kind_name(const YamlNode& node);

}  // namespace crucible::recipe
