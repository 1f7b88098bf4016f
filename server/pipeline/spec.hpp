#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/base/progress.hpp"
#include "nlohmann/json.hpp"
#include "server/service/records.hpp"

// What daemon and worker say to each other: one JSON object in (the spec), frames out, a JSON
// object a line on descriptor 3: any number of {"type": "progress"} and of {"type": "event"} (what
// a sweep has found), then one "result" or "error".
namespace crucible::server::pipeline {

struct MergeSpec {
  std::string recipe;
  std::map<std::string, std::string> folders;  // model reference as in the recipe → folder
  std::uint64_t seed = 0;
  method::Compatibility compatibility = method::Compatibility::kNone;
  bool allow_nonfinite = false;
  unsigned threads = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t shard_bytes = 0;
  std::string out;  // the model folder to make
};

struct MergeResult {
  std::string digest;
  std::string architecture;
  std::string dtype;
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
  double seconds = 0;
  std::vector<std::string> warnings;
};

struct EvaluationSpec {
  std::string model_folder;
  std::string model_name;
  std::string model_digest;
  nlohmann::json endpoint;  // to_json(EndpointOptions) instead of a folder; null = none
  nlohmann::json judge;     // to_json(JudgeSpec) for a suite that one grades; null = none
  std::string suite_file;
  std::vector<std::string> datasets;  // folders of data sets, the first wins
  std::string cache;                  // folder of kept answers; "" = none
  unsigned threads = 0;
  std::string out;  // the report folder to make; samples.jsonl lies in it
};

struct EvaluationResult {
  std::string suite;
  std::string suite_digest;
  std::string engine;
  std::string dtype;
  double score = 0;
  std::optional<double> standard_error;
  std::int64_t items = 0;
  double seconds = 0;
  std::vector<TaskScore> tasks;
  std::optional<ScoreInterval> interval;
  std::vector<ColumnScore> columns;
  std::vector<GroupScore> groups;
  std::vector<std::string> flags;
  std::int64_t prompt_tokens_asked = 0;
  std::int64_t prompt_tokens_computed = 0;
};

// One line of descriptor 3, read.
struct Frame {
  enum class Type { kProgress, kResult, kError, kEvent } type = Type::kProgress;
  Progress progress;
  nlohmann::json result;  // or event
  Error error;
};

nlohmann::json to_json(const MergeSpec& spec);       // "kind": "merge"
nlohmann::json to_json(const EvaluationSpec& spec);  // "kind": "evaluation"
nlohmann::json to_json(const MergeResult& result);
nlohmann::json to_json(const EvaluationResult& result);
// kCorrupt when a field is missing or of another type.
Result<MergeSpec> merge_spec_from(const nlohmann::json& json);
Result<EvaluationSpec> evaluation_spec_from(const nlohmann::json& json);
Result<MergeResult> merge_result_from(const nlohmann::json& json);
Result<EvaluationResult> evaluation_result_from(const nlohmann::json& json);

std::string progress_line(const Progress& progress);  // with its newline
std::string result_line(const nlohmann::json& result);
std::string event_line(const nlohmann::json& event);
std::string error_line(const Error& error);
Result<Frame> frame_from(const std::string& line);

}  // namespace crucible::server::pipeline
