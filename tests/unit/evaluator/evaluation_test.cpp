#include "evaluator/run/evaluation.hpp"

#include <cmath>
#include <limits>

#include "evaluator/run/result_cache.hpp"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/small_suite.hpp"

namespace crucible::run {
namespace {

using engine::LoglikelihoodRequest;
using test::script;
using test::two_tasks;

double value_of(const TaskResult& task, const char* metric) {
  const MetricResult* result = task.find(metric, "none");
  return result == nullptr ? std::nan("") : result->score.value;
}

TEST(Evaluate, ScoresEachTaskByItsMetrics) {
  test::ScriptedModel model(script);
  const auto report = evaluate(model, two_tasks());
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_EQ(report->tasks.size(), 2U);
  const TaskResult& first = report->tasks[0];
  EXPECT_EQ(first.samples.size(), 3U);
  EXPECT_DOUBLE_EQ(value_of(first, "acc"), 2.0 / 3);  // any of several golds counts
  EXPECT_NEAR(first.find("acc", "none")->score.stderr_, 1.0 / 3, 1e-15);
  EXPECT_DOUBLE_EQ(value_of(report->tasks[1], "acc"), 0);
  EXPECT_DOUBLE_EQ(value_of(report->tasks[1], "acc_norm"), 1);
  EXPECT_DOUBLE_EQ(report->score.score.value, (2.0 / 3 + 1) / 2);
  EXPECT_NEAR(report->score.score.stderr_, (1.0 / 3) / 2, 1e-15);
  EXPECT_EQ(report->items, 5U);
  EXPECT_EQ(report->suite_digest, sha256(std::string_view("pair")));
  EXPECT_EQ(report->model.engine, "scripted");
  EXPECT_EQ(report->account.prompt_tokens_asked, 22U);
  EXPECT_EQ(report->account.prompt_tokens_computed, 11U);
}

TEST(Evaluate, ProportionsHaveWilsonIntervals) {
  test::ScriptedModel model(script);
  const auto report = evaluate(model, two_tasks());
  ASSERT_TRUE(report);
  const Score& score = report->tasks[1].find("acc_norm", "none")->score;
  EXPECT_EQ(score.interval, "wilson");
  EXPECT_NEAR(score.low, 0.342380, 1e-6);  // statsmodels proportion_confint(2, 2, method="wilson")
  EXPECT_EQ(score.high, 1);
}

TEST(Evaluate, ItemsOfOnePassageWidenTheInterval) {
  task::Suite suite = two_tasks();
  for (task::Item& item : suite.tasks[0].items) item.cluster = item.id == "2" ? "other" : "passage";
  test::ScriptedModel model(script);
  const auto report = evaluate(model, suite);
  ASSERT_TRUE(report);
  const MetricResult& acc = *report->tasks[0].find("acc", "none");
  EXPECT_EQ(acc.score.interval, "cluster-robust");
  // Residuals 0 - 2/3 and 1 - 2/3 in one cluster, 1/3 in the other.
  EXPECT_NEAR(acc.spread, std::sqrt(2.0 / 9) / 3, 1e-15);
}

TEST(Evaluate, AsksExactlyAsTheItemsSay) {
  test::ScriptedModel model(script);
  task::Suite suite = two_tasks();
  suite.tasks[1].bos = engine::BosRule::kNever;
  ASSERT_TRUE(evaluate(model, suite));
  ASSERT_EQ(model.calls.size(), 2U);
  ASSERT_EQ(model.calls[0].size(), 7U);
  EXPECT_EQ(model.calls[0][6].context, "q2");
  EXPECT_EQ(model.calls[0][6].continuation, " c");
  EXPECT_EQ(model.bos_rules[0], engine::BosRule::kTokenizer);
  EXPECT_EQ(model.bos_rules[1], engine::BosRule::kNever);
}

TEST(Evaluate, ProgressCountsRequestsOfTheWholeSuite) {
  test::ScriptedModel model(script);
  std::vector<Progress> seen;
  EvaluationOptions options;
  options.progress = [&](const Progress& now) { seen.push_back(now); };
  ASSERT_TRUE(evaluate(model, two_tasks(), options));
  ASSERT_EQ(seen.size(), 11U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].done, i + 1);
    EXPECT_EQ(seen[i].total, 11U);
  }
  EXPECT_EQ(seen[6].stage, "evaluate first");
  EXPECT_EQ(seen[7].stage, "evaluate second");
  EXPECT_EQ(seen[7].unit, "requests");
}

