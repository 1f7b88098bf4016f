#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merger/base/error.hpp"

// Regular expressions in the syntax and with the meaning of Python's `re` on str, over UTF-8, run
// by PCRE2 10.42 (BSD) as machine code where it can. PCRE2 because tasks use look-behinds, back
// references and \w of Unicode: RE2 and Rust's regex have no look-around, std::regex has neither
// Unicode nor a bound on its recursion. A pattern is translated first: \Z, \s (which in Python
// takes in U+001C..U+001F),
// {,n}, "[" inside a set, \uXXXX, inline flags; "^" in multi-line mode matches after a final line
// feed; \B never matches in an empty text; only a line feed ends a line; empty matches are found
// as Python 3.7 finds them. Escapes and groups that Python does not have are refused.
//
// Left different: \S inside a set differs from str.isspace in U+001C..U+001F and U+180E; \w is the
// letters and numbers of Unicode's general categories; look-behinds may have alternatives of
// different lengths.
namespace crucible::text {

struct RegexFlags {
  bool ignore_case = false;
  bool multiline = false;
  bool dot_all = false;
  bool verbose = false;
  bool ascii = false;
};

// One match: where in the subject, group by group (group 0 is the whole); offsets are bytes.
class Match {
 public:
  static constexpr std::size_t kUnset = static_cast<std::size_t>(-1);

  std::size_t begin(std::size_t group = 0) const { return spans_[group].first; }
  std::size_t end(std::size_t group = 0) const { return spans_[group].second; }
  bool has(std::size_t group) const {
    return group < spans_.size() && spans_[group].first != kUnset;
  }
  // Text of a group, empty where it took no part. `subject` is what was searched.
  std::string_view group(std::string_view subject, std::size_t group = 0) const {
    return has(group) ? subject.substr(begin(group), end(group) - begin(group))
                      : std::string_view{};
  }
  std::size_t groups() const { return spans_.size() - 1; }

 private:
  friend class Regex;
  std::vector<std::pair<std::size_t, std::size_t>> spans_;
};

// A compiled expression. Copies share it; const methods are safe from several threads. Bytes that
// are not UTF-8 never match. A search that takes more than a fixed number of steps (2,000,000
// of the matcher's, 64 MiB, or 8 MiB of stack) ends as kUnsupported, so a hostile pattern or text
// costs seconds at most.
class Regex {
 public:
  // kInvalidArgument with the position and what is wrong; patterns over 64 KiB are refused.
  static Result<Regex> compile(std::string_view pattern, RegexFlags flags = {});
  // For patterns of this program: a fault is a bug and throws.
  static Regex fixed(std::string_view pattern, RegexFlags flags = {});
  // The same in PCRE2's own syntax, for \\p{…}, which Python lacks.
  static Regex fixed_pcre(std::string_view pattern);

  std::size_t groups() const { return groups_; }

  // re.search, re.match (at `from`), re.fullmatch, re.finditer, re.split, re.sub.
  Result<std::optional<Match>> search(std::string_view subject, std::size_t from = 0) const;
  Result<std::optional<Match>> match(std::string_view subject, std::size_t from = 0) const;
  Result<std::optional<Match>> fullmatch(std::string_view subject) const;
  Result<std::vector<Match>> find_all(std::string_view subject) const;
  Result<std::vector<std::string>> split(std::string_view subject) const;
  // `replacement` with \1, \g<1>, \g<0>, \g<name> and the escapes of Python string literals.
  Result<std::string> sub(std::string_view replacement, std::string_view subject) const;

 private:
  struct Code;
  static Result<Regex> build(std::string_view pcre, const RegexFlags& flags);
  enum class Anchor { kNone, kStart, kBoth };
  Result<std::optional<Match>> run(std::string_view subject, std::size_t from, Anchor anchor,
                                   bool not_empty_at_start) const;
  Result<std::string> expand(std::string_view replacement, std::string_view subject,
                             const Match& match) const;
  std::optional<std::size_t> group_number(const std::string& name) const;

  std::shared_ptr<const Code> code_;
  std::size_t groups_ = 0;
};

// The same expression in PCRE2's syntax; `flags` gains what the pattern's own "(?…)" prefix sets.
Result<std::string> pcre_from_python(std::string_view pattern, RegexFlags& flags);

// re.escape.
std::string regex_escape(std::string_view text);

}  // namespace crucible::text
