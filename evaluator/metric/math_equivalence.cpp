#include "evaluator/metric/math_equivalence.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "evaluator/metric/latex_expression.hpp"
#include "evaluator/metric/math_extraction.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using text::Regex;
using text::RegexFlags;

constexpr long double kTolerance = 1e-12L;
constexpr long double kRounding = 1e6L;  // decimals are compared to six places
constexpr int kMaxDepth = 20;
constexpr std::size_t kMaxText = 50'000;  // bytes of an answer

constexpr std::string_view kUnitWords =
    "units?|degrees?|cm|km|mm|ft|feet|foot|inch(?:es)?|in|miles?|mph|meters?|m|square units|"
    "square (?:feet|inches|cm|meters)|cubic (?:feet|inches|cm|units)|hours?|minutes?|seconds?|"
    "days?|years?|pounds?|dollars?|cents?|ways|points|students|people|sides";

// Without a unit in \\text{…} at the end, unless that is all there is.
std::string without_unit_text(const std::string& value) {
  static const Regex kUnit = Regex::fixed(R"(\\text\{.*?\}(?:\^\d|\^\{\d\})?$)");
  const auto changed = kUnit.sub("", value);
  if (!changed || text::strip(*changed).empty()) return value;
  return std::string(text::strip(*changed));
}

std::string cleaned(std::string value) {
  static constexpr std::array<std::array<const char*, 2>, 21> kReplaced = {{{"\\dfrac", "\\frac"},
                                                                            {"\\tfrac", "\\frac"},
                                                                            {"\\left", ""},
                                                                            {"\\right", ""},
                                                                            {"\\!", ""},
                                                                            {"\\,", ""},
                                                                            {"\\;", ""},
                                                                            {"\\:", ""},

                                                                            {"{,}", ""},
                                                                            {"\\$", ""},
                                                                            {"$", ""},
                                                                            {"^{\\circ}", ""},
                                                                            {"^\\circ", ""},
                                                                            {"\\mbox", "\\text"},
                                                                            {"\\textbf", "\\text"},
                                                                            {"\\mathrm", "\\text"},
                                                                            {"\\quad", ""},
                                                                            {"\\displaystyle", ""},
                                                                            {"\\lbrace", "\\{"},
                                                                            {"\\rbrace", "\\}"},
                                                                            {"\n", " "}}};
  static const std::vector<std::pair<Regex, const char*>> kRules = {
      {Regex::fixed(R"((?<!\\)\\ )"), ""},
      {Regex::fixed(R"((?<=[\d})\s])\s*(?:)" + std::string(kUnitWords) + ")$"), ""},
      {Regex::fixed(R"(\\text\{([^{}]*)\})"), R"(\1)"},
      {Regex::fixed(R"((?<=\d)_(?:\{\w+\}|\w))"), ""},
      {Regex::fixed(R"((?<![\w}.])(\d+)\s*\\frac\{(\d+)\}\{(\d+)\})"), R"((\1+\\frac{\2}{\3}))"},
      {Regex::fixed(R"(\^\s?\((.*?)\))"), R"(^{\1})"},
      {Regex::fixed(R"(\\?sqrt\s?\((.*?)\))"), R"(\\sqrt{\1})"},
      {Regex::fixed(R"(\\sqrt\s?([\da-zA-Z]))"), R"(\\sqrt{\1})"},
      {Regex::fixed(R"(\\log_\s?(\d)\s?(\d+))"), R"(\\log_{\1}{\2})"},
      {Regex::fixed(R"(\\frac\s?(\d)\s?(\d+))"), R"(\\frac{\1}{\2})"},
      {Regex::fixed(R"(\\frac\s?\{(.*?)\}\s?(\d))"), R"(\\frac{\1}{\2})"},
      {Regex::fixed(R"(\\frac\s?(\d)\s?\{(.*?)\})"), R"(\\frac{\1}{\2})"}};
  static const Regex kThousands = Regex::fixed(R"((?<=\d),(?=\d{3}(?:\D|$)))");
  for (const auto& [from, to] : kReplaced) value = text::replace(value, from, to);
  value = without_unit_text(std::string(text::strip(value)));
  for (const auto& [regex, to] : kRules) {
    if (auto changed = regex.sub(to, value)) value = std::move(*changed);
  }
  static const Regex kGrouped = Regex::fixed(R"(\s*-?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*)");
  const auto grouped = kGrouped.fullmatch(value);
  if (grouped && *grouped) {
    if (auto changed = kThousands.sub("", value)) value = std::move(*changed);
  }
  return std::string(text::strip(value));
}

// "a, b, c" at the top level of brackets.
std::vector<std::string> elements(const std::string& list) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == ',' && depth <= 0) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  for (std::string& element : out) element = std::string(text::strip(element));
  return out;
}