TEST(Evaluate, NamesTheTaskThatFailed) {
  test::ScriptedModel model(script);
  model.fail_call = 2;
  const auto report = evaluate(model, two_tasks());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(report.error().message, "task second: out of order");
}

TEST(Evaluate, RefusesNumbersThatAreNone) {
  test::ScriptedModel model([](const LoglikelihoodRequest& request) {
    return request.context == "q1" ? std::numeric_limits<double>::quiet_NaN() : -1.0;
  });
  const auto report = evaluate(model, two_tasks());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(report.error().message.find("item 1"), std::string::npos);
}

TEST(Evaluate, StopsInsideATask) {
  test::ScriptedModel model(script);
  std::stop_source source;
  EvaluationOptions options;
  options.progress = [&](const Progress& now) {
    if (now.done == 3) source.request_stop();
  };
  options.stop = source.get_token();
  const auto report = evaluate(model, two_tasks(), options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(model.calls.size(), 1U);
}

TEST(Evaluate, EmptySuitesAndTasksAreRefused) {
  test::ScriptedModel model(script);
  EXPECT_FALSE(evaluate(model, task::Suite{}));
  task::Suite suite = two_tasks();
  suite.tasks[1].items.clear();
  EXPECT_FALSE(evaluate(model, suite));
}

TEST(Evaluate, RefusesLikelihoodTasksWithoutLogProbabilities) {
  test::ScriptedModel model(script);
  model.able.prompt_logprobs = false;
  const auto report = evaluate(model, two_tasks());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(model.calls.empty());
}

TEST(Evaluate, RefusesUnknownMetricsBeforeAnyWork) {
  test::ScriptedModel model(script);
  task::Suite suite = two_tasks();
  suite.tasks[1].metrics.push_back({"no_such_metric", "mean", true, task::Json::object()});
  const auto report = evaluate(model, suite);
  ASSERT_FALSE(report);
  ASSERT_EQ(report.error().faults.size(), 1U);
  EXPECT_TRUE(report.error().faults[0].path.starts_with("tasks[1]."));
  EXPECT_TRUE(model.calls.empty());
}

TEST(Evaluate, FlagsWhatMakesNumbersDoubtful) {
  test::ScriptedModel model([](const LoglikelihoodRequest&) { return -1.0; });
  model.truncate = [](const LoglikelihoodRequest& request) { return request.context == "q2"; };
  const auto report = evaluate(model, two_tasks());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->tasks[0].truncated_items, 1U);
  EXPECT_EQ(report->tasks[1].truncated_items, 0U);
  ASSERT_EQ(report->flags.size(), 3U);
  EXPECT_NE(report->flags[0].find("first: 1 of 3 items: the prompt was longer"), std::string::npos);
  EXPECT_NE(report->flags[1].find("first: 3 of 3 items: all options"), std::string::npos);
  EXPECT_NE(report->flags[2].find("second: 2 of 2 items: all options"), std::string::npos);
}

TEST(Evaluate, SoundModelsHaveNoFlags) {
  test::ScriptedModel model(script);
  const auto report = evaluate(model, two_tasks());
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->flags.empty());
}

