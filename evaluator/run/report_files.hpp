#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "evaluator/run/evaluation.hpp"

// Reports in the layout of lm-evaluation-harness 0.4 (loggers/evaluation_tracker.py), so that what
// reads its files reads ours. The harness's keys keep their meaning; our own stand beside them.
namespace crucible::run {

// What a report says of its run beside the scores.
struct RunDescription {
  std::string model_name;    // "org/name", or a folder
  std::string model_digest;  // "" = unknown
  std::optional<std::size_t> limit;
  std::optional<std::string> chat_template;  // given: prompts went through it
  std::string system_instruction;
  bool fewshot_as_multiturn = false;
  std::uint64_t fewshot_seed = 1234;
};

// As the harness names folders: characters that file systems dislike become __.
std::string sanitized_model_name(std::string_view name);

// Writes `<folder>/<sanitized model name>/samples_<task>_<time>.jsonl` for each task, then
// results_<time>.json; <time> is the local time of writing as ISO 8601 with - for :. `suite` must
// be the one evaluated: the samples carry its prompts. Gives the path of the results file.
Result<std::filesystem::path> write_report(const EvaluationReport& report, const task::Suite& suite,
                                           const RunDescription& description,
                                           const std::filesystem::path& folder);

// A new file with one line an item and filter, in the harness's form with "crucible" (item,
// cluster, value, …) added. Gives the task's hash, over document, prompt and target hashes of the
// lines.
Result<Digest> write_samples(const task::Task& task, const TaskResult& result,
                             const std::filesystem::path& path);

// The results file as JSON, without task_hashes where those are empty.
task::Json results_json(const EvaluationReport& report, const task::Suite& suite,
                        const RunDescription& description, task::Json task_hashes);

}  // namespace crucible::run
