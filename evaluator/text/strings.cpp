#include "evaluator/text/strings.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "evaluator/text/regex.hpp"
#include "evaluator/text/special_casing.hpp"

namespace crucible::text {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// The character at `at` and its bytes; one byte of U+FFFD where the bytes are not UTF-8.
struct Decoded {
  char32_t character;
  std::size_t bytes;
};
Decoded decode(std::string_view text, std::size_t at) {
  utf8proc_int32_t character = 0;
  const utf8proc_ssize_t bytes =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                       static_cast<utf8proc_ssize_t>(text.size() - at), &character);
  if (bytes <= 0) return {kReplacement, 1};
  return {static_cast<char32_t>(character), static_cast<std::size_t>(bytes)};
}

bool property(const Regex& regex, char32_t character) {
  std::string text;
  append_utf8(text, character);
  const auto found = regex.match(text);
  return found && found->has_value();
}
bool cased(char32_t character) {
  static const Regex kRegex = Regex::fixed_pcre("\\p{Cased}");
  return property(kRegex, character);
}
bool case_ignorable(char32_t character) {
  static const Regex kRegex = Regex::fixed_pcre("\\p{Case_Ignorable}");
  return property(kRegex, character);
}

// Whether the capital sigma at `at` ends its word, and is then a final sigma in lower case.
bool is_final_sigma(std::u32string_view text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && case_ignorable(text[before - 1])) --before;
  if (before == 0 || !cased(text[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < text.size() && case_ignorable(text[after])) ++after;
  return after == text.size() || !cased(text[after]);
}

void append_lower(std::string& out, std::u32string_view text, std::size_t at) {
  const char32_t character = text[at];
  if (character == 0x0130) {
    out += "i\xCC\x87";
  } else if (character == 0x03A3) {
    append_utf8(out, is_final_sigma(text, at) ? U'\u03C2' : U'\u03C3');
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<int>(character))));
  }
}

const SpecialUpper* special_upper(char32_t character) {
  const auto* found =
      std::lower_bound(kSpecialUpper.begin(), kSpecialUpper.end(), character,
                       [](const SpecialUpper& entry, char32_t c) { return entry.character < c; });
  return found != kSpecialUpper.end() && found->character == character ? found : nullptr;
}

// Greek letters with iota subscript: their title case is one character, their upper case two.
bool has_iota_title(char32_t c) {
  return (c >= 0x1F80 && c <= 0x1FAF) || c == 0x1FB3 || c == 0x1FBC || c == 0x1FC3 || c == 0x1FCC ||
         c == 0x1FF3 || c == 0x1FFC;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80U; });
}

std::string_view strip_where(std::string_view text, bool left, bool right,
                             const std::function<bool(char32_t)>& drop) {
  while (left && !text.empty()) {
    const Decoded first = decode(text, 0);
    if (!drop(first.character)) break;
    text.remove_prefix(first.bytes);
  }
  while (right && !text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
    if (!drop(decode(text, at).character)) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}
std::string_view strip_set(std::string_view text, bool left, bool right, std::string_view set) {
  return strip_where(text, left, right, [&](char32_t c) {
    return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

void append_utf8(std::string& out, char32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const utf8proc_ssize_t count =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

std::u32string decode_utf8(std::string_view utf8) {
  std::u32string characters;
  characters.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size();) {
    const Decoded next = decode(utf8, at);
    characters += next.character;
    at += next.bytes;
  }
  return characters;
}

std::string encode_utf8(std::u32string_view characters) {
  std::string out;
  for (const char32_t character : characters) append_utf8(out, character);
  return out;
}

std::size_t length(std::string_view utf8) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < utf8.size(); ++count) at += decode(utf8, at).bytes;
  return count;
}

std::string slice(std::string_view utf8, std::size_t from, std::size_t to) {
  const std::u32string characters = decode_utf8(utf8);
  const std::size_t end = std::min(to, characters.size());
  return from >= end ? std::string()
                     : encode_utf8(std::u32string_view(characters).substr(from, end - from));
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_upper(std::string_view utf8) {
  static const Regex kUpper = Regex::fixed_pcre("\\p{Uppercase}");
  static const Regex kOther = Regex::fixed_pcre("[\\p{Lowercase}\\p{Lt}]");
  const auto other = kOther.search(utf8);
  const auto own = kUpper.search(utf8);
  return other && !*other && own && *own;
}

bool is_lower(std::string_view utf8) {
  static const Regex kLower = Regex::fixed_pcre("\\p{Lowercase}");
  static const Regex kOther = Regex::fixed_pcre("[\\p{Uppercase}\\p{Lt}]");
  const auto other = kOther.search(utf8);
  const auto own = kLower.search(utf8);
  return other && !*other && own && *own;
}

std::string_view strip(std::string_view utf8) { return strip_where(utf8, true, true, is_space); }
std::string_view lstrip(std::string_view utf8) { return strip_where(utf8, true, false, is_space); }
std::string_view rstrip(std::string_view utf8) { return strip_where(utf8, false, true, is_space); }
std::string_view strip(std::string_view utf8, std::string_view characters) {
  return strip_set(utf8, true, true, characters);
}
std::string_view lstrip(std::string_view utf8, std::string_view characters) {
  return strip_set(utf8, true, false, characters);
}
std::string_view rstrip(std::string_view utf8, std::string_view characters) {
  return strip_set(utf8, false, true, characters);
}
std::string_view remove_prefix(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}
std::string_view remove_suffix(std::string_view text, std::string_view suffix) {
  return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

std::string lower(std::string_view utf8) {
  if (is_ascii(utf8)) {
    std::string out(utf8);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
  }
  const std::u32string characters = decode_utf8(utf8);
  std::string out;
  for (std::size_t i = 0; i < characters.size(); ++i) append_lower(out, characters, i);
  return out;
}

std::string upper(std::string_view utf8) {
  std::string out;
  for (const char32_t character : decode_utf8(utf8)) {
    if (const SpecialUpper* special = special_upper(character)) {
      for (const char32_t part : special->upper) {
        if (part != 0) append_utf8(out, part);
      }
    } else {
      append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<int>(character))));
    }
  }
  return out;
}

std::string casefold(std::string_view utf8) {
  std::string out;
  for (const char32_t character : decode_utf8(utf8)) {
    std::array<utf8proc_int32_t, 8> folded{};
    int last_class = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(character), folded.data(),
                                folded.size(), UTF8PROC_CASEFOLD, &last_class);
    for (utf8proc_ssize_t i = 0; i < count && i < 8; ++i) {
      append_utf8(out, static_cast<char32_t>(folded[static_cast<std::size_t>(i)]));
    }
  }
  return out;
}

