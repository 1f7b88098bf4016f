#include <cmath>

#include "evaluator/metric/eq_bench.hpp"
#include "evaluator/metric/latex_expression.hpp"
#include "evaluator/metric/math_answer.hpp"
#include "evaluator/metric/math_equivalence.hpp"
#include "evaluator/metric/number_words.hpp"
#include "evaluator/task/minerva_answer.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;

void read_formula(std::string_view text) {
  const auto formula = metric::Expression::parse(text);
  if (!formula) return;
  fuzz::require(formula->consumed() <= text.size());
  (void)formula->evaluate(0, true);
  (void)formula->evaluate(1, false);
}

void normalise(const std::string& text) {
  if (const auto box = metric::last_boxed(text)) (void)metric::remove_boxed(*box);
  for (const auto rule : {metric::SlashRule::kStrict, metric::SlashRule::kLenient}) {
    (void)metric::hendrycks_normal(text, rule);
    fuzz::require(metric::hendrycks_equal(text, text, rule));
  }
  (void)metric::minerva_final_answer(text);
  (void)metric::leaderboard_normal(text);
  (void)metric::agieval_math_answer(text);
  (void)task::normalize_minerva_answer(text);
}

void read_numbers(const std::string& text) {
  const auto phrases = metric::number_phrases(text);
  if (fuzz::accepted(phrases)) {
    for (const std::string& phrase : *phrases) (void)metric::number_of_words(phrase);
  }
  (void)metric::number_of_words(text);
  (void)metric::parse_emotions(text);
  const metric::EqBenchAnswer answer = metric::parse_eq_bench(text);
  const metric::Emotions reference{{"A", 1}, {"B", 2}, {"C", 3}, {"D", 4}};
  for (const auto& given : {answer.first_pass, answer.revised}) {
    if (const auto score = metric::eq_bench_v1_score(given, reference))
      fuzz::require(!std::isnan(*score) && *score <= 10);
    (void)metric::eq_bench_v2_score(given, reference);
  }
}

}  // namespace

// Answers of models to questions of arithmetic: formulas, boxed answers, number words, ratings. The
// first byte chooses; an answer that is verified comes after its reference and a zero byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.choice(4)) {
    case 0:
      read_formula(input.rest());
      break;
    case 1:
      normalise(std::string(input.rest()));
      break;
    case 2: {
      const std::string reference(input.text());
      (void)metric::verifies_answer(reference, std::string(input.rest()));
      (void)metric::same_value(reference, input.rest());
      break;
    }
    default:
      read_numbers(std::string(input.rest()));
  }
  return 0;
}
