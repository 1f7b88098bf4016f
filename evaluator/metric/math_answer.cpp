#include "evaluator/metric/math_answer.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using text::Regex;

std::string sub(const Regex& regex, std::string_view replacement, const std::string& value) {
  auto changed = regex.sub(replacement, value);
  if (!changed) return value;
  return std::move(*changed);
}

// \frac1b and \frac12 with braces; nothing where an argument is missing.
std::optional<std::string> with_fraction_braces(const std::string& answer) {
  const std::vector<std::string> parts = text::split(answer, "\\frac");
  std::string out = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    out += "\\frac";
    if (parts[i].empty()) return std::nullopt;
    if (parts[i][0] == '{') {
      out += parts[i];
      continue;
    }
    const std::u32string part = text::decode_utf8(parts[i]);
    if (part.size() < 2) return answer;
    const std::string top = text::encode_utf8(part.substr(0, 1));
    const std::string bottom = text::encode_utf8(part.substr(1, 1));
    const std::string rest = text::encode_utf8(part.substr(2));
    out += bottom == "{" ? "{" + top + "}{" + rest : "{" + top + "}{" + bottom + "}" + rest;
  }
  return out;
}

std::optional<std::string> with_root_braces(const std::string& answer) {
  const std::vector<std::string> parts = text::split(answer, "\\sqrt");
  std::string out = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].empty()) return std::nullopt;
    if (parts[i][0] == '{') {
      out += "\\sqrt" + parts[i];
      continue;
    }
    const std::u32string part = text::decode_utf8(parts[i]);
    out +=
        "\\sqrt{" + text::encode_utf8(part.substr(0, 1)) + "}" + text::encode_utf8(part.substr(1));
  }
  return out;
}

