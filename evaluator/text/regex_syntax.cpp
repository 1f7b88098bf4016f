#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <string>

#include "evaluator/text/regex.hpp"

namespace crucible::text {
namespace {

// str.isspace: PCRE2's own \\s lacks U+001C..U+001F and has U+180E.
constexpr std::string_view kSpaces =
    "\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}"
    "\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

// Walks a Python pattern once and writes the PCRE2 form of it.
class Translation {
 public:
  Translation(std::string_view pattern, RegexFlags& flags) : in_(pattern), flags_(flags) {}

  Result<std::string> run() {
    take_global_flags();
    while (at_ < in_.size()) {
      const Status step = in_set_ ? set_step() : plain_step();
      if (!step) return fail(step.error());
    }
    if (in_set_) return bad("unterminated character set", "close the set with ']'");
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> bad(const std::string& what, const std::string& suggestion = {}) const {
    Error error{ErrorCode::kInvalidArgument,
                "regular expression: " + what + " at position " + std::to_string(at_),
                {}};
    if (!suggestion.empty()) error.message += "; " + suggestion;
    return fail(std::move(error));
  }
  bool starts(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  void copy(std::size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }

  // "(?aiLmsux)" at the start sets flags of the whole; a and u have no PCRE2 letter.
  void take_global_flags() {
    while (starts("(?")) {
      std::size_t end = at_ + 2;
      while (end < in_.size() && std::string_view("aimsux").find(in_[end]) != in_.npos) ++end;
      if (end == at_ + 2 || end >= in_.size() || in_[end] != ')') return;
      for (std::size_t i = at_ + 2; i < end; ++i) set_flag(in_[i]);
      at_ = end + 1;
    }
  }
  void set_flag(char letter) {
    flags_.ascii |= letter == 'a';
    flags_.ignore_case |= letter == 'i';
    flags_.multiline |= letter == 'm';
    flags_.dot_all |= letter == 's';
    flags_.verbose |= letter == 'x';
  }

  Status plain_step() {
    const char c = in_[at_];
    if (c == '\\') return escape();
    if (c == '[') {
      in_set_ = true;
      copy(1);
      if (starts("^")) copy(1);
      if (starts("]")) out_ += "\\]", ++at_;
      return {};
    }
    if (c == '(') return group();
    if (starts("{,")) return open_quantifier();
    if (flags_.verbose && c == '#') return comment();
    copy(1);
    return {};
  }

  // x{,3} is x{0,3} to Python and literal text to PCRE2 10.42.
  Status open_quantifier() {
    std::size_t end = at_ + 2;
    while (end < in_.size() && std::isdigit(static_cast<unsigned char>(in_[end])) != 0) ++end;
    const bool quantifier = end < in_.size() && in_[end] == '}' && at_ > 0;
    out_ += quantifier ? "{0," : "\\{,";
    at_ += 2;
    return {};
  }
  Status comment() {
    const std::size_t end = in_.find('\n', at_);
    copy((end == in_.npos ? in_.size() : end) - at_);
    return {};
  }

  // Groups that exist in PCRE2 only are refused: what is written for Python is all that may run.
  Status group() {
    if (starts("(*")) return bad("nothing to repeat");
    if (!starts("(?")) {
      copy(1);
      return {};
    }
    const char kind = at_ + 2 < in_.size() ? in_[at_ + 2] : '\0';
    const char next = at_ + 3 < in_.size() ? in_[at_ + 3] : '\0';
    const bool known = std::string_view(":=!>#(aimsux-").find(kind) != std::string_view::npos ||
                       (kind == '<' && (next == '=' || next == '!')) ||
                       (kind == 'P' && (next == '<' || next == '='));
    if (!known || kind == '\0') return bad("unknown extension ?" + std::string(1, kind));
    if (kind == '(' && (next == '?' || next == 'R' || next == 'D' || next == 'V')) {
      return bad("bad character in group name");
    }
    if (kind == 'a' || kind == 'u') return bad("global flags not at the start of the expression");
    copy(kind == 'P' || kind == '<' ? 4 : 3);
    return {};
  }

  Status escape() {
    if (at_ + 1 >= in_.size()) return bad("bad escape (end of pattern)");
    const char c = in_[at_ + 1];
    if (c == 'Z') return replace("\\z");
    if (c == 'B') return replace("(?!\\A\\z)\\B");  // never in an empty text
    if (c == 's' && !flags_.ascii) return replace("[" + std::string(kSpaces) + "]");
    if (c == 'S' && !flags_.ascii) return replace("[^" + std::string(kSpaces) + "]");
    return shared_escape(c, "AbBdDsSwW");
  }

  Status set_step() {
    const char c = in_[at_];
    if (c == ']') {
      in_set_ = false;
      copy(1);
      return {};
    }
    if (c == '[') return replace_one("\\[");
    if (c != '\\') {
      copy(1);
      return {};
    }
    if (at_ + 1 >= in_.size()) return bad("bad escape (end of pattern)");
    if (in_[at_ + 1] == 's' && !flags_.ascii) return replace(std::string(kSpaces));
    return shared_escape(in_[at_ + 1], "bdDsSwW");
  }

  // Escapes that mean the same inside and outside a set; `letters` are those passed through.
  Status shared_escape(char c, std::string_view letters) {
    if (c == 'u') return code_point(4);
    if (c == 'U') return code_point(8);
    if (c == 'v') return replace("\\x0b");
    if (c == 'x') return code_point(2);
    const bool letter = std::isalpha(static_cast<unsigned char>(c)) != 0;
    if (letter && std::string_view("afnrt").find(c) == std::string_view::npos &&
        letters.find(c) == std::string_view::npos) {
      return bad(std::string("bad escape \\") + c);
    }
    const auto lead = static_cast<unsigned char>(c);
    copy(1);
    if (lead >= 0x80U) {  // an escaped character beyond ASCII stands for itself
      out_.pop_back();
      copy(1);
    } else {
      copy(1);
    }
    return {};
  }
  Status code_point(std::size_t digits) {
    const std::string_view hex = in_.substr(at_ + 2, digits);
    for (const char digit : hex) {
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) return bad("incomplete escape");
    }
    if (hex.size() < digits) return bad("incomplete escape");
    out_ += "\\x{" + std::string(hex) + "}";
    at_ += 2 + digits;
    return {};
  }
  Status replace(const std::string& text) {
    out_ += text;
    at_ += 2;
    return {};
  }
  Status replace_one(const std::string& text) {
    out_ += text;
    at_ += 1;
    return {};
  }

  std::string_view in_;
  RegexFlags& flags_;
  std::string out_;
  std::size_t at_ = 0;
  bool in_set_ = false;
};

}  // namespace

Result<std::string> pcre_from_python(std::string_view pattern, RegexFlags& flags) {
  return Translation(pattern, flags).run();
}

std::string regex_escape(std::string_view text) {
  constexpr std::string_view kSpecial = "()[]{}?*+-|^$\\.&~# \t\n\r\v\f";
  std::string escaped;
  for (const char c : text) {
    if (kSpecial.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace crucible::text
