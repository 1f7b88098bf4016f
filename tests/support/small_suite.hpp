#pragma once

#include <string>
#include <utility>
#include <vector>

#include "evaluator/task/task.hpp"

namespace crucible::test {

inline task::Item choice_item(std::string id, const std::string& context,
                              std::vector<std::string> texts, std::vector<std::size_t> gold) {
  task::Item item;
  item.doc_id = std::stoul(id);
  item.id = std::move(id);
  item.document = {{"query", context}, {"choices", texts}};
  if (gold.size() == 1) {
    item.document["gold"] = gold.front();
  } else {
    item.document["gold"] = gold;
  }
  for (const std::string& text : texts) item.requests.push_back({context, " " + text, {}});
  item.choices = std::move(texts);
  item.gold = std::move(gold);
  return item;
}

inline task::Task choice_task(const std::string& name, const std::string& primary,
                              std::vector<task::Item> items) {
  task::Task task;
  task.name = name;
  task.version = "1";
  task.items = std::move(items);
  task.original_items = task.items.size();
  task.filters = {{"none", {}}};
  task.metrics = {{"acc", "mean", true, task::Json::object()},
                  {"acc_norm", "mean", true, task::Json::object()}};
  task.primary_metric = primary;
  task.digest = task::task_digest(task);
  return task;
}

// "first" with three items and "second" with two; see script() for what they are worth.
inline task::Suite two_tasks() {
  task::Suite suite;
  suite.name = "pair";
  suite.version = "1";
  suite.tasks = {choice_task("first", "acc",
                             {choice_item("0", "q0", {"aa", "b"}, {0}),
                              choice_item("1", "q1", {"aa", "b"}, {1}),
                              choice_item("2", "q2", {"aa", "b", "c"}, {0, 2})}),
                 choice_task("second", "acc_norm",
                             {choice_item("0", "q3", {"long", "s"}, {0}),
                              choice_item("1", "q4", {"long", "s"}, {0})})};
  suite.score.name = "pair";
  for (const task::Task& task : suite.tasks) {
    task::ScoreRule leaf;
    leaf.name = task.name;
    leaf.task = task.name;
    leaf.metric = task.primary_metric;
    suite.score.of.push_back(std::move(leaf));
  }
  suite.digest = sha256(std::string_view("pair"));
  return suite;
}

// "aa" -3, "b" -2, "c" -1, "long" -4, "s" -2: by characters aa -1.5, long -1.
inline double script(const engine::LoglikelihoodRequest& request) {
  if (request.continuation == " aa") return -3;
  if (request.continuation == " b") return -2;
  if (request.continuation == " c") return -1;
  return request.continuation == " long" ? -4 : -2;
}

inline task::Task generation_task(const std::string& name, std::vector<std::string> questions,
                                  std::vector<std::string> targets) {
  task::Task task;
  task.name = name;
  task.version = "3";
  task.output_type = task::OutputType::kGenerateUntil;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    task::Item item;
    item.doc_id = i;
    item.id = std::to_string(i);
    item.document = {{"question", questions[i]}, {"answer", targets[i]}};
    item.requests = {{questions[i], "", {}}};
    item.target = targets[i];
    task.items.push_back(std::move(item));
  }
  task.original_items = task.items.size();
  task.filters = {{"none", {{"take_first", task::Json::object()}}}};
  task.metrics = {{"exact_match", "mean", true, task::Json::object()}};
  task.primary_metric = "exact_match";
  task.generation.until = {"\n"};
  task.generation.max_new_tokens = 8;
  task.digest = task::task_digest(task);
  return task;
}

inline task::Suite suite_of(task::Task task) {
  task::Suite suite;
  suite.name = "own";
  suite.version = "1";
  suite.score.name = task.name;
  suite.score.task = task.name;
  suite.score.metric = task.primary_metric;
  suite.digest = task.digest;
  suite.tasks.push_back(std::move(task));
  return suite;
}

}  // namespace crucible::test