// int(text) and back: the same string.
bool is_plain_integer(const std::string& number) {
  const std::size_t start = number.starts_with('-') ? 1 : 0;
  if (number.size() == start || number.size() > 4000) return false;
  if (number[start] == '0' && (number.size() > start + 1 || start == 1)) return false;
  return std::all_of(number.begin() + static_cast<std::ptrdiff_t>(start), number.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// Whether int(text) would work at all, whatever the spelling; else the original raises.
bool reads_as_integer(const std::string& number) {
  static const Regex kInteger = Regex::fixed(R"(\s*[+-]?\d+(?:_\d+)*\s*)");
  const auto match = kInteger.fullmatch(number);
  return match && match->has_value();
}

std::optional<std::string> slash_as_fraction(const std::string& answer, SlashRule rule) {
  const std::vector<std::string> parts = text::split(answer, "/");
  if (parts.size() != 2) return answer;
  if (!reads_as_integer(parts[0]) || !reads_as_integer(parts[1])) {
    return rule == SlashRule::kLenient ? std::optional(answer) : std::nullopt;
  }
  if (!is_plain_integer(parts[0]) || !is_plain_integer(parts[1])) return answer;
  return "\\frac{" + parts[0] + "}{" + parts[1] + "}";
}

const std::vector<std::string>& removed_expressions() {
  static const std::vector<std::string> kExpressions = {"square",       "ways",
                                                        "integers",     "dollars",
                                                        "mph",          "inches",
                                                        "ft",           "hours",
                                                        "km",           "units",
                                                        "\\ldots",      "sue",
                                                        "points",       "feet",
                                                        "minutes",      "digits",
                                                        "cents",        "degrees",
                                                        "cm",           "gm",
                                                        "pounds",       "meters",
                                                        "meals",        "edges",
                                                        "students",     "childrentickets",
                                                        "multiples",    "\\text{s}",
                                                        "\\text{.}",    "\\text{\ns}",
                                                        "\\text{}^2",   "\\text{}^3",
                                                        "\\text{\n}",   "\\text{}",
                                                        "\\mathrm{th}", "^\\circ",
                                                        "^{\\circ}",    "\\;",
                                                        ",\\!",         "{,}",
                                                        "\"",           "\\dots"};
  return kExpressions;
}

std::optional<std::string> between_dollars(const std::string& value) {
  static const Regex kDollars = Regex::fixed(R"(\$(.*)\$)");
  const auto matches = kDollars.find_all(value);
  if (!matches || matches->empty()) return std::nullopt;
  std::string last(matches->back().group(value, 1));
  if (last.find('=') != std::string::npos) {
    last = std::string(text::lstrip(text::split(last, "=").back(), " "));
  }
  return last;
}

std::optional<std::string> without_dollars(const std::string& value) {
  static const Regex kNumber = Regex::fixed(R"((?:\$)?\d+(?:\.\d+)?(?![\w\d]))");
  if (value.find('=') != std::string::npos) {
    const std::string last = text::split(value, "=").back();
    const std::string plain(text::rstrip(text::lstrip(last, " "), "."));
    return text::split(plain, "\\n").front();
  }
  const auto matches = kNumber.find_all(value);
  if (!matches || matches->empty()) return std::nullopt;
  return std::string(matches->back().group(value));
}

}  // namespace

std::optional<std::string> last_boxed(const std::string& solution) {
  if (solution.find("\\boxed ") != std::string::npos) {
    const std::string last = text::split(solution, "\\boxed ").back();
    return "\\boxed " + text::split(last, "$").front();
  }
  std::size_t begin = solution.rfind("\\boxed");
  if (begin == std::string::npos) begin = solution.rfind("\\fbox");
  if (begin == std::string::npos) return std::nullopt;
  long open = 0;
  for (std::size_t i = begin; i < solution.size(); ++i) {
    if (solution[i] == '{') ++open;
    if (solution[i] == '}' && --open == 0) return solution.substr(begin, i + 1 - begin);
  }
  return std::nullopt;
}

std::optional<std::string> remove_boxed(const std::string& boxed) {
  constexpr std::string_view kSpaced = "\\boxed ";
  constexpr std::string_view kBraced = "\\boxed{";
  if (boxed.find(kSpaced) != std::string::npos) {
    if (!boxed.starts_with(kSpaced)) return std::nullopt;
    return boxed.substr(kSpaced.size());
  }
  if (!boxed.starts_with(kBraced) || !boxed.ends_with('}')) return std::nullopt;
  return boxed.substr(kBraced.size(), boxed.size() - kBraced.size() - 1);
}

std::optional<std::string> hendrycks_normal(const std::string& answer, SlashRule rule) {
  static constexpr std::array<std::array<const char*, 2>, 10> kReplaced = {{{"\n", ""},
                                                                            {"\\!", ""},
                                                                            {"\\\\", "\\"},
                                                                            {"tfrac", "frac"},
                                                                            {"dfrac", "frac"},
                                                                            {"\\left", ""},
                                                                            {"\\right", ""},
                                                                            {"^{\\circ}", ""},
                                                                            {"^\\circ", ""},
                                                                            {"\\$", ""}}};
  std::string value = answer;
  for (const auto& [from, to] : kReplaced) value = text::replace(value, from, to);
  const std::vector<std::string> unit = text::split(value, "\\text{ ");
  if (unit.size() > 2) return std::nullopt;
  value = text::replace(unit[0], "\\%", "");
  value = text::replace(value, " .", " 0.");
  value = text::replace(value, "{.", "{0.");
  if (value.empty()) return value;
  if (value[0] == '.') value = "0" + value;
  const std::vector<std::string> sides = text::split(value, "=");
  if (sides.size() == 2 && text::length(sides[0]) <= 2) value = sides[1];
  auto braced = with_root_braces(value);
  if (!braced) return std::nullopt;
  braced = with_fraction_braces(text::replace(*braced, " ", ""));
  if (!braced) return std::nullopt;
  if (*braced == "0.5") braced = "\\frac{1}{2}";
  return slash_as_fraction(*braced, rule);
}

bool hendrycks_equal(const std::string& first, const std::string& second, SlashRule rule) {
  const auto a = hendrycks_normal(first, rule);
  const auto b = hendrycks_normal(second, rule);
  return a && b ? *a == *b : first == second;
}

std::string minerva_final_answer(const std::string& text) {
  static const Regex kAnswer =
      Regex::fixed(R"(Final Answer: The final answer is(.*?). I hope it is correct.)");
  const std::string ended = text + "I hope it is correct.";
  const auto match = kAnswer.search(ended);
  if (!match || !*match) return std::string(kInvalidAnswer);
  return std::string(text::strip((*match)->group(ended, 1)));
}

std::string leaderboard_normal(const std::string& answer) {
  static constexpr std::array<std::array<const char*, 2>, 10> kSubstituted = {
      {{"an ", ""},
       {"a ", ""},
       {".$", "$"},
       {"\\$", ""},
       {"\\ ", ""},
       {" ", ""},
       {"mbox", "text"},
       {",\\text{and}", ","},
       {"\\text{and}", ","},
       {"\\text{m}", "\\text{}"}}};
  static const std::vector<std::pair<Regex, const char*>> kRules = {
      {Regex::fixed(R"((.*?)(\$)(.*?)(\$)(.*))"), R"($\3$)"},
      {Regex::fixed(R"((\\text\{)(.*?)(\}))"), R"(\2)"},
      {Regex::fixed(R"((\\textbf\{)(.*?)(\}))"), R"(\2)"},
      {Regex::fixed(R"((\\overline\{)(.*?)(\}))"), R"(\2)"},
      {Regex::fixed(R"((\\boxed\{)(.*)(\}))"), R"(\2)"},
      {Regex::fixed(R"((frac)([^{])(.))"), R"(frac{\2}{\3})"},
      {Regex::fixed(R"((sqrt)([^{]))"), R"(sqrt{\2})"}};
  std::string value = text::split(answer, "=").back();
  for (const auto& [from, to] : kSubstituted) value = text::replace(value, from, to);
  for (const std::string& expression : removed_expressions()) {
    value = text::replace(value, expression, "");
  }
  for (const auto& [regex, replacement] : kRules) value = sub(regex, replacement, value);
  value = text::replace(value, "$", "");
  const std::string digits = text::replace(value, ",", "");
  const bool number = !digits.empty() && std::all_of(digits.begin(), digits.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
  return number ? digits : value;
}

std::optional<std::string> agieval_math_answer(const std::string& text) {
  if (text.find("\\boxed") != std::string::npos) {
    const std::size_t begin = text.rfind("\\boxed");
    long open = 0;
    for (std::size_t i = begin; i < text.size(); ++i) {
      if (text[i] == '{') ++open;
      if (text[i] != '}' || --open != 0) continue;
      const std::string boxed = text.substr(begin, i + 1 - begin);
      if (!boxed.starts_with("\\boxed{")) return std::nullopt;
      const std::string inside = boxed.substr(7, boxed.size() - 8);
      if (inside.find('=') == std::string::npos) return inside;
      return std::string(text::lstrip(text::split(inside, "=").back(), " "));
    }
    return std::nullopt;
  }
  const auto dollars = between_dollars(text);
  return dollars && !dollars->empty() ? dollars : without_dollars(text);
}

}  // namespace crucible::metric
