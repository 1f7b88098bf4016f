#pragma once

#include <filesystem>
#include <string>

#include "merger/base/error.hpp"

namespace crucible::server::cli {

// The folder of the model that `text` names: a path, or org/name[@revision] in the local Hugging
// Face cache. kInvalidArgument for MODEL+LORA, which has no folder of its own.
Result<std::filesystem::path> locate_model(const std::string& text);

}  // namespace crucible::server::cli
