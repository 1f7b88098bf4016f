#pragma once

#include <cstddef>
#include <string_view>

#include "nlohmann/json.hpp"

// JSON of strangers. The library reads any depth, but copies, compares and writes values by
// recursion, so that a megabyte of '[' would end the process at the first copy.
namespace crucible {

inline constexpr std::size_t kJsonDepthLimit = 128;

// Whether brackets outside of strings nest deeper than the limit. Linear in the text.
bool nests_too_deep(std::string_view json);

// The value of a text; a discarded one, which is none of the kinds that is_…() asks for, where the
// text is no JSON or nests deeper than kJsonDepthLimit. Never throws.
template <typename Json>
Json parse_untrusted_json(std::string_view text) {
  if (nests_too_deep(text)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

}  // namespace crucible
