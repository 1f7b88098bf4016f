#include "merger/base/byte_count.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace crucible {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};
constexpr std::array<Unit, 14> kUnits{{{"", 1},
                                       {"kib", 1024.0},
                                       {"mib", 1048576.0},
                                       {"gib", 1073741824.0},
                                       {"tib", 1099511627776.0},
                                       {"kb", 1e3},
                                       {"mb", 1e6},
                                       {"gb", 1e9},
                                       {"tb", 1e12},
                                       {"k", 1e3},
                                       {"m", 1e6},
                                       {"b", 1e9},
                                       {"g", 1e9},
                                       {"t", 1e12}}};

tl::unexpected<Error> malformed(std::string_view text) {
  return fail(ErrorCode::kInvalidArgument,
              "`" + std::string(text) + "` is not a size such as 1GiB, 500MB or 5B (billion)");
}

}  // namespace

Result<std::uint64_t> parse_byte_count(std::string_view text) {
  double number = 0;
  const bool starts_well =
      !text.empty() && (text.front() == '.' || (text.front() >= '0' && text.front() <= '9'));
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (!starts_well || error != std::errc()) return malformed(text);
  std::string unit(end, text.data() + text.size());
  unit.erase(0, std::min(unit.find_first_not_of(' '), unit.size()));
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto found = std::find_if(kUnits.begin(), kUnits.end(),
                                  [&](const Unit& candidate) { return candidate.name == unit; });
  if (found == kUnits.end()) return malformed(text);
  const double bytes = std::round(number * found->bytes);
  if (bytes >= 9.2e18) return malformed(text);
  return static_cast<std::uint64_t>(bytes);
}

std::string format_byte_count(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array<const char*, 6> kNames{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t name = 0;
  while (value >= 999.5 && name + 1 < kNames.size()) {
    value /= 1024;
    ++name;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  std::array<char, 40> text{};
  const int size =
      std::snprintf(text.data(), text.size(), "%.*f %s", decimals, value, kNames[name]);
  return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace crucible
