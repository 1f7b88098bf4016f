#include "evaluator/metric/math_extraction.hpp"

#include <algorithm>
#include <string_view>
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

constexpr std::string_view kFormula =
    R"((?:(?<!\\)\$\$((?:[^$]|\$(?!\$))+?)(?<!\\)\$\$|(?<!\\)\\\[((?:[^\\]|\\(?!\]))+?)\\\]|)"
    R"((?<!\\|\d)\$((?:\\[$]|[^\n$])+?)(?<!\\)\$|(?<!\\)\\\(((?:[^\\\n]|\\(?!\)))+?)\\\)|)"
    R"(\s\[([^\n\]\[]+?)\]\s|)"
    R"((-?\\frac\{-?\d+(?:[.,]\d+)?\}\{-?\d+(?:[.,]\d+)?\})))";
constexpr std::string_view kCalculation =
    R"((?:^|\s|=)(?:\*\*)?(-?\(?-?\d[\d.\s+\-*×/^()÷]*[+\-*×/^()÷][\d.\s+\-*×/^()÷]+\)?))"
    R"((?:\*\*)?(?:[.,:\s)$]|$))";
constexpr std::string_view kNumber =
    R"((?:^|\s|=)(?:\*\*)?[$€£¥₹]?(?<!\d)(-?[1-9]\d{0,2}(?:[ ,]\d{3})+(?:\.\d+)?|-?\d+[.,]\d+|)"
    R"(\.\d+|-?\d+)(\s*(?:%|[Pp]ercent|[Pp]ct))?)";

constexpr std::size_t kMaxBoxes = 20;

std::string formulas() {
  std::string list(kFormula);
  for (int i = 1; i < 6; ++i) {
    list += R"((?:\s*(?:,?and|,?or|,)\s*)" + std::string(kFormula) + ")?";
  }
  return list;
}
std::string calculation_or_number() {
  return "(?:" + std::string(kCalculation) + "|" + std::string(kNumber) + ")";
}

Regex anchored(const std::string& before, const std::string& what, const std::string& after = "") {
  return Regex::fixed(before + what + after, RegexFlags{.dot_all = true});
}

std::string group_text(const Match& match, const std::string& text, std::size_t group) {
  return std::string(text::strip(match.group(text, group)));
}

// The formulas of a match, joined.
std::string formula_of(const Match& match, const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t i = 1; i <= match.groups(); ++i) {
    if (match.has(i)) found.push_back(group_text(match, text, i));
  }
  return text::join(found, ", ");
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

// A number with its percent sign, or a calculation. Patterns have {calculation}, {number, percent}
// or all three as groups.
std::string calculation_of(const Match& match, const std::string& text) {
  const std::size_t number = match.groups() == 3 ? 2 : 1;
  if (match.groups() == 1 || !match.has(number)) return group_text(match, text, 1);
  return plain_number(group_text(match, text, number)) + (match.has(number + 1) ? "%" : "");
}

// "(7)." is no calculation to Python, which reads them there.
bool is_calculation(const std::string& value) {
  if (value.ends_with(").")) return false;
  std::string bare(text::rstrip(value, "%."));
  if (bare.starts_with('.')) bare = "0" + bare;
  const auto formula = Expression::parse(bare);
  return formula && formula->consumed() == bare.size();
}

struct Place {
  std::size_t end = 0;
  std::size_t begin = 0;
  std::string content;
  bool readable = false;
};

// Patterns of one weight.
struct Anchors {
  Regex formula;
  std::vector<Regex> calculations;
};

WrittenAnswer found_by(const Anchors& anchors, const std::string& text) {
  std::vector<Place> places;
  const auto add = [&](const Regex& regex, bool formula) {
    const auto matches = regex.find_all(text);
    for (const Match& match : matches ? *matches : std::vector<Match>{}) {
      std::string found = formula ? formula_of(match, text) : calculation_of(match, text);
      const bool readable = formula ? is_formula(found) : is_calculation(found);
      if (readable && !formula) found = std::string(text::rstrip(found, "."));
      places.push_back({match.end(), match.begin(), std::move(found), readable});
    }
  };
  add(anchors.formula, true);
  for (const Regex& regex : anchors.calculations) add(regex, false);
  std::stable_sort(places.begin(), places.end(), [](const auto& a, const auto& b) {
    return a.end != b.end ? a.end > b.end : a.begin < b.begin;
  });
  WrittenAnswer found;
  if (!places.empty()) found.first = places.front().content;
  const auto readable = std::ranges::find_if(places, &Place::readable);
  if (readable != places.end()) found.value = readable->content;
  return found;
}

