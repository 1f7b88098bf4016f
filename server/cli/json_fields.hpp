#pragma once

#include <optional>
#include <string>

#include "server/cli/api_client.hpp"

// Fields of the API's JSON for a terminal; what is missing or of another type is empty.
namespace crucible::server::cli {

const Json& member(const Json& object, const std::string& key);  // null when absent
std::string text(const Json& value);                             // control characters replaced
std::string text(const Json& object, const std::string& key);
std::optional<double> number(const Json& object, const std::string& key);

}  // namespace crucible::server::cli
