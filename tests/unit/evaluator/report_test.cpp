#include <cmath>
#include <fstream>
#include <sstream>

#include "evaluator/run/compare_reports.hpp"
#include "evaluator/run/line_reader.hpp"
#include "evaluator/run/report_files.hpp"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/small_suite.hpp"

namespace crucible::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::script;
using test::two_tasks;

RunDescription named(const std::string& name) {
  RunDescription description;
  description.model_name = name;
  return description;
}

EvaluationReport report_of(const task::Suite& suite, test::ScriptedModel::Script answers = script) {
  test::ScriptedModel model(std::move(answers));
  auto report = evaluate(model, suite);
  EXPECT_TRUE(report) << describe(report.error());
  return std::move(*report);
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

fs::path samples_of(const fs::path& results, const std::string& task) {
  const std::string time = results.stem().string().substr(std::string("results_").size());
  return results.parent_path() / ("samples_" + task + "_" + time + ".jsonl");
}

class Report : public testing::Test {
 protected:
  fs::path write(const EvaluationReport& report, const task::Suite& suite,
                 const RunDescription& description = named("my/model")) {
    auto path = write_report(report, suite, description, folder_.path());
    EXPECT_TRUE(path) << describe(path.error());
    return path ? *path : fs::path();
  }
  test::ScratchFolder folder_;
};

TEST_F(Report, LiesWhereTheHarnessPutsIt) {
  const auto suite = two_tasks();
  const fs::path path = write(report_of(suite), suite);
  EXPECT_EQ(path.parent_path().filename(), "my__model");
  const std::string name = path.filename().string();
  EXPECT_TRUE(name.starts_with("results_2")) << name;
  EXPECT_EQ(name.find(':'), std::string::npos);
  EXPECT_TRUE(fs::exists(samples_of(path, "second")));
  EXPECT_EQ(sanitized_model_name("/a/b:c|d"), "__a__b__c__d");
  EXPECT_EQ(sanitized_model_name("a<>?b"), "a__b");
}

TEST_F(Report, HasTheHarnessShape) {
  const auto suite = two_tasks();
  const auto report = report_of(suite);
  const json results = json::parse(text_of(write(report, suite)));
  EXPECT_EQ(results["results"]["first"]["alias"], "first");
  EXPECT_EQ(results["results"]["first"]["sample_len"], 3);
  EXPECT_DOUBLE_EQ(results["results"]["first"]["acc,none"], 2.0 / 3);
  EXPECT_NEAR(results["results"]["first"]["acc_stderr,none"].get<double>(), 1.0 / 3, 1e-15);
  EXPECT_EQ(results["versions"]["second"], "1");
  EXPECT_EQ(results["n-samples"]["first"]["effective"], 3);
  EXPECT_EQ(results["n-shot"]["first"], 0);
  EXPECT_EQ(results["higher_is_better"]["first"]["acc_norm"], true);
  EXPECT_EQ(results["config"]["model_dtype"], "f64");
  EXPECT_EQ(results["model_name_sanitized"], "my__model");
  EXPECT_GT(results["date"].get<double>(), 1.7e9);
  EXPECT_FALSE(results.contains("groups"));
  const json& own = results["crucible"];
  EXPECT_EQ(own["suite_sha256"], report.suite_digest.hex());
  EXPECT_EQ(own["intervals"]["first"]["acc,none"]["kind"], "wilson");
  EXPECT_EQ(own["tasks"]["second"]["primary_metric"], "acc_norm");
  EXPECT_EQ(own["prompt_tokens"]["computed"], 11);
}

TEST_F(Report, GroupsStandBesideTasks) {
  auto suite = two_tasks();
  suite.groups = {
      {"all", "everything", {"first", "second"}, {{"acc", "mean", true, {"none"}}}, "2"}};
  const json results = json::parse(text_of(write(report_of(suite), suite)));
  EXPECT_DOUBLE_EQ(results["groups"]["all"]["acc,none"], 0.4);
  EXPECT_EQ(results["results"]["all"]["alias"], "everything");
  EXPECT_EQ(results["group_subtasks"]["all"], (json{"first", "second"}));
  EXPECT_EQ(results["versions"]["all"], "2");
}

TEST_F(Report, SamplesHashAsTheHarnessDoes) {
  const auto suite = two_tasks();
  const fs::path path = write(report_of(suite), suite);
  std::istringstream lines(text_of(samples_of(path, "first")));
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
  EXPECT_EQ(samples[1]["crucible"]["value"], 1.0);
  // hashlib.sha256 of json.dumps(doc, indent=2, ensure_ascii=False), "q0" and "0".
  const std::string doc = "24d7556321705752e39d17119c31269952637122982100f48fbbf7967c1b6c4c";
  const std::string prompt = "341c0a3e67c3146720fa1b9504927ece5f5daefadaad467dddfd2ff04ba039be";
  const std::string target = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9";
  EXPECT_EQ(samples[0]["doc_hash"], doc);
  EXPECT_EQ(samples[0]["prompt_hash"], prompt);
  EXPECT_EQ(samples[0]["target_hash"], target);
  std::string hashes;
  for (const json& sample : samples) {
    for (const char* key : {"doc_hash", "prompt_hash", "target_hash"}) {
      hashes += sample[key].get<std::string>();
    }
  }
  const json results = json::parse(text_of(path));
  EXPECT_EQ(results["task_hashes"]["first"], sha256(std::string_view(hashes)).hex());
}

TEST_F(Report, GenerationsShowTheirSettings) {
  const auto suite = test::suite_of(test::generation_task("sums", {"1+1="}, {"2"}));
  test::ScriptedModel model(script);
  model.answer = [](const auto&) { return "2"; };
  const auto report = evaluate(model, suite);
  ASSERT_TRUE(report) << describe(report.error());
  const json sample = json::parse(text_of(samples_of(write(*report, suite), "sums")));
  EXPECT_EQ(sample["arguments"]["gen_args_0"]["arg_0"], "1+1=");
  EXPECT_EQ(sample["arguments"]["gen_args_0"]["arg_1"]["until"], json::array({"\n"}));
  EXPECT_EQ(sample["resps"], (json::array({json::array({"2"})})));
  EXPECT_EQ(sample["filtered_resps"], json::array({"2"}));
  EXPECT_EQ(sample["exact_match"], 1.0);
}

TEST_F(Report, OneItemHasNoStandardError) {
  task::Suite suite = two_tasks();
  suite.tasks[0].items.resize(1);
  suite.tasks.resize(1);
  suite.score.of.resize(1);
  const auto report = report_of(suite);
  EXPECT_TRUE(std::isnan(report.score.score.stderr_));
  const json results = json::parse(text_of(write(report, suite)));
  EXPECT_EQ(results["results"]["first"]["acc_stderr,none"], "N/A");
  EXPECT_TRUE(results["crucible"]["score"]["stderr"].is_null());
}

TEST_F(Report, RefusesAnotherSuite) {
  const auto suite = two_tasks();
  const auto report = report_of(suite);
  task::Suite other = suite;
  other.tasks[0].items.pop_back();
  EXPECT_EQ(write_report(report, other, named("m"), folder_.path()).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(Report, FoldersAreComparedItemByItem) {
  const auto suite = two_tasks();
  write(report_of(suite), suite, named("a"));
  // The other model is wrong on q1 and right on the rest of "first".
  const auto contrary = [](const engine::LoglikelihoodRequest& request) {
    if (request.context == "q0") return request.continuation == " aa" ? -1.0 : -2.0;
    return request.context == "q1" ? (request.continuation == " b" ? -9.0 : -1.0) : script(request);
  };
  write(report_of(suite, contrary), suite, named("b"));
  const auto a = read_report_folder(folder_.path() / "a");
  const auto b = read_report_folder(folder_.path() / "b");
  ASSERT_TRUE(a) << describe(a.error());
  ASSERT_TRUE(b);
  EXPECT_EQ(a->at(1).metric, "acc_norm");
  const auto compared = compare_reports(*a, *b, "a", "b");
  ASSERT_TRUE(compared) << describe(compared.error());
  ASSERT_EQ(compared->tasks.size(), 2U);
  const stats::Comparison& first = compared->tasks[0].numbers;
  EXPECT_EQ(first.items, 3U);
  EXPECT_EQ(first.wins, 1U);
  EXPECT_EQ(first.losses, 1U);
  ASSERT_TRUE(compared->overall);
  EXPECT_EQ(compared->overall->numbers.items, 5U);
  EXPECT_TRUE(compared->notes.empty());
}

TEST_F(Report, SeveralModelsInOneFolderAreNotMixed) {
  const auto suite = two_tasks();
  write(report_of(suite), suite, named("a"));
  write(report_of(suite), suite, named("b"));
  const auto mixed = read_report_folder(folder_.path());
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().message.find("several models"), std::string::npos);
  EXPECT_EQ(read_report_folder(folder_.path() / "none").error().code, ErrorCode::kNotFound);
}

TEST_F(Report, CompactSamplesComeBack) {
  auto suite = two_tasks();
  suite.tasks[0].items[1].cluster = "passage";
  const auto report = report_of(suite);
  std::ofstream(folder_.path() / "samples.jsonl") << compact_samples(suite, report);
  const auto tasks = read_compact_samples(folder_.path() / "samples.jsonl");
  ASSERT_TRUE(tasks) << describe(tasks.error());
  ASSERT_EQ(tasks->size(), 2U);
  EXPECT_EQ(tasks->at(0).items.at(1).cluster, "passage");
  EXPECT_EQ(tasks->at(0).items.at(1).value, 1);
  EXPECT_EQ(tasks->at(1).metric, "acc_norm");
  std::ofstream(folder_.path() / "samples.jsonl", std::ios::app) << "{\"task\": 3}\n";
  const auto broken = read_compact_samples(folder_.path() / "samples.jsonl");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("line 6"), std::string::npos) << broken.error().message;
}

TEST(CompareReports, LeavesOutWhatOnlyOneHas) {
  const ScoredTask a{"t", "acc", "none", true, {{0, "x", "", 1}, {1, "y", "", 0}, {2, "z", "", 1}}};
  ScoredTask b{"t", "acc", "none", true, {{0, "x", "", 1}, {1, "other", "", 0}}};
  const auto compared = compare_reports({a}, {b}, "a", "b");
  ASSERT_TRUE(compared);
  EXPECT_EQ(compared->tasks[0].numbers.items, 1U);
  ASSERT_EQ(compared->notes.size(), 2U);
  b.task = "u";
  EXPECT_EQ(compare_reports({a}, {b}, "a", "b").error().code, ErrorCode::kInvalidArgument);
}

TEST(CompareReports, PerplexitiesAreNotAddedToAccuracies) {
  const ScoredTask acc{"t", "acc", "none", true, {{0, "", "", 1}, {1, "", "", 0}}};
  const ScoredTask perplexity{
      "u", "word_perplexity", "none", false, {{0, "", "", 3}, {1, "", "", 4}}};
  const auto compared = compare_reports({acc, perplexity}, {acc, perplexity}, "a", "b");
  ASSERT_TRUE(compared);
  EXPECT_FALSE(compared->overall);
  EXPECT_EQ(item_value("weighted_perplexity", {{-6, 3}, {}}), 2);
  EXPECT_EQ(item_value("f1", {{1, 0}, {}}), 0);
  EXPECT_FALSE(item_value("bleu", {{}, {"a", "b"}}));
}

TEST(LineReader, ReadsLinesOfAnyLengthUpToItsLimit) {
  test::ScratchFolder folder;
  const std::string longest(3'000'000, 'x');
  std::ofstream(folder.path() / "f") << "one\n\n" << longest << "\nlast";
  auto reader = LineReader::open(folder.path() / "f");
  ASSERT_TRUE(reader);
  EXPECT_EQ(*reader->next(), "one");
  EXPECT_EQ(*reader->next(), "");
  EXPECT_EQ(*reader->next(), longest);
  EXPECT_EQ(*reader->next(), "last");
  EXPECT_EQ(reader->number(), 4U);
  EXPECT_EQ(*reader->next(), std::nullopt);
  auto strict = LineReader::open(folder.path() / "f", 1'000'000);
  ASSERT_TRUE(strict->next());
  ASSERT_TRUE(strict->next());
  EXPECT_EQ(strict->next().error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace crucible::run
