#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "evaluator/metric/scoring.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/python_random.hpp"
#include "evaluator/task/task_catalog.hpp"
#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"

// lm-evaluation-harness 0.3 kept, for each task, the SHA-256 of all its requests (0-shot, documents
// shuffled by Random(42), as Python's json.dumps writes them) and the scores of a model that
// answers every request with -random() under seed 42, or with "lol" where text is asked for
// (tests/testdata of the harness, MIT). Here both are recomputed from the built-in task files.
namespace crucible::request_hashes {

namespace fs = std::filesystem;
using task::Json;

// One of the harness's old tasks: the requests of several tasks of today, document by document.
struct OldTask {
  std::string stem;                // "winogrande-v0"
  std::vector<std::string> tasks;  // "winogrande"
  Json overrides;
  std::vector<std::string> metrics;  // of the results, "acc of tasks[0]": "acc"
  bool generates = false;
};

// MMLU as the harness asked it before June 2023: the answer's text is scored.
inline OldTask old_mmlu(const std::string& subject) {
  return {"hendrycksTest-" + subject + "-v0",
          {"mmlu_" + subject},
          {{"description", ""},
           {"doc_to_text",
            "Question: {{question}}\nChoices:\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. "
            "{{choices[2]}}\nD. {{choices[3]}}\nAnswer:"},
           {"doc_to_choice", "{{choices}}"},
           {"metric_list", {{{"metric", "acc"}}, {{"metric", "acc_norm"}}}}},
          {"acc", "acc_norm"}};
}

inline std::vector<OldTask> old_tasks(const fs::path& testdata) {
  const std::vector<std::string> both = {"acc", "acc_norm"};
  std::vector<OldTask> tasks = {
      {"winogrande-v0", {"winogrande"}, {}, {"acc"}},
      {"truthfulqa_mc-v1", {"truthfulqa_mc1", "v03_truthfulqa_mc2"}, {}, {"mc1", "mc2"}},
      {"arc_easy-v0", {"arc_easy"}, {}, both},
      {"arc_challenge-v0", {"arc_challenge"}, {}, both},
      {"hellaswag-v0", {"hellaswag"}, {}, both},
      {"openbookqa-v0", {"openbookqa"}, {}, both},
      {"piqa-v0", {"piqa"}, {}, both},
      {"boolq-v1", {"boolq"}, {}, {"acc"}},
      {"gsm8k-v0", {"gsm8k"}, {{"generation_kwargs", {{"until", {"\n"}}}}}, {"exact_match"}, true}};
  constexpr std::string_view kPrefix = "hendrycksTest-", kEnd = "-v0-loglikelihood";
  for (const auto& entry : fs::directory_iterator(testdata)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kEnd)) continue;
    tasks.push_back(
        old_mmlu(name.substr(kPrefix.size(), name.size() - kPrefix.size() - kEnd.size())));
  }
  return tasks;
}

inline std::string ascii(const Json& value) {
  if (!value.is_array()) return value.dump(-1, ' ', true);
  std::string text;
  for (const Json& entry : value) text += (text.empty() ? "[" : ", ") + ascii(entry);
  return text.empty() ? "[]" : text + "]";
}

inline std::string request_hash(const std::vector<task::Task>& tasks, bool generates) {
  Json requests = Json::array();
  for (std::size_t i = 0; i < tasks[0].items.size(); ++i) {
    for (const task::Task& task : tasks) {
      for (const task::Request& request : task.items[i].requests) {
        requests.push_back({request.context,
                            generates ? Json(task.generation.until) : Json(request.continuation)});
      }
    }
  }
  return sha256(ascii(requests)).hex();
}

// Scores of the random model, in the order of `old.metrics`.
inline std::vector<metric::Estimate> random_scores(const OldTask& old,
                                                   const std::vector<task::Task>& tasks) {
  task::PythonRandom random(std::uint64_t{42});
  std::vector<std::vector<metric::MetricValue>> values(old.metrics.size());
  for (std::size_t i = 0; i < tasks[0].items.size(); ++i) {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      metric::Responses responses;
      if (old.generates) responses.generations = {"lol"};
      for (std::size_t r = 0; r < tasks[t].items[i].requests.size(); ++r) {
        if (old.generates) break;
        responses.loglikelihoods.push_back({});
        responses.loglikelihoods.back().sum_logprob = -random.random();
      }
      const auto scores = metric::score_item(tasks[t], tasks[t].items[i], responses);
      if (!scores) return {};
      for (std::size_t m = 0; m < old.metrics.size(); ++m) {
        const bool split = tasks.size() > 1;  // one metric of each task, its accuracy
        if (split && m != t) continue;
        values[m].push_back(scores->front().metrics.at(split ? "acc" : old.metrics[m]));
      }
    }
  }
  std::vector<metric::Estimate> estimates;
  for (const auto& list : values) {
    const auto estimate = metric::aggregate({"acc", "mean", true, Json::object()}, list);
    if (estimate) estimates.push_back(*estimate);
  }
  return estimates;
}

// "" where all agrees.
inline std::string difference(const OldTask& old, const std::vector<task::Task>& tasks,
                              const fs::path& testdata) {
  const std::string kind = old.generates ? "-greedy_until" : "-loglikelihood";
  const auto hash = io::read_text(testdata / (old.stem + kind), 1 << 10);
  if (!hash) return hash.error().message;
  if (request_hash(tasks, old.generates) != hash->substr(0, 64)) return "other requests";
  const auto text = io::read_text(testdata / (old.stem + "-res.json"), 1 << 16);
  if (!text) return text.error().message;
  const Json results = Json::parse(*text)["results"].begin().value();
  const auto scores = random_scores(old, tasks);
  if (scores.size() != old.metrics.size()) return "the scores cannot be computed";
  for (std::size_t m = 0; m < scores.size(); ++m) {
    const std::string name = old.generates ? "acc" : old.metrics[m];
    const double value = results.at(name).get<double>();
    const double error = results.at(name + "_stderr").get<double>();
    if (std::fabs(scores[m].value - value) > 1e-9 || std::fabs(scores[m].stderr_ - error) > 1e-9) {
      return old.metrics[m] + " is " + std::to_string(scores[m].value) + " instead of " +
             std::to_string(value);
    }
  }
  return {};
}

inline Result<std::vector<task::Task>> build(const task::TaskCatalog& catalog, const OldTask& old,
                                             task::FolderDatasets& datasets) {
  task::BuildOptions options;
  options.datasets = &datasets;
  Json overrides = old.overrides.is_null() ? Json::object() : old.overrides;
  overrides["num_fewshot"] = 0;
  overrides["fewshot_config"] = {{"sampler", "harness_v03"}};
  std::vector<task::Task> tasks;
  for (const std::string& name : old.tasks) {
    auto set = catalog.build_with(name, overrides, options);
    if (!set) return fail(std::move(set.error()));
    tasks.push_back(std::move(set->tasks.at(0)));
  }
  return tasks;
}

// "boolq-v1" of every file of hashes.
inline std::set<std::string> stems(const fs::path& testdata) {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(testdata)) {
    const std::string name = entry.path().filename().string();
    for (const char* ending : {"-loglikelihood", "-greedy_until", "-loglikelihood_rolling"}) {
      if (name.ends_with(ending)) found.insert(name.substr(0, name.size() - std::strlen(ending)));
    }
  }
  return found;
}

}  // namespace crucible::request_hashes
