#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/error.hpp"

// Suites as data: a YAML file names tasks, how their items are read and which metric counts.
namespace crucible::task {

// One multiple-choice item, ready to score: argmax over choices of log P(choice | context).
struct Document {
  std::string id;  // stable in its task, "17"
  std::string context;
  std::vector<std::string> choices;  // continuations exactly as scored, delimiter space included
  // What acc_norm divides by: the choice as given, without the delimiter.
  std::vector<std::string> choice_texts;
  std::vector<std::size_t> gold;  // indices of right choices, one or more
};

struct Task {
  std::string name;            // "agieval_sat_math"
  std::string primary_metric;  // "acc" or "acc_norm"
  std::string version;
  std::vector<Document> documents;
  Digest digest;  // over prompts, choices, golds
};

// Tasks that belong together. The suite's score is the unweighted mean of its tasks' primary
// metrics.
struct Suite {
  std::string name;
  std::string description;
  std::string version;
  std::vector<Task> tasks;
  Digest digest;
};

// Reads one suite file; data paths are relative to it. All faults at once, with paths
// (`tasks[0].data`, `sums.jsonl:3 choices`).
Result<Suite> read_suite(const std::filesystem::path& yaml_file);

// What a folder of suite files offers, sorted by name; unreadable ones carry their error.
struct SuiteListing {
  std::string name;
  std::string description;
  std::filesystem::path file;
  std::string error;  // "" when usable
};
std::vector<SuiteListing> list_suites(const std::vector<std::filesystem::path>& folders);

}  // namespace crucible::task
