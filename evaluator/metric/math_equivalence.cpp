#include "evaluator/metric/math_equivalence.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "evaluator/metric/latex_expression.hpp"
#include "evaluator/metric/math_answer.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using text::Match;
using text::Regex;
using text::RegexFlags;

constexpr long double kTolerance = 1e-12L;
constexpr long double kRounding = 1e6L;  // decimals are compared to six places
constexpr int kMaxDepth = 20;

constexpr std::string_view kLatex =
    R"((?<!\\)\$\$((?:[^$]|\$(?!\$))+?)(?<!\\)\$\$|(?<!\\)\\\[((?:[^\\]|\\(?!\]))+?)\\\]|)"
    R"((?<!\\|\d)\$((?:\\[$]|[^\n$])+?)(?<!\\)\$|(?<!\\)\\\(((?:[^\\\n]|\\(?!\)))+?)\\\)|)"
    R"((-?\\frac\{-?\d+(?:[.,]\d+)?\}\{-?\d+(?:[.,]\d+)?\}))";
constexpr std::string_view kNumber =
    R"((?:^|\s|=)(?:\*\*)?[$€£¥]?(-?\(?-?\d[\d.\s+\-*/^()]*[+\-*/^()][\d.\s+\-*/^()]+\)?(?=[.,:\s)$]|\*\*|$)|)"
    R"(-?[1-9]\d{0,2}(?:[ ,]\d{3})+(?:\.\d+)?|-?\d+[.,]\d+|\.\d+|-?\d+))";

Regex anchored(const std::string& before, std::string_view what, const std::string& after = "") {
  return Regex::fixed(before + "(?:" + std::string(what) + ")" + after,
                      RegexFlags{.dot_all = true});
}

// The group that matched, without thousands separators where it is a plain number.
std::string content(const Match& match, const std::string& text) {
  for (std::size_t i = 1; i <= match.groups(); ++i) {
    if (match.has(i)) return std::string(text::strip(match.group(text, i)));
  }
  return {};
}

std::string plain_number(std::string number) {
  static const Regex kThousands = Regex::fixed(R"(-?[1-9]\d{0,2}(?:[ ,]\d{3})+(?:\.\d+)?)");
  const auto match = kThousands.fullmatch(number);
  if (match && *match) {
    std::erase_if(number, [](char c) { return c == ',' || c == ' '; });
    return number;
  }
  return text::replace(number, ",", ".");
}

struct Place {
  std::size_t end = 0;
  std::size_t begin = 0;
  std::string content;
};

// The match that ends last; of those the longest.
std::optional<std::string> rightmost(const Regex& latex, const Regex& number,
                                     const std::string& text) {
  std::optional<Place> best;
  const auto offer = [&](const Regex& regex, bool is_number) {
    const auto matches = regex.find_all(text);
    if (!matches || matches->empty()) return;
    const Match& last = matches->back();
    const bool later =
        !best || last.end() > best->end || (last.end() == best->end && last.begin() < best->begin);
    if (!later) return;
    std::string found = content(last, text);
    best = Place{last.end(), last.begin(), is_number ? plain_number(std::move(found)) : found};
  };
  offer(latex, false);
  offer(number, true);
  return best ? std::optional(best->content) : std::nullopt;
}

struct Anchors {
  Regex latex;
  Regex number;
};
const std::vector<Anchors>& anchors_before_box() {
  static const std::vector<Anchors> kAnchors = {
      {anchored(R"((?i:final answer is)\:?\s*)", kLatex, R"(\.?\s?I hope)"),
       anchored(R"((?i:final answer is)\:?\s*)", kNumber, R"(\.?\s?I hope)")}};
  return kAnchors;
}
const std::vector<Anchors>& anchors_after_box() {
  static const std::vector<Anchors> kAnchors = {
      {anchored(R"((?i:final answer.{0,100}?)\s+is\:?\s*)", kLatex),
       anchored(R"((?i:final answer.{0,100}?)\s+is\:?)", kNumber)},
      {anchored(R"((?i:answer):.{0,50}?)", kLatex),
       anchored(R"((?i:answer):(?:.{0,100}=\s*|.{0,50}?))", kNumber, R"((?!\s*=))")},
      {anchored(R"((?i:answer).{0,50}?)", kLatex),
       anchored(R"((?i:answer)(?:.{0,100}=\s*|.{0,50}?))", kNumber, R"((?!\s*=))")},
      {anchored("", kLatex), anchored("", kNumber)}};
  return kAnchors;
}

