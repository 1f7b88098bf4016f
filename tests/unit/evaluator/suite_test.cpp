#include "evaluator/task/suite.hpp"

#include <algorithm>
#include <filesystem>

#include "gtest/gtest.h"
#include "merger/base/io.hpp"
#include "tests/support/scratch_folder.hpp"

namespace crucible::task {
namespace {

constexpr std::string_view kItem = R"({"query": "Q:", "choices": ["a", " b"], "gold": 1})";

std::string suite_of(std::string_view task_lines) {
  return "name: s\ntasks:\n  - name: t\n    data: items.jsonl\n" + std::string(task_lines);
}

class SuiteTest : public testing::Test {
 protected:
  Result<Suite> read(std::string_view yaml) {
    return read_suite(folder_.write("suite.yaml", yaml));
  }
  Result<Suite> read_items(std::string_view items, std::string_view extra = {}) {
    folder_.write("items.jsonl", items);
    return read(suite_of("    format: multiple_choice_jsonl\n" + std::string(extra)));
  }
  test::ScratchFolder folder_;
};

std::vector<std::string> paths(const Error& error) {
  std::vector<std::string> found;
  for (const Fault& fault : error.faults) found.push_back(fault.path);
  return found;
}

std::vector<std::string> continuations(const Item& item) {
  std::vector<std::string> texts;
  for (const Request& request : item.requests) texts.push_back(request.continuation);
  return texts;
}

TEST_F(SuiteTest, DelimiterStandsOnceAndIsNoPartOfTheText) {
  const auto suite = read_items(std::string(kItem) + "\n\n" + std::string(kItem));
  ASSERT_TRUE(suite) << describe(suite.error());
  const Task& task = suite->tasks.at(0);
  ASSERT_EQ(task.items.size(), 2U);
  const Item& item = task.items[1];
  EXPECT_EQ(item.id, "1");
  EXPECT_EQ(item.doc_id, 1U);
  EXPECT_EQ(item.requests.at(0).context, "Q:");
  EXPECT_EQ(continuations(item), (std::vector<std::string>{" a", " b"}));
  EXPECT_EQ(item.choices, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(item.gold, std::vector<std::size_t>{1});
  EXPECT_EQ(item.document.at("query"), "Q:");
  EXPECT_EQ(task.primary_metric, "acc");
  EXPECT_EQ(task.bos, engine::BosRule::kNever);
  ASSERT_EQ(task.filters.size(), 1U);
  EXPECT_EQ(task.filters[0].name, "none");
  ASSERT_EQ(task.metrics.size(), 2U);
  EXPECT_EQ(task.metrics[1].metric, "acc_norm");
}

TEST_F(SuiteTest, EmptyDelimiterTakesChoicesAsTheyAre) {
  const auto suite = read_items(kItem, "    delimiter: \"\"\n");
  ASSERT_TRUE(suite) << describe(suite.error());
  EXPECT_EQ(continuations(suite->tasks[0].items[0]), (std::vector<std::string>{"a", " b"}));
  EXPECT_EQ(suite->tasks[0].items[0].choices, (std::vector<std::string>{"a", " b"}));
}

TEST_F(SuiteTest, FieldNamesAndGoldFormsAreFree) {
  const auto suite = read_items(
      "{\"q\": \"?\", \"c\": [\"x\", \"y\", \"z\"], \"g\": [\"C\", 0]}\n"
      "{\"q\": \"?\", \"c\": [\"x\", \"y\"], \"g\": \"B\"}",
      "    fields: {query: q, choices: c, gold: g}\n");
  ASSERT_TRUE(suite) << describe(suite.error());
  EXPECT_EQ(suite->tasks[0].items[0].gold, (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(suite->tasks[0].items[1].gold, std::vector<std::size_t>{1});
}

TEST_F(SuiteTest, EveryItemFaultIsReportedWithItsLine) {
  const auto suite = read_items(
      "not json\n"
      "{\"query\": 3, \"choices\": [\"a\", \"b\"], \"gold\": 0}\n"
      "{\"query\": \"q\", \"choices\": [\"a\"], \"gold\": 0}\n"
      "{\"query\": \"q\", \"choices\": [\"a\", \"\"], \"gold\": 0}\n"
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": 2}\n"
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": -1}\n"
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": []}\n"
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": [1, 1]}\n"
      "{\"query\": \"q\", \"choices\": [\"a\", \"b\"]}\n" +
      std::string(kItem));
  ASSERT_FALSE(suite);
  EXPECT_EQ(suite.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(paths(suite.error()),
            (std::vector<std::string>{
                "items.jsonl:1", "items.jsonl:2 query", "items.jsonl:3 choices",
                "items.jsonl:4 choices[1]", "items.jsonl:5 gold", "items.jsonl:6 gold",
                "items.jsonl:7 gold", "items.jsonl:8 gold", "items.jsonl:9 gold"}));
}

TEST_F(SuiteTest, InvalidUtf8AndDeepNestingAreFaults) {
  EXPECT_FALSE(read_items("{\"query\": \"\xFF\", \"choices\": [\"a\", \"b\"], \"gold\": 0}"));
  EXPECT_FALSE(read_items(std::string(100000, '[')));
}

TEST_F(SuiteTest, EverySuiteFaultIsReportedAtOnce) {
  folder_.write("items.jsonl", kItem);
  const auto suite = read(
      "name: a/b\n"
      "colour: red\n"
      "tasks:\n"
      "  - {name: t, format: essay, data: items.jsonl, primary_metric: bleu}\n"
      "  - {name: t, format: agieval, data: gone.jsonl, source: the shelf, fields: {query: q}}\n"
      "  - {format: multiple_choice_jsonl, data: items.jsonl, data: items.jsonl}\n"
      "  - seven\n");
  ASSERT_FALSE(suite);
  const auto found = paths(suite.error());
  for (const char* path :
       {"colour", "name", "tasks[0].format", "tasks[0].primary_metric", "tasks[1].data",
        "tasks[1].fields", "tasks", "tasks[2].data", "tasks[2].name", "tasks[3] seven"}) {
    EXPECT_NE(std::find(found.begin(), found.end(), path), found.end()) << path;
  }
  EXPECT_NE(describe(suite.error()).find("the shelf"), std::string::npos);
}

TEST_F(SuiteTest, BrokenYamlAndEmptySuitesAreRefused) {
  EXPECT_FALSE(read("name: [unclosed"));
  EXPECT_FALSE(read(""));
  EXPECT_FALSE(read("- a list"));
  EXPECT_FALSE(read("name: s\ntasks: []\n"));
  EXPECT_EQ(read_suite(folder_.path() / "none.yaml").error().code, ErrorCode::kNotFound);
}

// Nine lines that stand for a hundred million values.
TEST_F(SuiteTest, AliasesCannotBecomeMillionsOfValues) {
  std::string yaml = "name: s\ntasks:\n  - task: arc_easy\n    metadata:\n      a0: &a0 [x]\n";
  for (int level = 1; level < 9; ++level) {
    const std::string below = "*a" + std::to_string(level - 1);
    yaml += "      a" + std::to_string(level) + ": &a" + std::to_string(level) + " [";
    for (int i = 0; i < 10; ++i) yaml += (i > 0 ? "," : "") + below;
    yaml += "]\n";
  }
  const auto suite = read(yaml);
  ASSERT_FALSE(suite);
  EXPECT_EQ(suite.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SuiteTest, DigestIsOfWhatIsScored) {
  const auto first = read_items(kItem);
  const auto reformatted = read_items("  " + std::string(kItem) + "  \n\n");
  const auto other_gold = read_items(R"({"query": "Q:", "choices": ["a", " b"], "gold": 0})");
  const auto other_delimiter = read_items(kItem, "    delimiter: \"\"\n");
  ASSERT_TRUE(first && reformatted && other_gold && other_delimiter);
  EXPECT_EQ(first->digest, reformatted->digest);
  EXPECT_NE(first->digest, other_gold->digest);
  EXPECT_NE(first->digest, other_delimiter->digest);
  const auto other_metric = read_items(kItem, "    primary_metric: acc_norm\n");
  EXPECT_NE(first->digest, other_metric->digest);
  EXPECT_EQ(first->tasks[0].digest, other_metric->tasks[0].digest);
}

TEST_F(SuiteTest, AgievalPromptIsTheNousForm) {
  folder_.write(
      "items.jsonl",
      R"({"passage": "P. ", "question": "Why?", "options": ["(A)x", "(B)y", "(C)z"], )"
      R"("label": "C", "answer": null})"
      "\n"
      R"({"passage": null, "question": "Why?", "options": ["(A)x", "(B)y"], "label": "A"})");
  const auto suite = read(suite_of("    format: agieval\n"));
  ASSERT_TRUE(suite) << describe(suite.error());
  const Task& task = suite->tasks[0];
  EXPECT_EQ(task.primary_metric, "acc_norm");
  EXPECT_EQ(task.items[0].requests[0].context,
            "P. Q: Why? Answer Choices: (A)x (B)y (C)z\nA: Among A through C, the answer is");
  EXPECT_EQ(continuations(task.items[0]), (std::vector<std::string>{" (A)x", " (B)y", " (C)z"}));
  EXPECT_EQ(task.items[0].choices[2], "(C)z");
  EXPECT_EQ(task.items[0].gold, std::vector<std::size_t>{2});
  EXPECT_EQ(task.items[1].requests[1].context,
            "Q: Why? Answer Choices: (A)x (B)y\nA: Among A through B, the answer is");
}

TEST_F(SuiteTest, ListingIsSortedAndCarriesErrors) {
  folder_.write("items.jsonl", kItem);
  folder_.write("z.yaml",
                "name: alpha\ndescription: first\ntasks: [{name: t, format: "
                "multiple_choice_jsonl, data: items.jsonl}]\n");
  folder_.write("y.yml",
                "name: alpha\ntasks: [{name: t, format: multiple_choice_jsonl, "
                "data: items.jsonl}]\n");
  folder_.write("x.yaml", "name: broken\ntasks: [{name: t, format: agieval, data: gone.jsonl}]\n");
  folder_.write("readme.txt", "no suite");
  const auto listings = list_suites({folder_.path(), folder_.path() / "absent"});
  ASSERT_EQ(listings.size(), 3U);
  EXPECT_EQ(listings[0].name, "alpha");
  EXPECT_EQ(listings[0].error, "");
  EXPECT_NE(listings[1].error.find("taken by"), std::string::npos);
  EXPECT_EQ(listings[2].name, "broken");
  EXPECT_NE(listings[2].error.find("gone.jsonl"), std::string::npos);
}

TEST(ShippedSuites, DemoFamilyIsReadable) {
  const auto folder =
      std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "deploy" / "demo-family" / "suites";
  const auto listings = list_suites({folder});
  ASSERT_EQ(listings.size(), 3U);
  for (const SuiteListing& listing : listings) EXPECT_EQ(listing.error, "") << listing.name;
}

}  // namespace
}  // namespace crucible::task