TEST(Evaluate, GeneratesAndScoresText) {
  test::ScriptedModel model(script);
  model.answer = [](const auto& request) { return request.context == "1+1=" ? "2" : ""; };
  const auto suite = test::suite_of(test::generation_task("sums", {"1+1=", "2+2="}, {"2", "4"}));
  const auto report = evaluate(model, suite);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_DOUBLE_EQ(report->score.score.value, 0.5);
  ASSERT_EQ(model.generations.size(), 1U);
  EXPECT_EQ(model.generations[0][0].settings.until, std::vector<std::string>{"\n"});
  ASSERT_EQ(report->flags.size(), 1U);
  EXPECT_NE(report->flags[0].find("generated no text"), std::string::npos);
}

TEST(Evaluate, AnswersThatLeaveNoRoomForAPromptAreRefusedBeforeAnyWork) {
  test::ScriptedModel model(script);  // a context of 1024
  task::Suite suite = two_tasks();
  suite.tasks.push_back(test::generation_task("sums", {"1+1=", "2+2="}, {"2", "4"}));
  suite.tasks.back().items[1].generation = suite.tasks.back().generation;
  suite.tasks.back().items[1].generation->max_new_tokens = 1024;
  const auto report = evaluate(model, suite);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(report.error().message.find("sums: an answer of up to 1024"), std::string::npos);
  EXPECT_TRUE(model.calls.empty());
}

TEST(Evaluate, AsksEachGenerationAsOftenAsTheTaskRepeats) {
  test::ScriptedModel model(script);
  task::Task task = test::generation_task("sums", {"a", "b"}, {"x", "y"});
  task.repeats = 3;
  const auto report = evaluate(model, test::suite_of(task));
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_EQ(model.generations[0].size(), 6U);
  EXPECT_EQ(model.generations[0][4].context, "b");
  EXPECT_EQ(model.generations[0][4].repeat, 1U);
  EXPECT_EQ(report->tasks[0].samples[1].responses.generations.size(), 3U);
}

TEST(Evaluate, AnswersThatCannotBeReadAreAskedForAgainAndWarmer) {
  task::Task task = test::generation_task("sums", {"easy", "hard", "never"}, {"1", "2", "3"});
  task.filters = {{"number", {{"regex", {{"regex_pattern", "([0-9]+)"}}}, {"take_first", {}}}}};
  for (task::Filter& step : task.filters[0].steps) {
    if (step.arguments.is_null()) step.arguments = task::Json::object();
  }
  task.primary_filter = "number";
  task.attempts = 3;
  task.retry_temperature_step = 0.15;
  task::Suite suite = test::suite_of(task);
  suite.score.filter = "number";
  test::ScriptedModel model(script);
  model.answer = [](const engine::GenerationRequest& request) {
    if (request.context == "easy") return "is 1";
    return request.context == "hard" && request.settings.do_sample ? "is 2" : "who knows";
  };
  const auto report = evaluate(model, suite);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_DOUBLE_EQ(report->score.score.value, 2.0 / 3);
  EXPECT_EQ(report->tasks[0].unreadable_items, 1U);
  ASSERT_EQ(model.generations.size(), 3U);
  EXPECT_FALSE(model.generations[0][1].settings.do_sample);
  ASSERT_EQ(model.generations[1].size(), 2U);
  EXPECT_DOUBLE_EQ(model.generations[1][0].settings.temperature, 0.15);
  EXPECT_TRUE(model.generations[1][0].settings.do_sample);
  EXPECT_EQ(model.generations[1][0].repeat, 1U);
  EXPECT_DOUBLE_EQ(model.generations[2].at(0).settings.temperature, 0.3);
}

