#include "evaluator/run/evaluation.hpp"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/scripted_model.hpp"

namespace crucible::run {
namespace {

using engine::LoglikelihoodRequest;
using nlohmann::json;

task::Document document(std::string id, std::string context, std::vector<std::string> texts,
                        std::vector<std::size_t> gold) {
  task::Document result{std::move(id), std::move(context), {}, texts, std::move(gold)};
  for (const std::string& text : texts) result.choices.push_back(" " + text);
  return result;
}

task::Suite two_tasks() {
  task::Task first{"first", "acc", "1", {}, sha256(std::string_view("first"))};
  first.documents = {document("0", "q0", {"aa", "b"}, {0}), document("1", "q1", {"aa", "b"}, {1}),
                     document("2", "q2", {"aa", "b", "c"}, {0, 2})};
  task::Task second{"second", "acc_norm", "2", {}, sha256(std::string_view("second"))};
  second.documents = {document("0", "q3", {"long", "s"}, {0}),
                      document("1", "q4", {"long", "s"}, {0})};
  return {"pair", "", "1", {first, second}, sha256(std::string_view("pair"))};
}

// "aa" -3, "b" -2, "c" -1, "long" -4, "s" -2: by characters aa -1.5, long -1.
double script(const LoglikelihoodRequest& request) {
  if (request.continuation == " aa") return -3;
  if (request.continuation == " b") return -2;
  if (request.continuation == " c") return -1;
  return request.continuation == " long" ? -4 : -2;
}

TEST(Evaluate, ScoresEachTaskByItsMetrics) {
  test::ScriptedModel model(script);
  const auto report = evaluate(model, two_tasks(), {}, {});
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_EQ(report->tasks.size(), 2U);
  const TaskResult& first = report->tasks[0];
  EXPECT_EQ(first.items, 3U);
  EXPECT_EQ(first.samples[0].predicted, 1U);
  EXPECT_EQ(first.samples[0].predicted_norm, 0U);
  EXPECT_EQ(first.samples[2].predicted, 2U);
  EXPECT_TRUE(first.samples[2].correct);  // any of several golds
  EXPECT_DOUBLE_EQ(first.metrics[0].value, 2.0 / 3);
  EXPECT_NEAR(first.metrics[0].stderr_, 1.0 / 3, 1e-15);
  EXPECT_EQ(report->tasks[1].metrics[1].name, "acc_norm");
  EXPECT_DOUBLE_EQ(report->tasks[1].metrics[0].value, 0);
  EXPECT_DOUBLE_EQ(report->tasks[1].metrics[1].value, 1);
  EXPECT_DOUBLE_EQ(report->score, (2.0 / 3 + 1) / 2);
  EXPECT_NEAR(report->stderr_, (1.0 / 3) / 2, 1e-15);
  EXPECT_EQ(report->items, 5U);
  EXPECT_EQ(report->suite_digest, sha256(std::string_view("pair")));
  EXPECT_EQ(report->model.engine, "scripted");
}

TEST(Evaluate, AsksForATaskInOneCallExactlyAsTheItemsSay) {
  test::ScriptedModel model(script);
  ASSERT_TRUE(evaluate(model, two_tasks(), {}, {}));
  ASSERT_EQ(model.calls.size(), 2U);
  ASSERT_EQ(model.calls[0].size(), 7U);
  EXPECT_EQ(model.calls[0][6].context, "q2");
  EXPECT_EQ(model.calls[0][6].continuation, " c");
}

TEST(Evaluate, ProgressCountsRequestsOfTheWholeSuite) {
  test::ScriptedModel model(script);
  std::vector<Progress> seen;
  ASSERT_TRUE(evaluate(model, two_tasks(), [&](const Progress& now) { seen.push_back(now); }, {}));
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
  const auto report = evaluate(model, two_tasks(), {}, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(report.error().message, "task second: out of order");
}

TEST(Evaluate, RefusesNumbersThatAreNone) {
  test::ScriptedModel model([](const LoglikelihoodRequest& request) {
    return request.context == "q1" ? std::numeric_limits<double>::quiet_NaN() : -1.0;
  });
  const auto report = evaluate(model, two_tasks(), {}, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(report.error().message.find("item 1"), std::string::npos);
}

TEST(Evaluate, StopsBetweenAndInsideTasks) {
  test::ScriptedModel model(script);
  std::stop_source source;
  const auto report = evaluate(
      model, two_tasks(),
      [&](const Progress& now) {
        if (now.done == 3) source.request_stop();
      },
      source.get_token());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(model.calls.size(), 1U);
}

TEST(Evaluate, EmptySuitesAndTasksAreRefused) {
  test::ScriptedModel model(script);
  EXPECT_FALSE(evaluate(model, task::Suite{}, {}, {}));
  task::Suite suite = two_tasks();
  suite.tasks[1].documents.clear();
  EXPECT_FALSE(evaluate(model, suite, {}, {}));
}

TEST(Evaluate, CountsTruncatedItemsOnce) {
  test::ScriptedModel model(script);
  model.truncate = [](const LoglikelihoodRequest& request) { return request.context == "q2"; };
  const auto report = evaluate(model, two_tasks(), {}, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->tasks[0].truncated_items, 1U);
  EXPECT_EQ(report->tasks[1].truncated_items, 0U);
}

TEST(WriteReport, HasTheHarnessShape) {
  test::ScriptedModel model(script);
  test::ScratchFolder folder;
  const auto suite = two_tasks();
  const auto report = evaluate(model, suite, {}, {});
  ASSERT_TRUE(report);
  ASSERT_TRUE(write_report(*report, suite, "my/model", folder.path() / "out"));
  const json results = json::parse(folder.read("out/results_pair.json"));
  EXPECT_EQ(results["results"]["first"]["alias"], "first");
  EXPECT_DOUBLE_EQ(results["results"]["first"]["acc,none"], 2.0 / 3);
  EXPECT_NEAR(results["results"]["first"]["acc_stderr,none"].get<double>(), 1.0 / 3, 1e-15);
  EXPECT_EQ(results["versions"]["second"], "2");
  EXPECT_EQ(results["n-samples"]["first"]["effective"], 3);
  EXPECT_EQ(results["higher_is_better"]["first"]["acc_norm"], true);
  EXPECT_EQ(results["config"]["model_dtype"], "f64");
  EXPECT_GT(results["date"].get<double>(), 1.7e9);
  EXPECT_EQ(results["suite"]["sha256"], report->suite_digest.hex());
}

TEST(WriteReport, SamplesHashAsTheHarnessDoes) {
  test::ScriptedModel model(script);
  test::ScratchFolder folder;
  const auto suite = two_tasks();
  const auto report = evaluate(model, suite, {}, {});
  ASSERT_TRUE(report);
  ASSERT_TRUE(write_report(*report, suite, "m", folder.path()));
  ASSERT_TRUE(write_report(*report, suite, "m", folder.path())) << "replaces what is there";
  std::istringstream lines(folder.read("samples_first.jsonl"));
  std::vector<json> samples;
  for (std::string line; std::getline(lines, line);) samples.push_back(json::parse(line));
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_EQ(samples[1]["doc_id"], 1);
  EXPECT_EQ(samples[0]["target"], "0");
  EXPECT_EQ(samples[2]["target"], "[0, 2]");
  EXPECT_EQ(samples[2]["arguments"]["gen_args_2"]["arg_1"], " c");
  EXPECT_EQ(samples[0]["filtered_resps"][0], json::array({"-3.0", "False"}));
  EXPECT_EQ(samples[0]["resps"][0], json::array({json::array({"-3.0", "False"})}));
  EXPECT_EQ(samples[1]["acc"], 1.0);
  // hashlib.sha256 of json.dumps(doc, indent=2, ensure_ascii=False), "q0" and "0".
  EXPECT_EQ(samples[0]["doc_hash"],
            "24d7556321705752e39d17119c31269952637122982100f48fbbf7967c1b6c4c");
  EXPECT_EQ(samples[0]["prompt_hash"],
            "341c0a3e67c3146720fa1b9504927ece5f5daefadaad467dddfd2ff04ba039be");
  EXPECT_EQ(samples[0]["target_hash"],
            "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9");
}

TEST(WriteReport, OneItemHasNoStandardError) {
  test::ScriptedModel model(script);
  test::ScratchFolder folder;
  task::Suite suite = two_tasks();
  suite.tasks.resize(1);
  suite.tasks[0].documents.resize(1);
  const auto report = evaluate(model, suite, {}, {});
  ASSERT_TRUE(report);
  EXPECT_TRUE(std::isnan(report->stderr_));
  ASSERT_TRUE(write_report(*report, suite, "m", folder.path()));
  const json results = json::parse(folder.read("results_pair.json"));
  EXPECT_EQ(results["results"]["first"]["acc_stderr,none"], "N/A");
}

TEST(WriteReport, RefusesAnotherSuite) {
  test::ScriptedModel model(script);
  test::ScratchFolder folder;
  const auto suite = two_tasks();
  const auto report = evaluate(model, suite, {}, {});
  ASSERT_TRUE(report);
  task::Suite other = suite;
  other.tasks[0].documents.pop_back();
  EXPECT_EQ(write_report(*report, other, "m", folder.path()).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace crucible::run