constexpr std::string_view kUnitWords =
    "units?|degrees?|cm|km|mm|ft|feet|foot|inch(?:es)?|in|miles?|mph|meters?|m|square units|"
    "square (?:feet|inches|cm|meters)|cubic (?:feet|inches|cm|units)|hours?|minutes?|seconds?|"
    "days?|years?|pounds?|dollars?|cents?|ways|points|students|people|sides";

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
      {Regex::fixed(R"((?<=[\d}\s)])\s*\\text\{\s*[a-zA-Z .]+\}(?:\^\{?[23]\}?)?$)"), ""},
      {Regex::fixed(R"((?<=[\d})\s])\s*(?:)" + std::string(kUnitWords) + ")$"), ""},
      {Regex::fixed(R"(\\text\{([^{}]*)\})"), R"(\1)"},
      {Regex::fixed(R"(\\frac(\d)(\d+))"), R"(\\frac{\1}{\2})"}};
  static const Regex kThousands = Regex::fixed(R"((?<=\d),(?=\d{3}(?:\D|$)))");
  for (const auto& [from, to] : kReplaced) value = text::replace(value, from, to);
  for (const auto& [regex, to] : kRules) {
    if (auto changed = regex.sub(to, value)) value = std::move(*changed);
  }
  static const Regex kGrouped = Regex::fixed(R"(\s*-?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*)");
  const auto grouped = kGrouped.fullmatch(value);
  if (grouped && *grouped) {
    if (auto changed = kThousands.sub("", value)) value = std::move(*changed);
  }
  return std::string(text::rstrip(text::strip(value), "."));
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

bool equal_values(const std::string& reference, const std::string& given) {
  const auto with_zero = [](const std::string& value) {
    return value.starts_with('.') ? "0" + value : text::replace(value, "-.", "-0.");
  };
  const std::string left = with_zero(reference);
  const std::string right = with_zero(given);
  const auto a = Expression::parse(left);
  const auto b = Expression::parse(right);
  if (!a || !b || a->is_relation() || b->is_relation()) return false;
  if (a->consumed() < left.size() || b->consumed() < right.size()) return false;
  const bool rounded = has_decimal_point(left) || has_decimal_point(right);
  for (unsigned point = 0; point < 3; ++point) {
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

bool equal_relations(const std::string& reference, const std::string& given, int depth) {
  const auto a = sides_of(reference, "=");
  const auto b = sides_of(given, "=");
  if (a && b) {
    return (equal(a->first, b->first, depth) && equal(a->second, b->second, depth)) ||
           (equal(a->first, b->second, depth) && equal(a->second, b->first, depth)) ||
           equal_values(a->first + "-(" + a->second + ")", b->first + "-(" + b->second + ")");
  }
  if (a && is_name(a->first)) return equal(a->second, given, depth);
  if (b && is_name(b->first)) return equal(reference, b->second, depth);
  return false;
}

bool equal(const std::string& reference, const std::string& given, int depth) {
  if (depth > kMaxDepth || reference.empty() || given.empty()) return false;
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
  if (first_list || second_list) return false;
  if (reference.find('=') != std::string::npos || given.find('=') != std::string::npos) {
    return equal_relations(reference, given, depth + 1);
  }
  const bool percent = reference.ends_with('%');
  if (percent || given.ends_with('%')) {
    const auto bare = [](const std::string& value) {
      return std::string(text::strip(text::rstrip(value, "%\\")));
    };
    if (percent == given.ends_with('%')) return equal(bare(reference), bare(given), depth + 1);
    return percent ? equal_values(bare(reference) + "/100", given)
                   : equal_values(reference, bare(given) + "/100");
  }
  return equal_values(reference, given);
}

}  // namespace

std::optional<std::string> extract_answer(const std::string& text) {
  for (const Anchors& anchors : anchors_before_box()) {
    if (auto found = rightmost(anchors.latex, anchors.number, text)) return found;
  }
  if (const auto boxed = last_boxed(text)) {
    if (auto inside = remove_boxed(*boxed)) return inside;
  }
  for (const Anchors& anchors : anchors_after_box()) {
    if (auto found = rightmost(anchors.latex, anchors.number, text)) return found;
  }
  return std::nullopt;
}

bool same_answer(const std::string& reference, const std::string& given) {
  return equal(cleaned(reference), cleaned(given), 0);
}

}  // namespace crucible::metric