TEST(Evaluate, RollingTextsHaveBootstrapIntervals) {
  task::Task task;
  task.name = "text";
  task.output_type = task::OutputType::kLoglikelihoodRolling;
  for (int i = 0; i < 5; ++i) {
    task::Item item;
    item.doc_id = static_cast<std::size_t>(i);
    item.id = std::to_string(i);
    item.requests = {{std::string(static_cast<std::size_t>(i) + 2, 'w') + " two", "", {}}};
    item.target = item.requests[0].context;
    task.items.push_back(std::move(item));
  }
  task.filters = {{"none", {{"take_first", task::Json::object()}}}};
  task.metrics = {{"word_perplexity", "weighted_perplexity", false, task::Json::object()}};
  task.primary_metric = "word_perplexity";
  task.digest = task::task_digest(task);
  test::ScriptedModel model([](const LoglikelihoodRequest& request) {
    return -static_cast<double>(request.context.size());
  });
  const auto report = evaluate(model, test::suite_of(task));
  ASSERT_TRUE(report) << describe(report.error());
  const Score& score = report->tasks[0].metrics.at(0).score;
  EXPECT_DOUBLE_EQ(score.value, std::exp((6 + 7 + 8 + 9 + 10) / 10.0));
  EXPECT_EQ(score.interval, "bootstrap");
  EXPECT_LT(score.low, score.value);
  EXPECT_GT(score.high, score.value);
}

TEST(Evaluate, ConversationsSeeTheirOwnAnswersAndNeedAJudge) {
  task::Task task;
  task.name = "talk";
  task.output_type = task::OutputType::kConversation;
  task::Item item;
  item.id = "0";
  item.turns = {"one", "two"};
  task.items = {item};
  task.filters = {{"none", {}}};
  task.metrics = {{"rating", "mean", true, task::Json::object()}};
  task.primary_metric = "rating";
  task.digest = task::task_digest(task);
  const task::Suite suite = test::suite_of(task);
  test::ScriptedModel model(script);
  model.answer = [](const auto& request) { return "<" + request.context + ">"; };
  EXPECT_EQ(evaluate(model, suite).error().code, ErrorCode::kUnsupported);
  EvaluationOptions options;
  options.grade = [](const auto&, std::span<const AnsweredItem> items)
      -> Result<std::vector<std::vector<metric::ItemScore>>> {
    metric::ItemScore score{"none", {}, {}, ""};
    score.metrics["rating"].numbers = {
        static_cast<double>(items.front().responses->generations.size())};
    return std::vector<std::vector<metric::ItemScore>>{{score}};
  };
  const auto report = evaluate(model, suite, options);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_DOUBLE_EQ(report->score.score.value, 2);
  ASSERT_EQ(model.generations.size(), 2U);
  EXPECT_EQ(model.generations[1][0].context,
            "<user>one<assistant><<user>one<assistant>><user>two<assistant>");
}

TEST(Evaluate, GroupsAggregateAsTheHarnessDoes) {
  test::ScriptedModel model(script);
  task::Suite suite = two_tasks();
  suite.groups = {{"outer", "", {"inner", "second"}, {{"acc", "mean", true, {"none"}}}, "1"},
                  {"inner", "", {"first"}, {{"acc", "mean", false, {"none"}}}, "1"}};
  const auto report = evaluate(model, suite);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->groups.size(), 2U);
  const MetricResult& outer = report->groups[0].metrics.at(0);
  EXPECT_DOUBLE_EQ(outer.score.value, 2.0 / 5);
  // sqrt(((3 - 1) * (1/3)^2 * 3 + 0) / (5 - 2) / 5)
  EXPECT_NEAR(outer.score.stderr_, std::sqrt(2.0 / 3 / 15), 1e-15);
  EXPECT_DOUBLE_EQ(report->groups[1].metrics.at(0).score.value, 2.0 / 3);
}

TEST(Evaluate, ScoreRulesNormaliseScaleAndRound) {
  test::ScriptedModel model(script);
  task::Suite suite = two_tasks();
  suite.score.of[0].baseline = 0.5;
  suite.score.scale = 100;
  suite.score.decimals = 1;
  const auto report = evaluate(model, suite);
  ASSERT_TRUE(report);
  EXPECT_NEAR(report->score.of[0].score.value, 1.0 / 3, 1e-15);
  EXPECT_DOUBLE_EQ(report->score.score.value, 66.7);
  EXPECT_NEAR(report->score.score.stderr_, 100 * (2.0 / 3) / 2, 1e-12);
  EXPECT_EQ(report->score.score.interval, "propagated");
}

