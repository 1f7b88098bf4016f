#include <filesystem>
#include <fstream>
#include <string>

#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/task_catalog.hpp"
#include "evaluator/task/yaml_value.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.hpp"

// Task files of the harness's format: what is wrong with one is said with its file, the place in
// it and what to do. That good ones become the harness's requests is for task_oracle_test.cpp.
namespace crucible::task {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kQuiz =
    "task: quiz\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\n"
    "test_split: test\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\n"
    "doc_to_choice: [a, b]\ndoc_to_target: gold\n";

class TaskFilesTest : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_.path() / name).parent_path());
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
  }
  Result<TaskSet> build(const std::vector<std::string>& names, const Json& overrides = {}) const {
    auto catalog = TaskCatalog::open({folder_.path()});
    if (!catalog) return fail(std::move(catalog.error()));
    FolderDatasets datasets({});
    BuildOptions options;
    options.datasets = &datasets;
    return overrides.is_null() ? catalog->build(names, options)
                               : catalog->build_with(names.at(0), overrides, options);
  }
  std::string error_of(const std::vector<std::string>& names) const {
    const auto set = build(names);
    return set ? "no error" : describe(set.error());
  }
  std::string error_of_quiz(const std::string& more) const {
    put("quiz.yaml", kQuiz + more);
    put("rows.jsonl", R"({"q": "x?", "gold": 1})");
    return error_of({"quiz"});
  }
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }
  test::ScratchFolder folder_;
};

TEST_F(TaskFilesTest, AFileBecomesItems) {
  put("quiz.yaml", kQuiz);
  put("rows.jsonl", "{\"q\": \"x?\", \"gold\": 1}\n{\"q\": \"y?\", \"gold\": 0}\n");
  const auto set = build({"quiz"});
  ASSERT_TRUE(set) << describe(set.error());
  ASSERT_EQ(set->tasks.at(0).items.size(), 2U);
  const Item& item = set->tasks[0].items[1];
  EXPECT_EQ(item.requests.at(1).context, "y?");
  EXPECT_EQ(item.requests[1].continuation, " b");
  EXPECT_EQ(item.gold, (std::vector<std::size_t>{0}));
}

TEST_F(TaskFilesTest, UnknownKeysAreNamedWithASuggestion) {
  const std::string error = error_of_quiz("num_fewshots: 3\nfewshot_config: {sampler: random}\n");
  EXPECT_THAT(error, HasSubstr(file("quiz.yaml") + ": num_fewshots"));
  EXPECT_THAT(error, HasSubstr("num_fewshot"));
  EXPECT_THAT(error, HasSubstr("fewshot_config.sampler"));
  EXPECT_THAT(error, HasSubstr("first_n"));
}

TEST_F(TaskFilesTest, EveryFaultOfAFileIsReportedAtOnce) {
  put("bad.yaml",
      "task: bad\noutput_type: essay\nnum_fewshot: -1\nrepeats: many\nfilter_list: [{name: f}]\n"
      "metric_list: [{aggregation: mean}, {metric: mine}]\ngeneration_kwargs: {num_beams: 4}\n");
  const std::string error = error_of({"bad"});
  for (const char* place :
       {"bad.yaml: output_type", "bad.yaml: num_fewshot", "bad.yaml: repeats",
        "bad.yaml: filter_list[0].filter", "bad.yaml: metric_list[0].metric",
        "bad.yaml: metric_list[1].aggregation", "bad.yaml: generation_kwargs.num_beams",
        "bad.yaml: dataset_path", "bad.yaml: test_split", "bad.yaml: doc_to_text",
        "bad.yaml: doc_to_target"}) {
    EXPECT_THAT(error, HasSubstr(place));
  }
}

TEST_F(TaskFilesTest, PythonWithoutCounterpartNamesFileKeyAndFunction) {
  const std::string error =
      error_of_quiz("process_docs: !function utils.shuffle\nprocess_results: !function my.score\n");
  EXPECT_THAT(error, HasSubstr(file("quiz.yaml") + ": process_docs"));
  EXPECT_THAT(error, HasSubstr("utils.shuffle` is Python that has no built-in counterpart"));
  EXPECT_THAT(error, HasSubstr(file("quiz.yaml") + ": process_results"));
  EXPECT_THAT(error, HasSubstr("my.score"));
  EXPECT_THAT(error, HasSubstr("metric_list"));
  EXPECT_THAT(error_of_quiz("class: !function task.MyTask\n"), HasSubstr("quiz.yaml: class"));
}

TEST_F(TaskFilesTest, AFunctionIsFoundByFolderModuleAndName) {
  put("copy/hellaswag/h.yaml", std::string(kQuiz) + "process_docs: !function utils.process_docs\n");
  put("copy/hellaswag/rows.jsonl",
      R"({"q": "x?", "ctx_a": "A man", "ctx_b": "WALKS", "activity_label": "Going [title] on",)"
      R"( "endings": ["off", "on"], "label": "1"})");
  const auto set = build({"quiz"});
  ASSERT_TRUE(set) << describe(set.error());
  EXPECT_EQ(set->tasks[0].items[0].document.at("query"), "Going. on: A man Walks");
}

