#include "evaluator/metric/eq_bench.hpp"

#include <cmath>
#include <limits>

#include "evaluator/run/evaluation.hpp"
#include "gtest/gtest.h"
#include "tests/support/scripted_model.hpp"
#include "tests/support/small_suite.hpp"

namespace crucible::metric {
namespace {

using task::Json;

const Json kReference = {{"emotion1", "Sad"},   {"emotion1_score", 1}, {"emotion2", "Glad"},
                         {"emotion2_score", 2}, {"emotion3", "Calm"},  {"emotion3_score", 3},
                         {"emotion4", "Proud"}, {"emotion4_score", 4}};

std::string ratings(int sad, int glad, int calm, int proud) {
  return "Sad: " + std::to_string(sad) + "\nGlad: " + std::to_string(glad) +
         "\nCalm: " + std::to_string(calm) + "\nProud: " + std::to_string(proud) + "\n";
}

std::string revised_answer(const std::string& first, const std::string& revised) {
  return "First pass scores:\n" + first + "\nCritique: hm.\n\nRevised scores:\n" + revised;
}

TEST(EqBench, BothHeadingsAreNeededForAFirstPass) {
  const auto answer = parse_eq_bench(revised_answer(ratings(1, 2, 3, 4), ratings(4, 3, 2, 1)));
  EXPECT_EQ(answer.first_pass.at("Sad"), 1);
  EXPECT_EQ(answer.revised.at("Sad"), 4);
  EXPECT_TRUE(parse_eq_bench(ratings(1, 2, 3, 4)).first_pass.empty());
  EXPECT_TRUE(parse_eq_bench("First pass scores:\n" + ratings(1, 2, 3, 4)).first_pass.empty());
  const auto late = parse_eq_bench("Revised scores:\n" + ratings(1, 2, 3, 4));
  EXPECT_TRUE(late.first_pass.empty());
  EXPECT_EQ(late.revised.size(), 4U);
}

// v1: |0.1·10 − 1| and so on are 0 for proportional ratings. v2: one difference of 1 is
// 6.5/(1+e^3.6), of 6 is 6, both times 0.7477.
TEST(EqBench, PointsFollowTheTwoRules) {
  const auto reference = eq_bench_reference(kReference);
  ASSERT_TRUE(reference);
  EXPECT_DOUBLE_EQ(*eq_bench_v1_score(parse_emotions(ratings(2, 4, 6, 8)), *reference), 10);
  EXPECT_FALSE(eq_bench_v1_score(parse_emotions(ratings(0, 0, 0, 0)), *reference));
  EXPECT_DOUBLE_EQ(*eq_bench_v2_score(parse_emotions(ratings(1, 2, 3, 4)), *reference), 10);
  EXPECT_NEAR(*eq_bench_v2_score(parse_emotions(ratings(2, 2, 3, 4)), *reference),
              10 - 0.7477 * 6.5 / (1 + std::exp(3.6)), 1e-12);
  EXPECT_NEAR(*eq_bench_v2_score(parse_emotions(ratings(7, 2, 3, 4)), *reference), 10 - 0.7477 * 6,
              1e-12);
  EXPECT_FALSE(eq_bench_v2_score(parse_emotions("Sad: 1\nGlad: 2\nCalm: 3\n"), *reference));
  EXPECT_FALSE(eq_bench_v2_score(parse_emotions("sad: 1\nGlad: 2\nCalm: 3\nProud: 4"), *reference));
}

TEST(EqBench, RevisedScoresCountWhereTheyAreNoWorseAndNotFewer) {
  const std::vector<std::optional<double>> four(20, 4.0), five(20, 5.0);
  EXPECT_DOUBLE_EQ(eq_bench_total(four, five).score, 50);
  EXPECT_DOUBLE_EQ(eq_bench_total(five, four).score, 50);
  auto fewer = five;
  fewer[0].reset();
  EXPECT_DOUBLE_EQ(eq_bench_total(four, fewer).score, 50);  // 19 of 20
  fewer[1].reset();
  EXPECT_DOUBLE_EQ(eq_bench_total(four, fewer).score, 40);
  EXPECT_TRUE(eq_bench_total(four, fewer).enough);
  auto few = four;
  for (std::size_t i = 0; i < 4; ++i) few[i].reset();
  EXPECT_FALSE(eq_bench_total(few, {}).enough);
}

TEST(EqBench, TheTotalIsAnAggregation) {
  const task::MetricSetting setting = {"eqbench", "eq_bench_total", true, Json::object()};
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const auto better = aggregate(setting, {{{40, 60}, {}}, {{20, kNan}, {}}, {{kNan, 80}, {}}});
  ASSERT_TRUE(better) << describe(better.error());
  EXPECT_DOUBLE_EQ(better->value, 70);
  EXPECT_GT(better->stderr_, 0);
  const auto worse = aggregate(setting, {{{40, 10}, {}}, {{20, 10}, {}}});
  EXPECT_DOUBLE_EQ(worse->value, 30);
  EXPECT_FALSE(aggregate(setting, {{{40}, {}}}));
}

task::Suite v1_suite() {
  task::Task task = test::generation_task("eq", {"whole", "part", "never"}, {"", "", ""});
  for (task::Item& item : task.items) item.document = {{"reference_answer", kReference}};
  task.process_results = "eq_bench_v1";
  task.metrics = {{"eqbench", "eq_bench_total", true, Json::object()}};
  task.primary_metric = "eqbench";
  task.attempts = 3;
  task.retry_temperature_step = 0.15;
  task::Suite suite = test::suite_of(task);
  suite.score.metric = "eqbench";
  return suite;
}

// Of attempts that are never whole the first that can be read in part is kept, as the authors do.
TEST(EqBench, AnAnswerReadInPartIsKeptUnlessALaterOneIsWhole) {
  test::ScriptedModel model([](const auto&) { return 0.0; });
  model.answer = [](const engine::GenerationRequest& request) -> std::string {
    const std::string good = ratings(1, 2, 3, 4), bad = ratings(4, 3, 2, 1);
    if (request.context == "whole") {
      return request.repeat == 0 ? revised_answer(good, "none") : revised_answer(good, bad);
    }
    if (request.context == "part") {
      return request.repeat == 0 ? "" : revised_answer(request.repeat == 1 ? good : bad, "none");
    }
    return "I would rather not.";
  };
  const auto report = run::evaluate(model, v1_suite());
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_DOUBLE_EQ(report->score.score.value, 100);  // first passes: the revised are fewer
  EXPECT_EQ(report->tasks[0].unreadable_items, 2U);
  EXPECT_EQ(report->tasks[0].samples[1].responses.generations[0],
            revised_answer(ratings(1, 2, 3, 4), "none"));
  ASSERT_EQ(report->flags.size(), 1U);
  EXPECT_NE(report->flags[0].find("2 of 3 items: no answer could be read"), std::string::npos);
}

TEST(EqBench, ARunInWhichNothingCanBeReadHasNoScore) {
  test::ScriptedModel model([](const auto&) { return 0.0; });
  model.answer = [](const auto&) { return "no"; };
  const auto report = run::evaluate(model, v1_suite());
  ASSERT_FALSE(report);
  EXPECT_NE(describe(report.error()).find("no answer to task eq could be read"), std::string::npos);
}

}  // namespace
}  // namespace crucible::metric
