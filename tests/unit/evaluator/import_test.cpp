#include <filesystem>
#include <fstream>

#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/import_dataset.hpp"
#include "evaluator/task/row_files.hpp"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.hpp"

namespace crucible::task {
namespace {

namespace fs = std::filesystem;

// Invented rows in the shapes of upstream files; the published counts do not hold for them.
class ImportTest : public testing::Test {
 protected:
  void put(const std::string& name, std::string_view text) const {
    const fs::path file = upstream_.path() / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  Result<ImportReport> import(const std::string& name,
                              ImportOptions options = {false, true}) const {
    return import_dataset(*find_dataset(name), upstream_.path(), root_.path(), options);
  }
  std::vector<Json> rows(const std::string& path, const std::string& config,
                         const std::string& split) const {
    FolderDatasets datasets({root_.path()});
    DatasetReference reference;
    reference.path = path;
    reference.name = config;
    auto found = datasets.rows(reference, split);
    EXPECT_TRUE(found) << describe(found.error());
    return found ? *found : std::vector<Json>{};
  }
  test::ScratchFolder upstream_, root_;
};

TEST_F(ImportTest, HubFilesAreTakenAsTheyAre) {
  put("main/test.jsonl", R"({"question": "q", "answer": "#### 1"})");
  put("main/train.jsonl", R"({"question": "t", "answer": "#### 2"})");
  const auto report = import("gsm8k");
  ASSERT_TRUE(report) << describe(report.error());
  ASSERT_EQ(report->parts.size(), 2U);
  EXPECT_FALSE(report->parts[0].converted);
  EXPECT_EQ(report->unknown_files, 2U);
  EXPECT_EQ(rows("openai/gsm8k", "main", "test").at(0).at("answer"), "#### 1");
  EXPECT_TRUE(fs::exists(root_.path() / "openai/gsm8k/SOURCE.json"));
}

TEST_F(ImportTest, RowCountsAndColumnsAreChecked) {
  put("test.jsonl", R"({"question": "q", "answer": "#### 1"})");
  const auto counted = import("gsm8k", {});
  ASSERT_FALSE(counted);
  EXPECT_EQ(counted.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(describe(counted.error()).find("1319"), std::string::npos);
  put("test.jsonl", "{\"question\": \"q\", \"answer\": \"#### 1\"}\n{\"question\": \"r\"}\n");
  const auto columns = import("gsm8k");
  ASSERT_FALSE(columns);
  EXPECT_NE(describe(columns.error()).find("row 1: has no answer"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(root_.path()));  // nothing was installed
}

TEST_F(ImportTest, WhatIsInstalledStaysUnlessReplaced) {
  put("test.jsonl", R"({"question": "q", "answer": "#### 1"})");
  ASSERT_TRUE(import("gsm8k"));
  put("test.jsonl", R"({"question": "q", "answer": "#### 7"})");
  const auto again = import("gsm8k");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_EQ(rows("openai/gsm8k", "main", "test").at(0).at("answer"), "#### 1");
  ASSERT_TRUE(import("gsm8k", {true, true}));
  EXPECT_EQ(rows("openai/gsm8k", "main", "test").at(0).at("answer"), "#### 7");
  std::size_t entries = 0;  // no staging folder is left
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(root_.path())) ++entries;
  EXPECT_EQ(entries, 1U);
}

TEST_F(ImportTest, AgievalRowsGetTheHubsPromptAndGolds) {
  put("v1/sat-en.jsonl",
      R"({"passage": "P. ", "question": "Why?", "options": ["(A)x", "(B)y"], "label": "B"})");
  put("v1/math.jsonl",
      R"({"passage": null, "question": "2+2?", "options": null, "label": null, "answer": "4"})");
  const auto report = import("agieval");
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->missing.size(), 7U);
  const Json row = rows("hails/agieval-sat-en", "", "test").at(0);
  EXPECT_EQ(row.at("query"),
            "P. Q: Why? Answer Choices: (A)x (B)y\nA: Among A through B, the answer is");
  EXPECT_EQ(row.at("gold"), Json({1}));
  EXPECT_EQ(rows("hails/agieval-math", "", "test").at(0).at("query"), "Q: 2+2?\nA: The answer is");
}

TEST_F(ImportTest, MmluTakesLettersWithoutHeaderAndNumbersWithOne) {
  put("test/anatomy_test.csv", "\"What, then?\",a,b,c,d,C\n");
  put("dev/anatomy_dev.csv", "question,choice0,choice1,choice2,choice3,answer\nQ,a,b,c,d,1\n");
  ASSERT_TRUE(import("mmlu"));
  const Json test = rows("cais/mmlu", "anatomy", "test").at(0);
  EXPECT_EQ(test.at("question"), "What, then?");
  EXPECT_EQ(test.at("answer"), 2);
  EXPECT_EQ(rows("cais/mmlu", "anatomy", "dev").at(0).at("answer"), 1);
  put("test/virology_test.csv", "Q,a,b,c,d,E\n");
  const auto broken = import("mmlu", {true, true});
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("virology_test.csv: record 0"), std::string::npos);
}

TEST_F(ImportTest, WinograndeContextsComeBackAsSentences) {
  put("winogrande.jsonl",
      R"({"context_options": ["The cup hit the red wall so the cup", "The cup hit the red wall so )"
      R"(the wall"], "continuation": "broke.", "gold": 0})");
  const auto report = import("winogrande");
  ASSERT_TRUE(report) << describe(report.error());
  const Json row = rows("allenai/winogrande", "winogrande_xl", "validation").at(0);
  EXPECT_EQ(row.at("sentence"), "The cup hit the red wall so the _ broke.");
  EXPECT_EQ(row.at("option1"), "cup");
  EXPECT_EQ(row.at("option2"), "wall");
  EXPECT_EQ(row.at("answer"), "1");
  EXPECT_EQ(report->missing.size(), 1U);
}

// numpy.random.RandomState(42).permutation(4) is 1 3 0 2.
TEST_F(ImportTest, BigbenchPromptsAreTheForks) {
  put("snarks.json", R"({"task_prefix": "T ", "examples": [)"
                     R"({"input": "i", "target_scores": {"d": 0, "c": 1, "b": 0, "a": 0}},)"
                     R"({"input": "i", "target_scores": {"d": 0, "c": 1, "b": 0, "a": 0}}]})");
  ASSERT_TRUE(import("bigbench_nous"));
  const auto found = rows("bigbench_nous", "snarks", "test");
  ASSERT_EQ(found.size(), 1U);  // equal examples count once
  EXPECT_EQ(found[0].at("query"),
            "T \nQ: i\n  choice: b\n  choice: d\n  choice: a\n  choice: c\nA: ");
  EXPECT_EQ(found[0].at("choices"), Json({"d", "c", "b", "a"}));
  EXPECT_EQ(found[0].at("gold"), Json({1}));
}

TEST_F(ImportTest, EqBenchGivesItsOwnAndTheHarnessForm) {
  put("eq_bench_v2_questions_171.json",
      R"({"1": {"prompt": "Rate. Then critique your answer by thinking it through step by step. )"
      R"(Finally, give your revised scores.\nFirst pass scores:\nSad: <score>\nCritique: <your )"
      R"(critique here>\n\nRevised scores:\n[End of answer]\nzero is valid.\n",)"
      R"( "reference_answer": {"emotion1": "Sad"}, "reference_answer_fullscale": {"emotion1": )"
      R"("Sad", "emotion1_score": 3}}})");
  ASSERT_TRUE(import("eq_bench"));
  const Json harness = rows("pbevan11/EQ-Bench", "", "validation").at(0);
  EXPECT_EQ(harness.at("prompt"),
            "Rate.\nSad: <score>\n\n[End of answer]\nzero is valid.\n\nYour answer:\n");
  EXPECT_EQ(harness.at("reference_answer_fullscale"), "{'emotion1': 'Sad', 'emotion1_score': 3}");
  EXPECT_EQ(rows("eq_bench", "v2", "test").at(0).at("reference_answer").at("emotion1"), "Sad");
}

TEST_F(ImportTest, OtherUpstreamShapesBecomeTheHubs) {
  put("ARC-Easy-Test.jsonl",
      R"({"id": "x", "question": {"stem": "s", "choices": [{"text": "a", "label": "A"}]}, )"
      R"("answerKey": "A"})");
  put("hellaswag_val.jsonl",
      R"({"activity_label": "l", "ctx_a": "a", "ctx_b": "b", "endings": ["e"], "label": 0})");
  put("valid.jsonl", R"({"goal": "g", "sol1": "a", "sol2": "b"})");
  put("valid-labels.lst", "1\n");
  put("dev.jsonl", R"({"question": "q", "passage": "p", "answer": true})");
  put("en_input_data.jsonl",
      R"({"key": 1, "prompt": "p", "instruction_id_list": ["en:punctuation:no_comma"], )"
      R"("kwargs": [{}]})");
  put("wiki.test.raw", " \n = One = \n\n text \n = = Part = = \n more \n = Two = \n end \n");
  put("MATH/test/algebra/10.json", R"({"problem": "b", "level": "L", "solution": "s"})");
  put("MATH/test/algebra/9.json", R"({"problem": "a", "level": "L", "solution": "s"})");
  for (const char* name : {"arc", "hellaswag", "piqa", "boolq", "ifeval", "wikitext", "math"}) {
    const auto report = import(name);
    ASSERT_TRUE(report) << describe(report.error());
  }
  EXPECT_EQ(rows("allenai/ai2_arc", "ARC-Easy", "test").at(0).at("choices").at("label"),
            Json({"A"}));
  EXPECT_EQ(rows("Rowan/hellaswag", "", "validation").at(0).at("label"), "0");
  EXPECT_EQ(rows("baber/piqa", "", "validation").at(0).at("label"), 1);
  EXPECT_EQ(rows("aps/super_glue", "boolq", "validation").at(0).at("label"), 1);
  EXPECT_EQ(
      rows("wis-k/instruction-following-eval", "", "train").at(0).at("instruction_id_list").at(0),
      "punctuation:no_comma");
  EXPECT_EQ(rows("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1", "test").size(), 2U);
  EXPECT_EQ(rows("DigitalLearningGmbH/MATH-lighteval", "algebra", "test").at(0).at("problem"), "a");
}

TEST_F(ImportTest, TheHubsCacheIsReadByItsRevision) {
  const std::string repository = "datasets--openai--gsm8k/";
  put(repository + "refs/main", "b2\n");
  put(repository + "snapshots/a1/main/test.jsonl", R"({"question": "old", "answer": "#### 0"})");
  put(repository + "snapshots/b2/main/test.jsonl", R"({"question": "new", "answer": "#### 1"})");
  ASSERT_TRUE(import("gsm8k"));  // the whole cache
  EXPECT_EQ(rows("openai/gsm8k", "main", "test").at(0).at("question"), "new");
  const auto one = import_dataset(*find_dataset("gsm8k"), upstream_.path() / repository,
                                  root_.path(), {true, true});
  ASSERT_TRUE(one) << describe(one.error());
  EXPECT_EQ(rows("openai/gsm8k", "main", "test").at(0).at("question"), "new");
}

TEST_F(ImportTest, MmluOfAllSubjectsIsTakenApart) {
  put("datasets--cais--mmlu/snapshots/c3/all/test.jsonl",
      R"({"question": "q", "subject": "virology", "choices": ["a", "b", "c", "d"], "answer": 2})"
      "\n"
      R"({"question": "r", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 0})");
  const auto report = import("mmlu");
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->parts.size(), 2U);
  EXPECT_EQ(rows("cais/mmlu", "virology", "test").at(0).at("answer"), 2);
  EXPECT_EQ(rows("cais/mmlu", "anatomy", "test").at(0).at("question"), "r");
}

TEST_F(ImportTest, HellaswagIsReadFromReadyContextsToo) {
  put("hellaswag_small.jsonl",
      R"({"query": "Baking: A chef smiles: Then", "choices": [", a.", "b", "c", "d"], "gold": 3})");
  ASSERT_TRUE(import("hellaswag"));
  const Json row = rows("Rowan/hellaswag", "", "validation").at(0);
  EXPECT_EQ(row.at("activity_label"), "Baking");
  EXPECT_EQ(row.at("ctx_a"), "A chef smiles: Then");
  EXPECT_EQ(row.at("endings").at(0), ", a.");
  EXPECT_EQ(row.at("label"), "3");
}

TEST_F(ImportTest, ForeignFilesAreRefusedWithWhatIsExpected) {
  put("notes.txt", "nothing");
  const auto none = import("truthfulqa");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find("sylinrl/TruthfulQA"), std::string::npos);
  put("mc_task.json", "[{\"question\": 3}]");
  const auto broken = import("truthfulqa");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(broken.error().message.find("mc_task.json: row 0"), std::string::npos);
  EXPECT_EQ(import_dataset(*find_dataset("gsm8k"), upstream_.path() / "gone", root_.path(), {})
                .error()
                .code,
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace crucible::task
