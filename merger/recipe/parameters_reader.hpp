#pragma once

#include <string>

#include "merger/recipe/faults.hpp"
#include "merger/recipe/method_info.hpp"
#include "merger/recipe/recipe.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::recipe {

// Where a `parameters` map stands: under one input model, or at slice, module or recipe level.
enum class Level { kModel, kShared };

// Reads a `parameters` map, each value by its declared kind. With a null `method` (unknown to us)
// only the shape is checked. Faults go to `faults`; faulty entries are left out.
Parameters read_parameters(const YamlNode& node, const std::string& path, const MethodInfo* method,
                           Level level, Faults& faults);

}  // namespace crucible::recipe
