#pragma once

#include <string>

#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

// Sweep documents made from others; the results are JSON texts, not yet checked as documents.
namespace crucible::server::search {

// With these fields of `budget` in place of its own; an empty object changes nothing.
Result<std::string> with_budget(const std::string& document, const nlohmann::json& budget);

// The same search around a trial: its values (JSON by name) are the defaults and, where the sampler
// is CMA-ES, the start.
Result<std::string> started_at(const std::string& document, const std::string& values);

}  // namespace crucible::server::search
