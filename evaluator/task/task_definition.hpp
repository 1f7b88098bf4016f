#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/task/dataset.hpp"
#include "evaluator/task/document_field.hpp"
#include "evaluator/task/task.hpp"

// One task file, its includes and overrides merged, checked and compiled: everything of a Task but
// its documents. Keys and defaults are those of lm_eval/config/task.py.
//
// Beyond the harness, `metadata.crucible` (which the harness ignores) may hold:
//   primary_metric, primary_filter   what a suite's score is made of (else the first of each)
//   cluster         column or template: items with equal text share a passage or story
//   bos             "never" or "tokenizer"
//   attempts, retry_temperature_step  for generations that cannot be read
//   source, licence, fetch            what to say where the data set is missing
// Also: `output_type: conversation` (doc_to_text gives the list of turns), `process_results: NAME`
// of a built-in rule, and the samplers harness_v03 and harness_v03_first_n: documents shuffled by
// Random(42) as the harness's 0.3 line did, shots drawn by the same generator in document order
// (or the first n), and no BOS unless `bos` says so, which Open LLM Leaderboard v1 rests on.
namespace crucible::task {

enum class Sampler { kDefault, kFirstN, kHarnessV03, kHarnessV03FirstN };

struct FewshotSettings {
  Sampler sampler = Sampler::kDefault;
  std::string split;                         // "": the task's training, validation or test split
  std::string process_docs;                  // path of a function
  std::optional<std::vector<Json>> samples;  // written in the file
  std::vector<std::size_t> indices;          // of the split's documents; empty: all
  DocumentField text;
  DocumentField target;
  DocumentField choice;
  DocumentField gen_prefix;
  std::string fewshot_delimiter;
  std::string target_delimiter;
};

struct TaskDefinition {
  std::string name;
  std::string alias;
  std::string version;  // "Yaml" where the file has none, as the harness prints it
  DatasetReference dataset;
  std::string training_split;  // "" where there is none
  std::string validation_split;
  std::string test_split;
  std::string process_docs;
  DocumentField text;
  DocumentField target;
  DocumentField choice;
  DocumentField description;
  DocumentField gen_prefix;
  DocumentField cluster;
  std::string process_results;  // built-in rule
  std::string target_delimiter = " ";
  std::string fewshot_delimiter = "\n\n";
  FewshotSettings fewshot;
  std::optional<std::uint32_t> num_fewshot;
  OutputType output_type = OutputType::kGenerateUntil;
  engine::GenerationSettings generation;
  Json generation_kwargs;  // as the file has them, for the record
  std::uint32_t repeats = 1;
  std::uint32_t attempts = 1;
  double retry_temperature_step = 0;
  std::vector<FilterPipeline> filters;
  std::vector<MetricSetting> metrics;
  std::string primary_metric;
  std::string primary_filter;
  engine::BosRule bos = engine::BosRule::kTokenizer;
  std::string data_hint;  // source, licence and how to fetch, for the message about missing data
  Json config;            // the merged file
  std::string place;      // "gsm8k.yaml", for messages
  Json config_source;     // metadata.config_source
};

// The merged settings of a task and where each top-level key was written.
struct MergedConfig {
  Json values = Json::object();
  std::map<std::string, std::string, std::less<>> origins;  // key -> shown file name
  std::filesystem::path folder;                             // data_files are relative to it
  bool builtin = false;
  std::string place;  // the file asked for
};

// Adds every fault as `<file>: <path>`; the definition is usable only if none was added.
TaskDefinition read_task_definition(const MergedConfig& merged, std::vector<Fault>& faults);

// The task's entry of a results file's "configs": every field of the harness's TaskConfig that is
// not null, in its order.
Json shown_config(const TaskDefinition& definition, std::uint32_t num_fewshot);

}  // namespace crucible::task
