#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Suggestions for a mistyped name.
namespace crucible::server {

// The candidate with the least edit distance, "" when none is within a third of the name's length.
std::string nearest(std::string_view wanted, std::span<const std::string> candidates);
// "; did you mean \"words\"?" or "".
std::string did_you_mean(std::string_view wanted, std::span<const std::string> candidates);

}  // namespace crucible::server