// A bracketed or bare list: its brackets and elements.
struct Listing {
  std::string open;
  std::string close;
  std::vector<std::string> elements;
  bool ordered() const { return !open.empty() && open != "\\{"; }
};
std::optional<Listing> listing(const std::string& value) {
  Listing out;
  std::string inside = value;
  for (const auto& [open, close] : {std::pair<const char*, const char*>{"\\{", "\\}"},
                                    {"(", ")"},
                                    {"(", "]"},
                                    {"[", ")"},
                                    {"[", "]"}}) {
    const std::string_view whole(value);
    const std::size_t brackets = std::string_view(open).size() + std::string_view(close).size();
    if (value.size() < brackets || !whole.starts_with(open) || !whole.ends_with(close)) continue;
    inside = value.substr(std::string_view(open).size(), value.size() - brackets);
    out.open = open;
    out.close = close;
    break;
  }
  out.elements = elements(inside);
  if (out.elements.size() < 2 && out.open != "\\{") return std::nullopt;
  return out;
}

bool equal(const std::string& reference, const std::string& given, int depth);

bool equal_lists(const Listing& reference, const Listing& given, int depth) {
  if (reference.elements.size() != given.elements.size()) return false;
  if (reference.ordered() || given.ordered()) {
    const bool both = reference.ordered() && given.ordered();
    if (both && (reference.open != given.open || reference.close != given.close)) return false;
    for (std::size_t i = 0; i < reference.elements.size(); ++i) {
      if (!equal(reference.elements[i], given.elements[i], depth)) return false;
    }
    return true;
  }
  std::vector<std::string> left = given.elements;
  for (const std::string& element : reference.elements) {
    const auto found = std::find_if(left.begin(), left.end(), [&](const std::string& other) {
      return equal(element, other, depth);
    });
    if (found == left.end()) return false;
    left.erase(found);
  }
  return true;
}

// A set all of whose elements are equal is a set of one.
bool is_one_value(const Listing& list, const std::string& value, int depth) {
  return list.open.empty() && std::ranges::all_of(list.elements, [&](const std::string& element) {
           return equal(element, value, depth);
         });
}

// Rows and cells of \begin{pmatrix}…\end{pmatrix}.
std::optional<std::vector<std::string>> matrix_cells(const std::string& value) {
  static const Regex kMatrix =
      Regex::fixed(R"(\\begin\{[pbvB]?matrix\}(.*)\\end\{[pbvB]?matrix\})", {.dot_all = true});
  const auto match = kMatrix.fullmatch(value);
  if (!match || !*match) return std::nullopt;
  std::vector<std::string> cells;
  for (const std::string& row : text::split((*match)->group(value, 1), "\\\\")) {
    if (text::strip(row).empty()) continue;
    for (const std::string& cell : text::split(row, "&")) {
      cells.emplace_back(text::strip(cell));
    }
    cells.emplace_back("\\\\");  // keeps the shape
  }
  return cells;
}

bool has_decimal_point(const std::string& value) {
  for (std::size_t i = 0; i + 1 < value.size(); ++i) {
    if (value[i] == '.' && std::isdigit(static_cast<unsigned char>(value[i + 1])) != 0) return true;
  }
  return false;
}

std::optional<std::pair<std::string, std::string>> sides_of(const std::string& value,
                                                            std::string_view relation) {
  const std::vector<std::string> parts = text::split(value, relation);
  if (parts.size() != 2) return std::nullopt;
  return std::pair(std::string(text::strip(parts[0])), std::string(text::strip(parts[1])));
}

bool is_name(const std::string& value) {
  static const Regex kName = Regex::fixed(R"(\\?[a-zA-Z]+(?:_\{?\w+\}?)?|[a-zA-Z]\([a-zA-Z]\))");
  const auto match = kName.fullmatch(value);
  return match && *match;
}

std::string with_zero(const std::string& value) {
  static const Regex kPoint = Regex::fixed(R"((?<!\d)\.(?=\d))");
  const auto changed = kPoint.sub("0.", value);
  return changed ? *changed : value;
}

bool equal_values(const std::string& reference, const std::string& given) {
  const std::string left = with_zero(reference);
  const std::string right = with_zero(given);
  const auto a = Expression::parse(left);
  const auto b = Expression::parse(right);
  if (!a || !b || a->is_relation() || b->is_relation()) return false;
  if (a->consumed() < left.size() || b->consumed() < right.size()) return false;
  const bool rounded = has_decimal_point(left) || has_decimal_point(right);
  for (unsigned point = 0; point < 4; ++point) {
    const Complex x = a->evaluate(point, true);
    const Complex y = b->evaluate(point, true);
    const long double size = std::abs(x) + std::abs(y);
    if (!std::isfinite(size)) return false;
    if (rounded && std::round(x.real() * kRounding) == std::round(y.real() * kRounding) &&
        std::round(x.imag() * kRounding) == std::round(y.imag() * kRounding)) {
      continue;
    }
    if (std::abs(x - y) > kTolerance * std::max(size, 1e-6L)) return false;
  }
  return true;
}