TEST_F(TaskFilesTest, IncludesThatCannotBeAreNamed) {
  put("missing.yaml", "include: nowhere.yaml\ntask: missing\n");
  EXPECT_THAT(error_of({"missing"}), HasSubstr(file("nowhere.yaml")));
  put("a.yaml", "include: b.yaml\ntask: a\n");
  put("b.yaml", "include: a.yaml\ntask: b\n");
  EXPECT_THAT(error_of({"a"}), HasSubstr("includes itself"));
  put("outside.yaml", "include: ../../etc/passwd\ntask: outside\n");
  EXPECT_THAT(error_of({"outside"}), HasSubstr("leaves the folder"));
  put("kind.yaml", "include: {a: b}\ntask: kind\n");
  EXPECT_THAT(error_of({"kind"}), HasSubstr("neither a file nor a list"));
  for (int i = 0; i < 20; ++i) {
    put("deep" + std::to_string(i) + ".yaml",
        "include: deep" + std::to_string(i + 1) + ".yaml\ntask: deep" + std::to_string(i) + "\n");
  }
  EXPECT_THAT(error_of({"deep0"}), HasSubstr("more than 16 files deep"));
}

TEST_F(TaskFilesTest, TheIncludingFileWins) {
  put("base.yaml", kQuiz);
  put("sub/quiz.yaml",
      "include: ../base.yaml\ntask: derived\ndoc_to_text: 'Q: {{q}}'\n"
      "dataset_kwargs: {data_files: {test: ../rows.jsonl}}\n");
  put("rows.jsonl", R"({"q": "x?", "gold": 1})");
  const auto set = build({"derived"});
  ASSERT_TRUE(set) << describe(set.error());
  EXPECT_EQ(set->tasks[0].items[0].requests[0].context, "Q: x?");
}

TEST_F(TaskFilesTest, AFaultOfAnIncludedFileNamesThatFile) {
  put("base.yaml", std::string(kQuiz) + "output_typ: x\n");
  put("sub.yaml", "include: base.yaml\ntask: sub\n");
  EXPECT_THAT(error_of({"sub"}), HasSubstr(file("base.yaml") + ": output_typ"));
}

TEST_F(TaskFilesTest, OfDoubledNamesTheFirstFileByPathIsTaken) {
  put("b/quiz.yaml", std::string(kQuiz) + "description: second\n");
  put("a/quiz.yaml", kQuiz);
  put("a/rows.jsonl", R"({"q": "x?", "gold": 1})");
  const auto set = build({"quiz"});
  ASSERT_TRUE(set) << describe(set.error());
  EXPECT_EQ(set->tasks[0].items[0].requests[0].context, "x?");
}

TEST_F(TaskFilesTest, ATaskOfTwoSettingsNeedsTwoNames) {
  put("quiz.yaml", kQuiz);
  put("rows.jsonl", R"({"q": "x?", "gold": 1})");
  put("group.yaml", "group: both\ntask: [quiz, {task: quiz, num_fewshot: 0, description: D}]\n");
  EXPECT_THAT(error_of({"both"}), HasSubstr("asked for twice with different settings"));
  const auto same = build({"quiz", "quiz"});
  ASSERT_TRUE(same) << describe(same.error());
  EXPECT_EQ(same->tasks.size(), 1U);
}

TEST_F(TaskFilesTest, GroupsThatCannotBeAreNamed) {
  put("g.yaml", "group: g\ntask: [h]\n");
  put("h.yaml", "group: h\ntask: [g]\n");
  EXPECT_THAT(error_of({"g"}), HasSubstr("itself"));
  put("unknown.yaml", "group: unknown\ntask: [quizz]\n");
  put("quiz.yaml", kQuiz);
  const std::string error = error_of({"unknown"});
  EXPECT_THAT(error, HasSubstr("unknown.yaml: task[0]"));
  EXPECT_THAT(error, HasSubstr("quiz"));
  put("kind.yaml", "group: kind\ntask: [7]\n");
  EXPECT_THAT(error_of({"kind"}), HasSubstr("kind.yaml: task[0]"));
  put("metric.yaml",
      "group: metric\ntask: [quiz]\naggregate_metric_list: [{metric: !function a.b}, {x: 1}]\n");
  const std::string metrics = error_of({"metric"});
  EXPECT_THAT(metrics, HasSubstr("aggregate_metric_list[0].metric"));
  EXPECT_THAT(metrics, HasSubstr("no built-in counterpart"));
  EXPECT_THAT(metrics, HasSubstr("aggregate_metric_list[1].metric"));
}

TEST_F(TaskFilesTest, UnknownNamesSuggestKnownOnes) {
  put("quiz.yaml", kQuiz);
  EXPECT_THAT(error_of({"quizz"}), HasSubstr("quiz"));
}

