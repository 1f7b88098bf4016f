#include "merger/method/compatibility.hpp"

namespace crucible::method {

std::optional<Compatibility> parse_compatibility(std::string_view text) {
  for (const Compatibility known : {Compatibility::kNone, Compatibility::kMergekit}) {
    if (name_of(known) == text) return known;
  }
  return std::nullopt;
}

std::string_view name_of(Compatibility compatibility) {
  return compatibility == Compatibility::kMergekit ? "mergekit" : "none";
}

}  // namespace crucible::method