std::string capitalize(std::string_view utf8) {
  const std::u32string characters = decode_utf8(utf8);
  if (characters.empty()) return {};
  std::string out;
  const char32_t first = characters[0];
  const auto title = static_cast<char32_t>(utf8proc_totitle(static_cast<int>(first)));
  const SpecialUpper* special = has_iota_title(first) ? nullptr : special_upper(first);
  if (special != nullptr) {
    append_utf8(out, special->upper[0]);
    for (std::size_t i = 1; i < 3 && special->upper[i] != 0; ++i) {
      append_utf8(out,
                  static_cast<char32_t>(utf8proc_tolower(static_cast<int>(special->upper[i]))));
    }
  } else {
    append_utf8(out, title);
  }
  for (std::size_t i = 1; i < characters.size(); ++i) append_lower(out, characters, i);
  return out;
}

std::vector<std::string> split(std::string_view utf8) {
  std::vector<std::string> pieces;
  std::size_t start = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    const Decoded next = decode(utf8, at);
    if (is_space(next.character)) {
      if (at > start) pieces.emplace_back(utf8.substr(start, at - start));
      start = at + next.bytes;
    }
    at += next.bytes;
  }
  if (start < utf8.size()) pieces.emplace_back(utf8.substr(start));
  return pieces;
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> pieces;
  while (true) {
    const std::size_t at = text.find(separator);
    pieces.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + separator.size());
  }
}

std::vector<std::string> splitlines(std::string_view utf8) {
  std::vector<std::string> lines;
  std::size_t start = 0;
  for (std::size_t at = 0; at < utf8.size();) {
    const Decoded next = decode(utf8, at);
    std::size_t end = at + next.bytes;
    if (is_line_end(next.character)) {
      lines.emplace_back(utf8.substr(start, at - start));
      if (next.character == '\r' && end < utf8.size() && utf8[end] == '\n') ++end;
      start = end;
    }
    at = end;
  }
  if (start < utf8.size()) lines.emplace_back(utf8.substr(start));
  return lines;
}

std::string join(const std::vector<std::string>& pieces, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) out += separator;
    out += pieces[i];
  }
  return out;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  while (true) {
    const std::size_t at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

std::string without_ascii_punctuation(std::string_view text) {
  std::string out(text);
  std::erase_if(out, [](char c) { return kAsciiPunctuation.find(c) != std::string_view::npos; });
  return out;
}

std::string without_ascii_digits(std::string_view text) {
  std::string out(text);
  std::erase_if(out, [](char c) { return c >= '0' && c <= '9'; });
  return out;
}

std::string without_punctuation(std::string_view text) {
  static const Regex kPunctuation = Regex::fixed_pcre("\\p{P}+");
  const auto kept = kPunctuation.sub("", text);
  return kept ? *kept : std::string(text);
}

}  // namespace crucible::text