TEST_F(TaskFilesTest, BrokenFilesAreReportedOnlyWhenAskedFor) {
  put("broken.yaml", "task: [\n");
  put("list.yaml", "- a\n- b\n");
  put("quiz.yaml", kQuiz);
  put("rows.jsonl", R"({"q": "x?", "gold": 1})");
  EXPECT_TRUE(build({"quiz"}));
  EXPECT_THAT(error_of({"broken"}), HasSubstr(file("broken.yaml") + ": line 2"));
  EXPECT_THAT(error_of({"list"}), HasSubstr("is not a mapping"));
}

TEST_F(TaskFilesTest, HostileYamlIsRefused) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) bomb += ", " + before;
    bomb += "]\n";
  }
  const auto values = parse_task_yaml(bomb);
  ASSERT_FALSE(values);
  EXPECT_THAT(values.error().message, HasSubstr("values"));
  const std::string deep(100'000, '[');
  const auto nested = parse_task_yaml("a: " + deep);
  ASSERT_FALSE(nested);
  EXPECT_THAT(nested.error().message, HasSubstr("nested deeper"));
  EXPECT_FALSE(parse_task_yaml(std::string(5U << 20, ' ')));
  EXPECT_FALSE(parse_task_yaml("a: &a [*a]\n"));
  EXPECT_FALSE(parse_task_yaml("a: !!python/object:os.system x\n"));
  EXPECT_FALSE(parse_task_yaml("a: \"\xff\"\n"));
  EXPECT_FALSE(parse_task_yaml("a: 1\n---\nb: 2\n"));
  EXPECT_FALSE(parse_task_yaml("? [a, b]\n: 1\n"));
  put("huge.yaml", "task: huge\ndescription: " + std::string(5U << 20, 'x') + "\n");
  EXPECT_NE(error_of({"huge"}), "no error");
}

TEST_F(TaskFilesTest, ScalarsAreThoseOfYaml11) {
  const auto value = parse_task_yaml(
      "{a: yes, b: 'no', c: 1_000, d: 0x1F, e: 010, f: 1e3, g: 1.5e+3, h: ~, i: .inf, j: 1:30}");
  ASSERT_TRUE(value) << describe(value.error());
  EXPECT_EQ(value->at("a"), true);
  EXPECT_EQ(value->at("b"), "no");
  EXPECT_EQ(value->at("c"), 1000);
  EXPECT_EQ(value->at("d"), 31);
  EXPECT_EQ(value->at("e"), 8);
  EXPECT_EQ(value->at("f"), "1e3");
  EXPECT_EQ(value->at("g"), 1500.0);
  EXPECT_TRUE(value->at("h").is_null());
  EXPECT_TRUE(value->at("i").is_number_float());
}

TEST_F(TaskFilesTest, DocumentsThatDoNotFitAreNamed) {
  put("quiz.yaml", std::string(kQuiz) + "num_fewshot: 0\n");
  put("rows.jsonl", "{\"q\": \"x?\", \"gold\": 1}\n{\"gold\": 0}\n{\"q\": [1], \"gold\": 0}\n");
  put("words.yaml",
      "include: quiz.yaml\ntask: words\ndoc_to_choice: '{{q.split()}}'\ndoc_to_text: "
      "none_such.x.y\n");
  const std::string error = error_of({"words"});
  EXPECT_NE(error, "no error");
  put("split.yaml", "include: quiz.yaml\ntask: split\ntest_split: dev\n");
  const std::string split = error_of({"split"});
  EXPECT_THAT(split, HasSubstr("split.yaml"));
  EXPECT_THAT(split, HasSubstr("dev"));
}

TEST_F(TaskFilesTest, TooFewExamplesAreAnError) {
  put("quiz.yaml", std::string(kQuiz) + "num_fewshot: 5\nfewshot_split: test\n");
  put("rows.jsonl", "{\"q\": \"x?\", \"gold\": 1}\n{\"q\": \"y?\", \"gold\": 1}\n");
  EXPECT_THAT(error_of({"quiz"}), HasSubstr("5 examples are asked for"));
}

TEST_F(TaskFilesTest, AllMissingDataSetsAreNamedAtOnce) {
  for (const char* name : {"one", "two"}) {
    put(std::string(name) + ".yaml",
        "task: " + std::string(name) + "\ndataset_path: owner/" + name +
            "\ntest_split: test\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_target: a\n"
            "metadata: {crucible: {source: somewhere, licence: MIT}}\n");
  }
  const auto set = build({"one", "two"});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::kNotFound);
  for (const char* part : {"owner/one", "owner/two", "somewhere", "MIT"})
    EXPECT_THAT(describe(set.error()), HasSubstr(part));
}

TEST_F(TaskFilesTest, AFolderThatIsNotThereIsNotFound) {
  const auto catalog = TaskCatalog::open({folder_.path() / "none"});
  ASSERT_FALSE(catalog);
  EXPECT_EQ(catalog.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace crucible::task
