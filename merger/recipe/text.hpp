#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Small text rules that recipes, requests and reports share.
namespace crucible::recipe {

// Shortest decimal text that reads back as exactly `value`: "0.3", "1e-05", "2".
std::string number_text(double value);

// A finite decimal number: sign, digits, point, exponent; spaces around it are allowed. No hex, no
// underscores, no "nan" or "inf". nullopt for anything else, and when the value overflows a double.
std::optional<double> parse_number(std::string_view text);

// true/false, yes/no, on/off (any case), 1/0.
std::optional<bool> parse_boolean(std::string_view text);

// The entry of `known` closest to `word` by Damerau-Levenshtein distance (optimal string
// alignment), ignoring case, if it is near enough to be a plausible typing mistake; else "".
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);
// "did you mean `weight`?", or "" when nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);
// "a, b, c".
std::string join(std::span<const std::string_view> words, std::string_view separator = ", ");

// Untrusted text for a message: control characters become '?', long text is cut to `limit` bytes at
// a character's border.
std::string printable(std::string_view text, std::size_t limit = 80);

// Byte offset of the first byte that is not valid UTF-8 (RFC 3629), or npos.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace crucible::recipe
