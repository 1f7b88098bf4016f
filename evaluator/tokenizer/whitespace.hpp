#pragma once

#include <cstddef>
#include <string_view>

namespace crucible::tokenizer {

// Bytes of the whitespace at the end of `utf8`, by Python's str.isspace: what str.rstrip() removes.
std::size_t trailing_whitespace(std::string_view utf8);

}  // namespace crucible::tokenizer
