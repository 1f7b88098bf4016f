#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "merger/base/error.hpp"

namespace crucible {

// Sizes as people write them: a number (whole or decimal) and a unit, blanks between allowed.
//   none            bytes
//   KiB MiB GiB TiB powers of 1024
//   kB MB GB TB     powers of 1000 (also KB)
//   k m b g t       as mergekit's --out-shard-size: 10^3, 10^6, 10^9 (b is a billion), 10^9, 10^12
// Any case, except that "b" alone is a billion and never a byte. Error kInvalidArgument.
Result<std::uint64_t> parse_byte_count(std::string_view text);

// "1.5 GiB", "512 B": three digits at most, powers of 1024.
std::string format_byte_count(std::uint64_t bytes);

}  // namespace crucible
