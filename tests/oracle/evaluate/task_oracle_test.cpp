// Holds task files against lm-evaluation-harness: make_task_goldens.py wrote the requests, choices,
// golds and targets that it builds from tasks/*.yaml.
#include <filesystem>
#include <fstream>
#include <string>

#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/task_catalog.hpp"
#include "gtest/gtest.h"
#include "merger/base/digest.hpp"

namespace crucible::task {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(CRUCIBLE_SOURCE_DIR) / "tests" / "oracle" / "evaluate";

const Json& goldens() {
  static const Json kGoldens = [] {
    std::ifstream in(kFolder / "goldens" / "tasks.json");
    return Json::parse(in);
  }();
  return kGoldens;
}

const TaskCatalog& catalog() {
  static const TaskCatalog kCatalog = TaskCatalog::open({kFolder / "tasks"}).value();
  return kCatalog;
}

// The template of make_task_goldens.py.
Result<std::string> render_chat(std::span<const engine::ChatMessage> messages, bool add_prompt) {
  std::string text;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    text += "<|" + messages[i].role + "|>" + messages[i].content;
    if (add_prompt || i + 1 < messages.size()) text += "<|end|>";
  }
  return text + (add_prompt ? "<|assistant|>" : "");
}

BuildOptions options_of(const Json& settings, DatasetSource& datasets) {
  BuildOptions options;
  options.datasets = &datasets;
  if (settings.contains("shots")) options.num_fewshot = settings["shots"].get<std::uint32_t>();
  if (settings.contains("limit")) options.limit = settings["limit"].get<std::size_t>();
  options.fewshot_seed = settings.value("seed", std::uint64_t{1234});
  options.system_instruction = settings.value("system", "");
  if (settings.value("chat", false)) options.chat = render_chat;
  options.fewshot_as_multiturn = settings.value("multiturn", true);
  return options;
}

// [requests, choices, gold, target]
Json shown(const Task& task, const Item& item) {
  Json requests = Json::array();
  for (const Request& request : item.requests) {
    requests.push_back({request.context, request.continuation});
  }
  const bool has_choices = task.output_type == OutputType::kMultipleChoice;
  return Json::array({std::move(requests), has_choices ? Json(item.choices) : Json::array(),
                      item.gold, item.target});
}

std::string hash(const Json& item) { return sha256(item.dump()).hex().substr(0, 16); }

void compare_generation(const engine::GenerationSettings& ours, const Json& golden) {
  if (golden.is_null()) return;
  EXPECT_EQ(ours.until, golden.at("until").get<std::vector<std::string>>());
  EXPECT_EQ(ours.max_new_tokens, golden.at("max_gen_toks").get<std::uint32_t>());
  EXPECT_EQ(ours.do_sample, golden.at("do_sample").get<bool>());
  if (ours.do_sample) {
    EXPECT_EQ(ours.temperature, golden.at("temperature").get<double>());
  }
}

void compare(const Task& task, const Json& golden) {
  SCOPED_TRACE(task.name);
  EXPECT_EQ(task.version, golden.at("version").get<std::string>());
  EXPECT_EQ(task.num_fewshot, golden.at("shots").get<std::uint32_t>());
  for (const auto& [key, value] : golden.at("config").items()) {
    EXPECT_EQ(task.config.value(key, Json()), value) << key;
  }
  compare_generation(task.generation, golden.at("generation"));
  Json metrics = Json::object();
  for (const MetricSetting& metric : task.metrics) metrics[metric.metric] = metric.higher_is_better;
  EXPECT_EQ(metrics, golden.at("metrics"));
  const Json& items = golden.at("items");
  ASSERT_EQ(task.items.size(), items.size());
  if (golden.contains("first")) {
    EXPECT_EQ(shown(task, task.items[0]).dump(1), golden["first"].dump(1));
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Json ours = shown(task, task.items[i]);
    EXPECT_EQ(hash(ours), items[i].get<std::string>()) << "item " << i << ": " << ours.dump(1);
  }
}

void compare_run(const std::string& name, std::size_t least_tasks) {
  const Json& golden = goldens().at(name);
  FolderDatasets datasets({});
  const BuildOptions options = options_of(golden.at("settings"), datasets);
  std::size_t compared = 0;
  for (const auto& [task_name, task_golden] : golden.at("tasks").items()) {
    const auto set = catalog().build({task_name}, options);
    if (task_golden.contains("fails")) {
      // The harness draws examples for running text too, and throws them away.
      if (set && set->tasks[0].output_type == OutputType::kLoglikelihoodRolling) continue;
      EXPECT_FALSE(set) << task_name << " fails in the harness: " << task_golden["fails"];
      continue;
    }
    ASSERT_TRUE(set) << task_name << ": " << describe(set.error());
    ASSERT_EQ(set->tasks.size(), 1U);
    compare(set->tasks[0], task_golden);
    ++compared;
  }
  EXPECT_GE(compared, least_tasks);
}

TEST(TaskOracle, AsTheFilesSay) { compare_run("plain", 46); }
TEST(TaskOracle, WithoutExamples) { compare_run("shots_0", 46); }
TEST(TaskOracle, OneExample) { compare_run("shots_1", 30); }
TEST(TaskOracle, ThreeExamples) { compare_run("shots_3", 20); }
TEST(TaskOracle, SevenExamplesOfALargePool) { compare_run("shots_7", 2); }
TEST(TaskOracle, AnotherSeed) { compare_run("seed", 20); }
TEST(TaskOracle, FirstDocuments) { compare_run("limit", 30); }
TEST(TaskOracle, SystemInstruction) { compare_run("system", 30); }
TEST(TaskOracle, ChatTemplate) { compare_run("chat", 46); }
TEST(TaskOracle, ChatTemplateWithExamplesAsTurns) { compare_run("chat_shots", 20); }
TEST(TaskOracle, ChatTemplateWithExamplesInOneMessage) { compare_run("chat_single", 20); }
TEST(TaskOracle, ChatTemplateAndSystemInstruction) { compare_run("chat_single_system", 46); }

TEST(TaskOracle, Groups) {
  const Json& golden = goldens().at("groups");
  FolderDatasets datasets({});
  const auto set = catalog().build({"outer"}, options_of(golden.at("settings"), datasets));
  ASSERT_TRUE(set) << describe(set.error());
  ASSERT_EQ(set->tasks.size(), golden.at("tasks").size());
  for (const Task& task : set->tasks) compare(task, golden.at("tasks").at(task.name));
  ASSERT_EQ(set->groups.size(), golden.at("groups").size());
  for (const Group& group : set->groups) {
    const Json& expected = golden.at("groups").at(group.name);
    EXPECT_EQ(group.alias, expected.at("alias").get<std::string>());
    EXPECT_EQ(group.version, expected.at("version").get<std::string>());
    EXPECT_EQ(Json(group.members), expected.at("members"));
  }
}

}  // namespace
}  // namespace crucible::task
