#include "evaluator/metric/scoring.hpp"

#include <cmath>
#include <limits>

#include "evaluator/metric/filter.hpp"
#include "gtest/gtest.h"

namespace crucible::metric {
namespace {

using task::Json;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

task::Task task_of(task::OutputType type, std::initializer_list<const char*> metrics,
                   const std::string& rule = {}) {
  task::Task task;
  task.output_type = type;
  task.process_results = rule;
  task.filters = {{"none", {{"take_first", Json::object()}}}};
  for (const char* metric : metrics) task.metrics.push_back({metric, "mean", true, Json::object()});
  return task;
}

Responses loglikelihoods(std::initializer_list<double> values) {
  Responses responses;
  for (const double value : values) {
    engine::LoglikelihoodResult result;
    result.sum_logprob = value;
    responses.loglikelihoods.push_back(result);
  }
  return responses;
}

task::Item choice_item(std::vector<std::string> choices, std::vector<std::size_t> gold) {
  task::Item item;
  item.id = "7";
  item.choices = std::move(choices);
  item.gold = std::move(gold);
  return item;
}

double metric_of(const Result<std::vector<ItemScore>>& scores, const char* name) {
  EXPECT_TRUE(scores) << describe(scores.error());
  return scores ? scores->front().metrics.at(name).numbers.at(0) : kNan;
}

TEST(Scoring, TiesGoToTheFirstOption) {
  const auto task = task_of(task::OutputType::kMultipleChoice, {"acc", "acc_norm", "acc_bytes"});
  const auto scores = score_item(task, choice_item({"a", "b"}, {0}), loglikelihoods({-1, -1}));
  EXPECT_EQ(metric_of(scores, "acc"), 1);
  EXPECT_EQ(
      metric_of(score_item(task, choice_item({"a", "b"}, {1}), loglikelihoods({-1, -1})), "acc"),
      0);
  // By characters "数学" is 2 long, by bytes 6.
  const auto unicode =
      score_item(task, choice_item({"数学", "abc"}, {1}), loglikelihoods({-2.4, -3}));
  EXPECT_EQ(metric_of(unicode, "acc_norm"), 1);
  EXPECT_EQ(metric_of(unicode, "acc_bytes"), 0);
}

// A broken model must not get a plausible score: every rule over log-likelihoods refuses.
TEST(Scoring, LoglikelihoodsThatAreNoNumbersAreRefused) {
  using enum task::OutputType;
  for (const double broken : {kNan, kInfinity, -kInfinity}) {
    for (const char* rule : {"", "truthfulqa_mc2", "truthfulqa_mc2_v03", "agieval_mcqa_generative",
                             "bigbench_multiple_choice_grade", "crows_pairs", "record"}) {
      auto item = choice_item({"a", "b"}, {0});
      item.document = {{"entities", {"a", "b"}}, {"answers", {"a"}}};
      const auto scores =
          score_item(task_of(kMultipleChoice, {"acc"}, rule), item, loglikelihoods({-1, broken}));
      ASSERT_FALSE(scores) << rule << " " << broken;
      EXPECT_EQ(scores.error().code, ErrorCode::kCorrupt);
      EXPECT_NE(scores.error().message.find("document 7"), std::string::npos);
    }
    EXPECT_FALSE(
        score_item(task_of(kLoglikelihood, {"perplexity", "acc"}), {}, loglikelihoods({broken})));
    engine::RollingResult rolling;
    rolling.sum_logprob = broken;
    task::Item page;
    page.document = {{"page", "some words"}};
    for (const char* rule : {"", "wikitext"}) {
      EXPECT_FALSE(score_item(task_of(kLoglikelihoodRolling, {"word_perplexity"}, rule), page,
                              {{}, {rolling}, {}}));
    }
  }
  auto mutual = choice_item({"a", "b"}, {0});
  EXPECT_FALSE(score_item(task_of(task::OutputType::kMultipleChoice, {"acc_mutual_info"}), mutual,
                          loglikelihoods({-1, -2, -3, kNan})));
}

TEST(Scoring, ResultsThatDoNotFitTheOptionsAreRefused) {
  const auto task = task_of(task::OutputType::kMultipleChoice, {"acc"});
  EXPECT_FALSE(score_item(task, choice_item({}, {}), {}));
  EXPECT_FALSE(score_item(task, choice_item({"a", "b"}, {0}), loglikelihoods({-1})));
  EXPECT_FALSE(score_item(task_of(task::OutputType::kGenerateUntil, {"exact_match"}), {}, {}));
  // A gold that is none of the options is wrong whatever is answered.
  EXPECT_EQ(
      metric_of(score_item(task, choice_item({"a", "b"}, {5}), loglikelihoods({-1, -2})), "acc"),
      0);
}

TEST(Scoring, EmptyAnswersScoreNothingUnderEveryRule) {
  task::Item item;
  item.target = Json::array({"gold"});
  item.document = {
      {"solution", "so $\\boxed{3}$"},
      {"answer", "3"},
      {"answers", {{"text", {"gold"}}}},
      {"correct_answers", {"yes it is"}},
      {"incorrect_answers", {"no it is not"}},
      {"instruction_id_list", {"punctuation:no_comma"}},
      {"kwargs", {Json::object()}},
  };
  const auto value = [&](const char* rule, const char* metric) {
    const auto task = task_of(task::OutputType::kGenerateUntil, {metric}, rule);
    return metric_of(score_item(task, item, {{}, {}, {""}}), metric);
  };
  EXPECT_EQ(value("hendrycks_math", "exact_match"), 0);
  EXPECT_EQ(value("minerva_math", "exact_match"), 0);
  EXPECT_EQ(value("minerva_math", "math_verify"), 0);
  EXPECT_EQ(value("leaderboard_math", "exact_match"), 0);
  EXPECT_EQ(value("agieval_math", "acc"), 0);
  EXPECT_EQ(value("squad_v2", "f1"), 0);
  EXPECT_EQ(value("coqa", "em"), 0);
  EXPECT_EQ(value("truthfulqa_gen", "rouge1_max"), 0);
  EXPECT_EQ(value("ifeval", "prompt_level_strict_acc"), 0);  // blank answers follow nothing
  EXPECT_EQ(value("", "exact_match"), 0);
}

TEST(Scoring, AnswersThatCannotBeReadAreNoted) {
  auto task = task_of(task::OutputType::kGenerateUntil, {"exact_match"});
  task.filters = {{"strict-match",
                   {{"regex", {{"regex_pattern", "#### (\\d+)"}}}, {"take_first", Json::object()}}},
                  {"flexible",
                   {{"regex", {{"regex_pattern", "\\d+"}, {"group_select", -1}}},
                    {"take_first", Json::object()}}}};
  task::Item item;
  item.target = "8";
  const auto scores = score_item(task, item, {{}, {}, {"5 + 3 = 8"}});
  ASSERT_TRUE(scores) << describe(scores.error());
  ASSERT_EQ(scores->size(), 2U);
  EXPECT_EQ((*scores)[0].filter, "strict-match");
  EXPECT_EQ((*scores)[0].filtered, Json::array({"[invalid]"}));
  EXPECT_FALSE((*scores)[0].note.empty());
  EXPECT_EQ((*scores)[0].metrics.at("exact_match").numbers[0], 0);
  EXPECT_EQ((*scores)[1].metrics.at("exact_match").numbers[0], 1);
  EXPECT_TRUE((*scores)[1].note.empty());
}

TEST(Scoring, EveryFaultOfATaskIsFoundBeforeWorkBegins) {
  auto task = task_of(task::OutputType::kGenerateUntil, {"exact_match", "accuracy"});
  task.metrics[0].arguments = {{"regexes_to_ignore", {"ok", "("}}};
  task.metrics[1].aggregation = "harmonic";
  task.filters = {{"x",
                   {{"regex", {{"regex_pattern", "(("}, {"group_select", "first"}}},
                    {"take_first_k", Json::object()},
                    {"custom", Json::object()},
                    {"regexp", Json::object()}}}};
  std::vector<std::string> paths;
  for (const Fault& fault : check_scoring(task)) paths.push_back(fault.path);
  EXPECT_EQ(paths, (std::vector<std::string>{
                       "metric_list[0].regexes_to_ignore[1]", "metric_list[1].metric",
                       "metric_list[1].aggregation", "filter_list[0].filter[0].regex_pattern",
                       "filter_list[0].filter[0].group_select", "filter_list[0].filter[1].k",
                       "filter_list[0].filter[2].function", "filter_list[0].filter[3].function"}));
  task.process_results = "pass_at_k";
  const auto faults = check_scoring(task);
  ASSERT_FALSE(faults.empty());
  EXPECT_NE(faults[0].message.find("runs no such code"), std::string::npos) << faults[0].message;
}

TEST(Filters, WhatTheHarnessWouldRaiseForIsAnError) {
  const auto apply = [](std::vector<task::Filter> steps, std::vector<std::string> responses) {
    return apply_filters({"f", std::move(steps)}, responses, Json::object());
  };
  EXPECT_FALSE(apply({{"take_first_k", {{"k", 3}}}}, {"a"}));
  EXPECT_FALSE(apply({{"take_first", Json::object()}}, {}));
  EXPECT_FALSE(apply({{"majority_vote", Json::object()}}, {}));
  EXPECT_FALSE(apply({{"map", Json::object()}, {"lowercase", Json::object()}}, {"a"}));
  EXPECT_FALSE(apply({{"multi_choice_regex", Json::object()}}, {"a"}));
  EXPECT_FALSE(apply({{"no such", Json::object()}}, {"a"}));
}

TEST(Filters, AnAnswerThatTakesTooManyStepsIsNoMatch) {
  const auto given = apply_filters({"f", {{"regex", {{"regex_pattern", "(a+)+$"}}}}},
                                   {std::string(40, 'a') + "!", "aa"}, Json::object());
  ASSERT_TRUE(given) << describe(given.error());
  EXPECT_EQ(given->value, Json::array({"[invalid]", "aa"}));
  EXPECT_NE(given->note.find("too many steps"), std::string::npos) << given->note;
}

TEST(Aggregation, NoItemIsAnErrorAndOneHasNoStandardError) {
  for (const auto& [metric, aggregation] : {std::pair{"acc", "mean"},
                                            {"perplexity", "perplexity"},
                                            {"f1", "f1"},
                                            {"bleu", "bleu"},
                                            {"mcc", "matthews_corrcoef"},
                                            {"x", "median"},
                                            {"brier_score", "brier_score"}}) {
    EXPECT_FALSE(aggregate({metric, aggregation, true, Json::object()}, {})) << aggregation;
  }
  for (const auto& [metric, aggregation, value] : {std::tuple{"acc", "mean", 1.0},
                                                   {"perplexity", "perplexity", std::exp(-1.0)},
                                                   {"x", "median", 1.0},
                                                   {"x", "nanmean", 1.0}}) {
    const auto one = aggregate({metric, aggregation, true, Json::object()}, {{{1.0}, {}}});
    ASSERT_TRUE(one) << aggregation;
    EXPECT_DOUBLE_EQ(one->value, value) << aggregation;
    EXPECT_TRUE(std::isnan(one->stderr_)) << aggregation;
  }
}

TEST(Aggregation, NotANumberStaysNotANumber) {
  const std::vector<MetricValue> values = {{{1.0}, {}}, {{kNan}, {}}, {{0.0}, {}}};
  const auto mean = aggregate({"acc", "mean", true, Json::object()}, values);
  EXPECT_TRUE(!mean || std::isnan(mean->value));
  const auto perplexity = aggregate({"perplexity", "perplexity", true, Json::object()}, values);
  EXPECT_TRUE(!perplexity || std::isnan(perplexity->value));
}

TEST(Aggregation, ValuesOfAnotherKindAreErrors) {
  EXPECT_FALSE(aggregate({"f1", "f1", true, Json::object()}, {{{2, 0}, {}}, {{1, 1}, {}}}));
  EXPECT_FALSE(aggregate({"f1", "f1", true, Json::object()}, {{{1}, {}}}));
  EXPECT_FALSE(aggregate({"bleu", "bleu", true, Json::object()}, {{{1}, {}}}));
  EXPECT_FALSE(aggregate({"brier_score", "brier_score", true, Json::object()}, {{{}, {}}}));
  EXPECT_FALSE(aggregate({"brier_score", "brier_score", true, Json::object()},
                         {{{0, 0.5, 0.5}, {}}, {{0, 1}, {}}}));
  EXPECT_FALSE(
      aggregate({"word_perplexity", "weighted_perplexity", true, Json::object()}, {{{-3, 0}, {}}}));
  EXPECT_FALSE(aggregate({"acc", "no such", true, Json::object()}, {{{1}, {}}}));
}

// Values of sklearn.metrics.f1_score.
TEST(Scoring, F1OverManyClasses) {
  std::vector<MetricValue> values;
  const double gold[] = {0, 1, 2, 2, 1, 0, 3};
  const double predicted[] = {0, 2, 2, 2, 1, 1, 0};
  for (std::size_t i = 0; i < 7; ++i) values.push_back({{gold[i], predicted[i]}, {}});
  const auto value = [&](const char* aggregation) {
    return aggregate({"f1", aggregation, true, Json::object()}, values).value().value;
  };
  EXPECT_DOUBLE_EQ(value("weighted_f1"), 0.5142857142857143);
  EXPECT_DOUBLE_EQ(value("macro_f1"), 0.45);
  EXPECT_DOUBLE_EQ(value("micro_f1"), 0.5714285714285714);
  EXPECT_FALSE(aggregate({"f1", "macro_f1", true, Json::object()}, {{{1}, {}}}));
}

// Numbers in task files have a sign, those of JSON have none.
TEST(Scoring, ACountMayBeSigned) {
  task::Task task = task_of(task::OutputType::kGenerateUntil, {"exact_match"});
  task.repeats = 8;
  for (const Json& k : {Json(std::int64_t{8}), Json(8U)}) {
    task.filters[0].steps = {{"take_first_k", {{"k", k}}}};
    EXPECT_TRUE(check_scoring(task).empty());
  }
  task.filters[0].steps = {{"take_first_k", {{"k", 0}}}};
  EXPECT_FALSE(check_scoring(task).empty());
}

// A list has no keys to take patterns from.
TEST(Scoring, PatternsOfAMapAreKeys) {
  task::Task task = task_of(task::OutputType::kGenerateUntil, {"exact_match"});
  for (const Json& table : {Json::array({"a"}), Json("a"), Json(1)}) {
    task.filters[0].steps = {{"MapRegexFilter", {{"regex_pattern_to_value", table}}}};
    EXPECT_FALSE(check_scoring(task).empty()) << table;
  }
}

}  // namespace
}  // namespace crucible::metric
