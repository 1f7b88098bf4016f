#include "evaluator/metric/latex_expression.hpp"
#include "evaluator/metric/math_answer.hpp"
#include "evaluator/metric/math_equivalence.hpp"
#include "evaluator/metric/output_types.hpp"
#include "evaluator/metric/rule.hpp"
#include "evaluator/task/minerva_answer.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

constexpr const char* kNoAnswer = "no final answer was found";

Outcome one(const char* metric, bool hit) {
  Outcome out;
  out.metrics[metric] = number(hit ? 1 : 0);
  return out;
}

// The value in a reference solution; a solution without one is the data's fault.
Result<std::string> boxed_answer(const task::Item& item) {
  const auto solution = document_text(item, "solution");
  if (!solution) return fail(solution.error());
  const auto boxed = last_boxed(*solution);
  const auto inside = boxed ? remove_boxed(*boxed) : std::nullopt;
  if (!inside) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + item.id + ": `solution` has no \\boxed{…} answer");
  }
  return *inside;
}

// Of text between the first and last dollar sign, where there are two.
std::string within_dollars(const std::string& answer) {
  const std::size_t first = answer.find('$');
  const std::size_t last = answer.rfind('$');
  if (first == std::string::npos || first == last) return answer;
  return answer.substr(first + 1, last - first - 1);
}

}  // namespace

Result<Outcome> hendrycks_math_rule(const RuleInput& in) {
  const auto reference = boxed_answer(in.item);
  if (!reference) return fail(reference.error());
  return one("exact_match",
             hendrycks_equal(within_dollars(in.answer), *reference, SlashRule::kStrict));
}

Result<Outcome> minerva_math_rule(const RuleInput& in) {
  const auto reference = boxed_answer(in.item);
  if (!reference) return fail(reference.error());
  const std::string raw = minerva_final_answer(in.answer);
  const std::string answer = task::normalize_minerva_answer(raw);
  const std::string expected = task::normalize_minerva_answer(*reference);
  const bool equal = (!answer.empty() && answer == expected) || same_value(answer, expected);
  Outcome out = one("exact_match", equal);
  out.metrics["math_verify"] = number(verifies_answer(*reference, in.answer) ? 1 : 0);
  if (raw == kInvalidAnswer) out.note = kNoAnswer;
  return out;
}

Result<Outcome> leaderboard_math_rule(const RuleInput& in) {
  const auto reference = boxed_answer(in.item);
  if (!reference) return fail(reference.error());
  const std::string raw = minerva_final_answer(in.answer);
  const std::string answer = leaderboard_normal(raw);
  const std::string expected = leaderboard_normal(*reference);
  const bool original = answer != kInvalidAnswer && (text::strip(answer) == text::strip(expected) ||
                                                     same_value(answer, expected));
  Outcome out = one("exact_match", verifies_answer(*reference, in.answer));
  out.metrics["exact_match_original"] = number(original ? 1 : 0);
  if (raw == kInvalidAnswer) out.note = kNoAnswer;
  return out;
}

Result<Outcome> agieval_math_rule(const RuleInput& in) {
  const auto field = in.item.document.find("answer");
  const std::string gold =
      field != in.item.document.end() ? python_text(*field) : python_text(in.item.target);
  const auto given = agieval_math_answer(in.answer);
  const auto expected = agieval_math_answer(gold);
  const bool equal = given && expected ? hendrycks_equal(*given, *expected, SlashRule::kLenient)
                                       : !given && !expected;
  Outcome out = one("acc", equal);
  if (!given) out.note = kNoAnswer;
  return out;
}

}  // namespace crucible::metric
