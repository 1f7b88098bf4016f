#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "merger/base/digest.hpp"
#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

// A task ready to be asked and scored, whatever file it came from: the items with their prompts,
// and by which filters and metrics answers become scores. The words are those of
// lm-evaluation-harness 0.4.
namespace crucible::task {

using Json = nlohmann::ordered_json;  // documents keep the order of their fields

enum class OutputType {
  kMultipleChoice,
  kLoglikelihood,
  kLoglikelihoodRolling,
  kGenerateUntil,
  kConversation  // several turns, each answered before the next is asked; graded by a judge
};

// One question to the model. Multiple choice has one for each option, in their order; a metric that
// needs the options' unconditional log-probabilities has as many again behind them, with an empty
// context.
struct Request {
  std::string context;                        // rolling: the text itself
  std::string continuation;                   // log-likelihoods only, delimiter included
  std::vector<engine::ChatMessage> messages;  // chat mode only: what `context` is rendered from
};

// One document of the evaluated split.
struct Item {
  std::size_t doc_id = 0;  // position in the split
  std::string id;          // stable name, "17"
  Json document;           // its fields, after the task's preparation
  std::string cluster;     // items that share a passage or story share this; "" = on its own
  std::vector<Request> requests;
  std::vector<std::string> choices;  // options as given: what acc_norm and acc_bytes measure
  std::vector<std::size_t> gold;     // multiple choice: right options, one or more
  Json target;                       // doc_to_target: what generated text is held against
  std::vector<std::string> turns;    // conversation: what the user says
  std::optional<engine::GenerationSettings> generation;  // where it differs from the task's
};

// {"function": "regex", "regex_pattern": …} of a filter_list.
struct Filter {
  std::string function;
  Json arguments = Json::object();
};
struct FilterPipeline {
  std::string name;  // "none", "strict-match"
  std::vector<Filter> steps;
};

struct MetricSetting {
  std::string metric;       // "acc", "exact_match"
  std::string aggregation;  // "mean", "perplexity", "weighted_perplexity", "f1"…
  bool higher_is_better = true;
  Json arguments = Json::object();  // kwargs: ignore_case, regexes_to_ignore…
};

struct Task {
  std::string name;   // "agieval_sat_math"
  std::string alias;  // as tables show it; the name where not given
  std::string version;
  OutputType output_type = OutputType::kMultipleChoice;
  std::vector<Item> items;
  std::size_t original_items = 0;  // before a limit
  std::uint32_t num_fewshot = 0;
  engine::BosRule bos = engine::BosRule::kTokenizer;
  engine::GenerationSettings generation;
  std::uint32_t repeats = 1;
  // Attempts at a generation that cannot be parsed, each `retry_temperature_step` warmer.
  std::uint32_t attempts = 1;
  double retry_temperature_step = 0;
  std::vector<FilterPipeline> filters;  // never empty; {"none", take_first} by default
  std::vector<MetricSetting> metrics;   // never empty
  std::string process_results;          // a named built-in rule; "" = the output type's own
  std::string primary_metric;           // what the suite's score is made of
  std::string primary_filter = "none";
  Json config = Json::object();  // as results files show it under "configs"
  Digest digest;                 // see task_digest
};

// Over everything a score depends on: prompts, options, golds, targets, settings, filters, metrics.
Digest task_digest(const Task& task);

// A group of the harness: its members' metrics, averaged.
struct GroupMetric {
  std::string metric;
  std::string aggregation = "mean";
  bool weight_by_size = true;
  std::vector<std::string> filters = {"none"};
};
struct Group {
  std::string name;
  std::string alias;
  std::vector<std::string> members;  // names of tasks and groups
  std::vector<GroupMetric> metrics;
  std::string version;
};

// How a suite's score comes from its tasks: a tree whose leaves are metrics of tasks and whose
// inner nodes are means. The root's children are the columns that a leaderboard shows.
struct ScoreRule {
  std::string name;  // "AGIEval"
  // Leaf.
  std::string task;
  std::string metric;
  std::string filter = "none";
  // Inner node.
  std::vector<ScoreRule> of;
  bool weight_by_size = false;
  // Then, in this order: max(0, (value - baseline) / (1 - baseline)), times scale, rounded.
  std::optional<double> baseline;
  double scale = 1;
  std::optional<int> decimals;

  bool is_leaf() const { return of.empty(); }
};

// Tasks that belong together.
struct Suite {
  std::string name;
  std::string description;
  std::string version;
  std::vector<Task> tasks;
  std::vector<Group> groups;
  ScoreRule score;  // by default the unweighted mean of the tasks' primary metrics
  Digest digest;    // over the tasks' digests and the score rule
};

}  // namespace crucible::task
