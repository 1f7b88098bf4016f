#pragma once

#include <optional>
#include <string_view>

namespace crucible::method {

// What has to come out where the mathematics leaves a choice, that is, which of several exactly
// equal magnitudes is ranked first. kNone: the lower index, which needs no copy of the tensor in
// memory. kMergekit: the order of mergekit 0.1.5, at 8 bytes an element of the largest tensor for
// each of up to two models at a time.
enum class Compatibility { kNone, kMergekit };

std::optional<Compatibility> parse_compatibility(std::string_view text);  // "none", "mergekit"
std::string_view name_of(Compatibility compatibility);

}  // namespace crucible::method
