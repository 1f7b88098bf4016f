#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "evaluator/text/strings.hpp"

namespace crucible::text {
namespace {

// Shortest digits that read back, and the decimal exponent of the first one.
struct Digits {
  std::string digits;
  int exponent = 0;
};
Digits shortest(double magnitude) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude,
                                 std::chars_format::scientific)
                       .ptr;
  const std::string text(buffer.data(), end);
  const std::size_t e = text.find('e');
  Digits out;
  for (const char c : text.substr(0, e)) {
    if (c != '.') out.digits += c;
  }
  out.exponent = std::atoi(text.c_str() + e + 1);
  return out;
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  const std::string sign = std::signbit(value) ? "-" : "";
  if (std::isinf(value)) return sign + "inf";
  const auto [digits, exponent] = shortest(std::fabs(value));
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    const std::string size = std::to_string(std::abs(exponent));
    return out + "e" + (exponent < 0 ? "-" : "+") + (size.size() < 2 ? "0" : "") + size;
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  if (count <= exponent + 1) {
    return sign + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  }
  const auto whole = static_cast<std::size_t>(exponent + 1);
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

bool parse_float(std::string_view text, double& value) {
  std::string plain;
  const std::string_view stripped = strip(text);
  for (std::size_t i = 0; i < stripped.size(); ++i) {
    const auto digit = [&](std::size_t at) {
      return at < stripped.size() && std::isdigit(static_cast<unsigned char>(stripped[at])) != 0;
    };
    if (stripped[i] == '_') {
      if (i == 0 || !digit(i - 1) || !digit(i + 1)) return false;
      continue;
    }
    plain += static_cast<char>(std::tolower(static_cast<unsigned char>(stripped[i])));
  }
  const std::string_view unsigned_part = strip(std::string_view(plain), "+-").data() == plain.data()
                                             ? std::string_view(plain)
                                             : std::string_view(plain).substr(1);
  if (plain.empty() || unsigned_part.empty()) return false;
  const bool word = unsigned_part == "inf" || unsigned_part == "infinity" || unsigned_part == "nan";
  if (!word && unsigned_part.find_first_not_of("0123456789.e+-") != std::string_view::npos) {
    return false;
  }
  if (!word && std::isdigit(static_cast<unsigned char>(unsigned_part[0])) == 0 &&
      unsigned_part[0] != '.') {
    return false;
  }
  char* end = nullptr;
  value = std::strtod(plain.c_str(), &end);
  return end == plain.c_str() + plain.size() && end != plain.c_str();
}

}  // namespace crucible::text
