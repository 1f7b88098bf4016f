#include "evaluator/tokenizer/whitespace.hpp"

namespace crucible::tokenizer {
namespace {

// Bidirectional class WS, B or S, or category Zs (Unicode 15): the set behind str.isspace.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

// The last character of non-empty valid UTF-8 of at most three bytes; longer ones are no
// whitespace.
struct LastCharacter {
  char32_t value = 0;
  std::size_t bytes = 1;
};

LastCharacter last_character(std::string_view text) {
  char32_t value = 0;
  for (std::size_t bytes = 1; bytes <= 3 && bytes <= text.size(); ++bytes) {
    const auto byte = static_cast<unsigned char>(text[text.size() - bytes]);
    const auto shift = 6 * (bytes - 1);
    if (byte < 0x80) return {byte, bytes};
    if (byte >= 0xC0) {
      const char32_t lead = bytes == 2 ? byte & 0x1FU : byte & 0x0FU;
      return {value | (lead << shift), bytes};
    }
    value |= static_cast<char32_t>(byte & 0x3FU) << shift;
  }
  return {};
}

}  // namespace

std::size_t trailing_whitespace(std::string_view utf8) {
  std::size_t rest = utf8.size();
  while (rest > 0) {
    const LastCharacter last = last_character(utf8.substr(0, rest));
    if (!is_space(last.value)) break;
    rest -= last.bytes;
  }
  return utf8.size() - rest;
}

}  // namespace crucible::tokenizer
