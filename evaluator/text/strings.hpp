#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Python's str methods on UTF-8, with Unicode 14 as Python 3.11 has it. A byte that is not part of
// UTF-8 counts as U+FFFD where a method looks at characters.
namespace crucible::text {

// Characters of a string, and back.
std::u32string decode_utf8(std::string_view utf8);
std::string encode_utf8(std::u32string_view characters);
void append_utf8(std::string& out, char32_t character);
std::size_t length(std::string_view utf8);  // len()
// text[from:to] by characters, without negative indices; past the end is cut.
std::string slice(std::string_view utf8, std::size_t from, std::size_t to = std::string::npos);

// str.isspace of one character.
bool is_space(char32_t character);
bool is_upper(std::string_view utf8);  // str.isupper
bool is_lower(std::string_view utf8);  // str.islower

// strip(), lstrip(), rstrip() of whitespace; the result lies within the argument.
std::string_view strip(std::string_view utf8);
std::string_view lstrip(std::string_view utf8);
std::string_view rstrip(std::string_view utf8);
// The same of the given ASCII characters.
std::string_view strip(std::string_view utf8, std::string_view characters);
std::string_view lstrip(std::string_view utf8, std::string_view characters);
std::string_view rstrip(std::string_view utf8, std::string_view characters);
std::string_view remove_prefix(std::string_view text, std::string_view prefix);
std::string_view remove_suffix(std::string_view text, std::string_view suffix);

std::string lower(std::string_view utf8);
std::string upper(std::string_view utf8);
std::string casefold(std::string_view utf8);
std::string capitalize(std::string_view utf8);  // first character to title case, the rest lower

std::vector<std::string> split(std::string_view utf8);  // by runs of whitespace
// By a separator, which is not empty; always at least one piece.
std::vector<std::string> split(std::string_view text, std::string_view separator);
std::vector<std::string> splitlines(std::string_view utf8);
std::string join(const std::vector<std::string>& pieces, std::string_view separator);
std::string replace(std::string_view text, std::string_view from, std::string_view to);

// str.translate with a table that deletes string.punctuation, string.digits.
std::string without_ascii_punctuation(std::string_view text);
std::string without_ascii_digits(std::string_view text);
// Without the characters of Unicode's punctuation categories (P*).
std::string without_punctuation(std::string_view text);
inline constexpr std::string_view kAsciiPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

// repr(float): the shortest digits that read back, "1e-05", "2.0", "nan".
std::string float_repr(double value);
// float(text) as Python reads it: surrounding whitespace, underscores between digits, "inf",
// "nan"; false when it raises.
bool parse_float(std::string_view text, double& value);

}  // namespace crucible::text