bool is_integer(const std::string& value) {
  const std::size_t start = value.starts_with('-') ? 1 : 0;
  return value.size() > start && value.find_first_not_of("0123456789", start) == std::string::npos;
}

// 9% is 0.09, and 9 where the other side is a whole number, too.
bool equal_percents(const std::string& reference, const std::string& given) {
  const auto bare = [](const std::string& value) {
    return std::string(text::strip(text::rstrip(value, "%\\ ")));
  };
  const std::string left = bare(reference);
  const std::string right = bare(given);
  if (reference.ends_with('%') == given.ends_with('%')) return equal_values(left, right);
  if (is_integer(left) && is_integer(right)) return equal_values(left, right);
  return reference.ends_with('%') ? equal_values("(" + left + ")/100", right)
                                  : equal_values(left, "(" + right + ")/100");
}

// Whether the first bracket of a value is closed by its last character.
bool is_enclosed(const std::string& value) {
  if (value.size() < 3 || value.front() != '(' || value.back() != ')') return false;
  int depth = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '(' || value[i] == '[' || value[i] == '{') ++depth;
    if (value[i] == ')' || value[i] == ']' || value[i] == '}') --depth;
    if (depth == 0 && i + 1 < value.size()) return false;
  }
  return depth == 0;
}

// Without brackets around all of it, where these do not make it a list.
std::string without_brackets(std::string value) {
  for (int i = 0; i < kMaxDepth && is_enclosed(value); ++i) {
    const std::string inside(text::strip(std::string_view(value).substr(1, value.size() - 2)));
    const bool matrix = inside.starts_with("\\begin");
    if (!matrix && elements(inside).size() > 1) break;
    value = inside;
  }
  return value;
}

// "x = 5" as 5 where the other side is no equation; the reference's left side has to be a name.
std::string without_left_side(const std::string& value, const std::string& other, bool any) {
  if (other.find('=') != std::string::npos || value.find_first_of("<>") != std::string::npos) {
    return value;
  }
  const std::vector<std::string> parts = text::split(value, "=");
  const std::string left(text::strip(parts.front()));
  if (parts.size() < 2 || !(any || is_name(left)) || elements(left).size() > 1) return value;
  const bool several = elements(value).size() > 1 || value.find("\\begin") != std::string::npos;
  if (parts.size() > 2 && several) return value;
  return std::string(text::strip(parts.back()));
}

bool equal_relations(const std::string& reference, const std::string& given, int depth) {
  const auto a = sides_of(reference, "=");
  const auto b = sides_of(given, "=");
  if (a && b) {
    return (equal(a->first, b->first, depth) && equal(a->second, b->second, depth)) ||
           (equal(a->first, b->second, depth) && equal(a->second, b->first, depth)) ||
           equal_values(a->first + "-(" + a->second + ")", b->first + "-(" + b->second + ")");
  }
  return false;
}

bool equal(const std::string& first, const std::string& second, int depth) {
  if (depth > kMaxDepth || first.empty() || second.empty()) return false;
  const std::string reference = without_brackets(without_left_side(first, second, false));
  const std::string given = without_brackets(without_left_side(second, first, true));
  if (text::replace(reference, " ", "") == text::replace(given, " ", "")) return true;
  const auto first_cells = matrix_cells(reference);
  const auto second_cells = matrix_cells(given);
  if (first_cells && second_cells) {
    return first_cells->size() == second_cells->size() &&
           std::equal(first_cells->begin(), first_cells->end(), second_cells->begin(),
                      [&](const auto& a, const auto& b) { return equal(a, b, depth + 1); });
  }
  const auto first_list = listing(reference);
  const auto second_list = listing(given);
  if (first_list && second_list) return equal_lists(*first_list, *second_list, depth + 1);
  if (first_list) return is_one_value(*first_list, given, depth + 1);
  if (second_list) return is_one_value(*second_list, reference, depth + 1);
  if (reference.find('=') != std::string::npos || given.find('=') != std::string::npos) {
    return equal_relations(reference, given, depth + 1);
  }
  if (reference.ends_with('%') || given.ends_with('%')) return equal_percents(reference, given);
  return equal_values(reference, given);
}

}  // namespace

bool verifies_answer(const std::string& reference, const std::string& text) {
  if (text.size() > kMaxText) return false;
  const WrittenAnswer answer = written_answer(text);
  const std::string expected = cleaned(reference);
  const auto unspaced = [](const std::string& value) { return text::replace(value, " ", ""); };
  if (answer.first && unspaced(cleaned(*answer.first)) == unspaced(expected)) return true;
  return answer.value && is_formula(reference) && equal(expected, cleaned(*answer.value), 0);
}

}  // namespace crucible::metric
