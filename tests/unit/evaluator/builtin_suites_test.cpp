#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/import_registry.hpp"
#include "evaluator/task/suite.hpp"
#include "gtest/gtest.h"
#include "tests/support/sample_rows.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::task {
namespace {

Result<Suite> read_with_samples(const std::string& place) {
  static test::SampleRows rows;
  BuildOptions options;
  options.datasets = &rows;
  return read_suite(place, options);
}

Suite suite(const std::string& name) {
  auto read = read_with_samples("builtin:" + name);
  EXPECT_TRUE(read) << describe(read.error());
  return read ? std::move(*read) : Suite{};
}

const Task& task_of(const Suite& suite, const std::string& name) {
  return *std::ranges::find(suite.tasks, name, &Task::name);
}

std::vector<std::string> columns(const Suite& suite) {
  std::vector<std::string> names;
  for (const ScoreRule& column : suite.score.of) names.push_back(column.name);
  return names;
}

TEST(BuiltinSuites, AllOfThemAreListedAndReadable) {
  const auto listings = list_builtin_suites();
  std::set<std::string> names;
  for (const SuiteListing& listing : listings) {
    EXPECT_EQ(listing.error, "") << listing.name;
    EXPECT_FALSE(listing.description.empty()) << listing.name;
    const auto read = read_with_samples(listing.file.string());
    ASSERT_TRUE(read) << describe(read.error());
    EXPECT_EQ(read->name, listing.name);
    EXPECT_FALSE(read->score.of.empty());
    names.insert(listing.name);
  }
  for (const char* name :
       {"agieval-nous", "agieval-english", "agieval-open", "agieval-original", "nous",
        "open-llm-leaderboard-v1", "open-llm-leaderboard-v2", "eq-bench-v1", "eq-bench-v2.1",
        "eq-bench-harness", "perplexity", "crucible-basics", "crucible-fresh"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

// What a suite says it needs is what its tasks ask for, and an empty machine is told all at once.
TEST(BuiltinSuites, MissingDataIsNamedAllAtOnce) {
  const test::ScratchFolder empty;
  FolderDatasets nothing({empty.path()});
  BuildOptions options;
  options.datasets = &nothing;
  for (const SuiteListing& listing : list_builtin_suites()) {
    const auto read = read_suite(listing.file, options);
    if (listing.needs.empty()) {
      EXPECT_TRUE(read) << listing.name;
      continue;
    }
    ASSERT_FALSE(read) << listing.name;
    EXPECT_EQ(read.error().code, ErrorCode::kNotFound) << describe(read.error());
    std::set<std::string> needed, missing;
    for (const std::string& need : listing.needs) needed.insert(need.substr(0, need.find('/')));
    for (const Fault& fault : read.error().faults) {
      missing.insert(fault.path);
      EXPECT_NE(fault.suggestion.find("crucible suites import " + fault.path), std::string::npos);
      EXPECT_NE(fault.suggestion.find("licence"), std::string::npos);
    }
    EXPECT_EQ(missing, needed) << listing.name;
    EXPECT_EQ(read.error().faults.size(), missing.size()) << listing.name;
  }
}

// Only what a suite's tasks read keeps it from being ready.
TEST(BuiltinSuites, PartsOfADataSetSuffice) {
  const test::ScratchFolder root;
  const std::vector<std::filesystem::path> roots = {root.path()};
  const std::vector<std::string> needs = {"arc/ARC-Challenge", "agieval/agieval-sat-en", "agieval",
                                          "gsm8k/train+test"};
  EXPECT_EQ(missing_datasets(needs, roots), (std::vector<std::string>{"arc", "agieval", "gsm8k"}));
  for (const char* part :
       {"allenai/ai2_arc/ARC-Challenge/train", "allenai/ai2_arc/ARC-Challenge/validation",
        "allenai/ai2_arc/ARC-Challenge/test", "hails/agieval-sat-en/test", "openai/gsm8k/main/test",
        "openai/gsm8k/main/train"}) {
    const std::filesystem::path file = root.path() / (std::string(part) + ".jsonl");
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << "{}\n";
  }
  EXPECT_EQ(missing_datasets(needs, roots), (std::vector<std::string>{"agieval"}));
  EXPECT_EQ(missing_data("agieval", roots).size(), 8U);
  EXPECT_TRUE(missing_data("agieval/agieval-sat-en", roots).empty());
  EXPECT_EQ(missing_data("arc", roots).size(), 3U);  // ARC-Easy
}

TEST(BuiltinSuites, NousHasTheColumnsAndRoundingOfItsBoard) {
  const Suite nous = suite("nous");
  EXPECT_EQ(columns(nous),
            (std::vector<std::string>{"AGIEval", "GPT4All", "TruthfulQA", "Bigbench"}));
  EXPECT_EQ(nous.tasks.size(), 8U + 7 + 1 + 18);
  std::vector<std::size_t> sizes;
  for (const ScoreRule& column : nous.score.of) {
    EXPECT_EQ(column.scale, 100);
    EXPECT_EQ(column.decimals, 2);
    sizes.push_back(column.of.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{8, 7, 0, 18}));
  EXPECT_EQ(nous.score.decimals, 2);
  for (const Task& task : nous.tasks) EXPECT_EQ(task.bos, engine::BosRule::kNever) << task.name;
  const Item& item = task_of(nous, "bigbench_snarks").items.at(0);
  EXPECT_EQ(item.requests.at(1).continuation, "b");  // no space between prompt and option
  EXPECT_EQ(task_of(nous, "agieval_sat_en").items.at(0).cluster, "P0. ");
}

TEST(BuiltinSuites, LeaderboardV1AsksAsThePinnedHarness) {
  const Suite v1 = suite("open-llm-leaderboard-v1");
  EXPECT_EQ(columns(v1), (std::vector<std::string>{"ARC", "HellaSwag", "MMLU", "TruthfulQA",
                                                   "Winogrande", "GSM8K"}));
  EXPECT_EQ(v1.tasks.size(), 57U + 5);
  EXPECT_EQ(v1.score.of[2].of.size(), 57U);
  EXPECT_FALSE(v1.score.of[2].weight_by_size);
  const std::map<std::string, std::uint32_t> shots = {
      {"v03_arc_challenge", 25}, {"v03_hellaswag", 10}, {"v03_mmlu_anatomy", 5},
      {"v03_truthfulqa_mc2", 0}, {"v03_winogrande", 5}, {"v03_gsm8k", 5}};
  for (const auto& [name, count] : shots) {
    EXPECT_EQ(task_of(v1, name).num_fewshot, count) << name;
    EXPECT_EQ(task_of(v1, name).bos, engine::BosRule::kNever) << name;
  }
  test::SampleRows rows;
  BuildOptions options;
  options.datasets = &rows;
  const auto catalog = TaskCatalog::open({});
  const auto alone = catalog->build({"v03_gsm8k", "v03_mmlu_anatomy", "gsm8k"}, options);
  ASSERT_TRUE(alone) << describe(alone.error());
  EXPECT_EQ(alone->tasks[0].bos, engine::BosRule::kNever);  // without the suite, too
  EXPECT_EQ(alone->tasks[1].bos, engine::BosRule::kNever);
  EXPECT_EQ(alone->tasks[2].bos, engine::BosRule::kTokenizer);
  const Task& gsm8k = task_of(v1, "v03_gsm8k");
  EXPECT_EQ(gsm8k.generation.until, (std::vector<std::string>{":", "Question:", "Question"}));
  EXPECT_EQ(v1.score.of[5].filter, "first-match");
}

TEST(BuiltinSuites, LeaderboardV2NormalisesByBaselines) {
  const Suite v2 = suite("open-llm-leaderboard-v2");
  EXPECT_EQ(columns(v2),
            (std::vector<std::string>{"IFEval", "BBH", "MATH Lvl 5", "GPQA", "MuSR", "MMLU-Pro"}));
  const ScoreRule& bbh = v2.score.of[1];
  ASSERT_EQ(bbh.of.size(), 24U);
  for (const ScoreRule& leaf : bbh.of) {
    const std::size_t choices = task_of(v2, leaf.task).items.at(0).choices.size();
    ASSERT_TRUE(leaf.baseline.has_value()) << leaf.task;
    EXPECT_NEAR(*leaf.baseline, 1.0 / static_cast<double>(choices), 1e-12) << leaf.task;
  }
  EXPECT_EQ(v2.score.of[3].baseline, 0.25);
  EXPECT_TRUE(v2.score.of[3].weight_by_size);
  EXPECT_EQ(v2.score.of[5].baseline, 0.1);
  EXPECT_EQ(v2.score.of[0].of.size(), 2U);
}

TEST(BuiltinSuites, EqBenchAsksAgainAndCutsTheRevision) {
  const Suite eq = suite("eq-bench-v2.1");
  const Task& task = eq.tasks.at(0);
  EXPECT_EQ(task.attempts, 3U);
  EXPECT_EQ(task.retry_temperature_step, 0.15);
  EXPECT_TRUE(task.generation.do_sample);
  EXPECT_EQ(task.items.at(0).requests.at(0).context, "0\n[End of answer]\n\nYour answer:\n");
  EXPECT_EQ(task.items[0].document.at("reference_answer_fullscale").at("emotion4_score"), 4);
}

TEST(BuiltinSuites, FreshItemsFollowTheSeedInTheName) {
  const Suite one = suite("crucible-fresh"), also_one = suite("crucible-fresh-1");
  const Suite seven = suite("crucible-fresh-7");
  EXPECT_EQ(seven.name, "crucible-fresh-7");
  EXPECT_EQ(one.tasks[0].digest, also_one.tasks[0].digest);
  EXPECT_NE(one.tasks[0].digest, seven.tasks[0].digest);
  EXPECT_EQ(find_suite("crucible-fresh-7", {})->string(), "builtin:crucible-fresh-7");
  for (const char* name : {"crucible-fresh-", "crucible-fresh-07", "crucible-fresh-x", "nuos"}) {
    EXPECT_EQ(find_suite(name, {}).error().code, ErrorCode::kNotFound) << name;
  }
  EXPECT_NE(find_suite("nuos", {}).error().message.find("nous"), std::string::npos);
}

TEST(BuiltinSuites, EveryPathOfATaskFileIsAKnownDataSet) {
  const auto catalog = TaskCatalog::open({});
  ASSERT_TRUE(catalog) << describe(catalog.error());
  test::SampleRows rows;
  BuildOptions options;
  options.datasets = &rows;
  std::vector<std::string> names;
  for (const TaskInfo& info : catalog->list()) {
    if (info.kind == "task") names.push_back(info.name);
  }
  EXPECT_GT(names.size(), 200U);
  const auto set = catalog->build(names, options);
  ASSERT_TRUE(set) << describe(set.error());
  for (const Task& task : set->tasks) {
    const std::string path = task.config.value("dataset_path", "");
    EXPECT_NE(dataset_of_path(path), nullptr) << task.name << ": " << path;
  }
}

}  // namespace
}  // namespace crucible::task