const Anchors& final_answer_anchors() {
  static const Anchors kAnchors = {
      anchored(R"((?i:final answer is)\:?\s*)", formulas(), R"(\.?\s?I hope)"),
      {anchored(R"((?i:final answer is)\:?\s*)", calculation_or_number(), R"(\.?\s?I hope)")}};
  return kAnchors;
}
const std::vector<Anchors>& other_anchors() {
  static const std::vector<Anchors> kAnchors = {
      {anchored(R"((?i:final answer.{0,100}?)\s+is\:?\s*)", formulas()),
       {anchored(R"((?i:final answer.{0,100}?)\s+is\:?)", calculation_or_number())}},
      {anchored(R"((?i:answer):.{0,50}?)", formulas()),
       {anchored(R"((?i:answer):(?:.{0,100}=\s*|.{0,50}?))", calculation_or_number(),
                 R"((?!\s*=))")}},
      {anchored(R"((?i:answer).{0,50}?)", formulas()),
       {anchored(R"((?i:answer)(?:.{0,100}=\s*|.{0,50}?))", calculation_or_number(),
                 R"((?!\s*=))")}},
      {anchored("", formulas()),
       {anchored("", std::string(kCalculation)), anchored("", std::string(kNumber))}}};
  return kAnchors;
}

// Whether two boxes are parts of one answer: in formulas joined by a comma or a word; outside of
// formulas near each other, or different with "and", "or" or a separator between.
bool belong_together(std::string_view between, const std::string& left, const std::string& right) {
  constexpr std::size_t kNear = 10;
  constexpr std::size_t kFar = 70;
  static const Regex kJoined = Regex::fixed(R"([^$]*\$\s*(?:,?and|,?or|,)\s*\$[^$]*)");
  static const Regex kSeparator = Regex::fixed(R"(\b(?:and|or)\b|[,;])");
  if (between.find('$') != std::string_view::npos) {
    const auto joined = kJoined.fullmatch(between);
    return joined && *joined;
  }
  if (text::length(between) < kNear) return true;
  if (left == right || text::length(between) >= kFar) return false;
  const auto found = kSeparator.search(between);
  return found && *found;
}

// The last box, with those before it that belong to it.
WrittenAnswer boxed(const std::string& text) {
  std::string rest = text;
  std::vector<std::string> parts;
  for (std::size_t last = 0; parts.size() < kMaxBoxes;) {
    const auto box = last_boxed(rest);
    const auto inside = box ? remove_boxed(*box) : std::nullopt;
    const std::size_t at = box ? rest.rfind(*box) : std::string::npos;
    if (!inside || at == std::string::npos) break;
    const std::size_t end = at + box->size();
    if (!parts.empty() &&
        (last < end || !belong_together(std::string_view(text).substr(end, last - end), *inside,
                                        parts.front()))) {
      break;
    }
    if (parts.empty() || parts.front() != *inside) parts.insert(parts.begin(), *inside);
    last = at;
    rest.resize(at);
  }
  if (parts.empty()) return {};
  const std::string all = text::join(parts, ",");
  return {is_formula(all) ? std::optional(all) : std::nullopt, all};
}

}  // namespace

bool is_formula(const std::string& latex) {
  const std::string_view bare = text::strip(latex);
  return !bare.empty() && std::string_view(".,;").find(bare.back()) == std::string_view::npos &&
         bare.find("\\%") == std::string_view::npos;
}

WrittenAnswer written_answer(const std::string& text) {
  WrittenAnswer best;
  const auto take = [&](WrittenAnswer found) {
    if (!best.first) best.first = std::move(found.first);
    best.value = std::move(found.value);
    return best.value.has_value();
  };
  if (take(found_by(final_answer_anchors(), text)) || take(boxed(text))) return best;
  for (const Anchors& anchors : other_anchors()) {
    if (take(found_by(anchors, text))) return best;
  }
  return best;
}

}  // namespace crucible::metric