TEST(Evaluate, ErrorsOfOneTaskInTwoPlacesAddUp) {
  test::ScriptedModel model(script);
  task::Suite suite = two_tasks();
  suite.score.of[1] = suite.score.of[0];  // the same leaf twice is the leaf itself
  const auto report = evaluate(model, suite);
  ASSERT_TRUE(report);
  EXPECT_NEAR(report->score.score.stderr_, 1.0 / 3, 1e-15);
}

class Cached : public testing::Test {
 protected:
  Result<EvaluationReport> run(test::ScriptedModel& model, const task::Suite& suite) {
    auto cache = ResultCache::open(folder_.path(), sha256(std::string_view("model")));
    if (!cache) return fail(cache.error());
    return evaluate(model, suite, {{}, {}, &*cache, {}});
  }
  test::ScratchFolder folder_;
};

TEST_F(Cached, TheSameEvaluationAsksNothingAgain) {
  test::ScriptedModel model(script);
  const auto first = run(model, two_tasks());
  ASSERT_TRUE(first) << describe(first.error());
  EXPECT_EQ(first->kept_items, 0U);
  test::ScriptedModel idle(script);
  const auto second = run(idle, two_tasks());
  ASSERT_TRUE(second);
  EXPECT_TRUE(idle.calls.empty());
  EXPECT_EQ(second->kept_items, 5U);
  EXPECT_EQ(second->score.score.value, first->score.score.value);
  EXPECT_EQ(second->account.prompt_tokens_asked, first->account.prompt_tokens_asked);
}

TEST_F(Cached, AnInterruptedEvaluationGoesOnWhereItStopped) {
  test::ScriptedModel failing(script);
  failing.fail_call = 2;
  ASSERT_FALSE(run(failing, two_tasks()));
  test::ScriptedModel model(script);
  const auto report = run(model, two_tasks());
  ASSERT_TRUE(report);
  ASSERT_EQ(model.calls.size(), 1U);
  EXPECT_EQ(model.calls[0][0].context, "q3");
}

TEST_F(Cached, OtherQuestionsAreAskedAgain) {
  test::ScriptedModel model(script);
  ASSERT_TRUE(run(model, two_tasks()));
  task::Suite suite = two_tasks();
  suite.tasks[0].items[0].requests[0].context = "other";
  suite.tasks[1].bos = engine::BosRule::kNever;
  test::ScriptedModel again(script);
  ASSERT_TRUE(run(again, suite));
  EXPECT_EQ(again.calls.size(), 2U);
}

TEST_F(Cached, ManySegmentsResumeInTheMiddle) {
  std::vector<task::Item> items;
  for (int i = 0; i < 40; ++i) {
    items.push_back(test::choice_item(std::to_string(i), std::to_string(i) + std::string(8000, 'x'),
                                      {"aa", "b"}, {1}));
  }
  const task::Suite suite = test::suite_of(test::choice_task("long", "acc", items));
  test::ScriptedModel failing(script);
  failing.fail_call = 3;
  ASSERT_FALSE(run(failing, suite));
  test::ScriptedModel model(script);
  const auto report = run(model, suite);
  ASSERT_TRUE(report);
  EXPECT_GT(report->kept_items, 0U);
  EXPECT_LT(report->kept_items, 40U);
  std::size_t asked = 0;
  for (const auto& call : model.calls) asked += call.size();
  EXPECT_EQ(asked, 2 * (40 - report->kept_items));
  EXPECT_DOUBLE_EQ(report->score.score.value, 1);
  // A limit asks for the same first segments.
  task::Task fewer = suite.tasks[0];
  fewer.items.resize(report->kept_items);
  test::ScriptedModel idle(script);
  ASSERT_TRUE(run(idle, test::suite_of(fewer)));
  EXPECT_TRUE(idle.calls.empty());
}

}  // namespace
}  // namespace crucible::run
