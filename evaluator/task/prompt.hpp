#pragma once

#include <string>
#include <vector>

#include "evaluator/task/fewshot.hpp"
#include "evaluator/task/task_catalog.hpp"
#include "evaluator/task/task_definition.hpp"
#include "merger/base/error.hpp"

// Contexts of a task's documents: system prompt, description, worked examples and the question, as
// text or as a conversation. Rules of fewshot_context, build_qa_turn and multiple_input_context in
// lm_eval/api/task.py and of lm_eval/api/utils.py.
namespace crucible::task {

// prefix + delimiter + suffix, without the delimiter where either is empty or has whitespace at
// the join.
std::string join_delimited(const std::string& prefix, const std::string& suffix,
                           const std::string& delimiter);

// A prompt and, in chat mode, the conversation it was rendered from.
struct Prompt {
  std::string text;
  std::vector<engine::ChatMessage> messages;
};

struct PromptSettings {
  const TaskDefinition& task;
  const BuildOptions& options;
  const Columns& columns;
  bool multiple_input = false;  // choices are contexts, the target is the one continuation
  std::size_t shots = 0;
};

// One prompt, or one for each choice of a task of several inputs.
Result<std::vector<Prompt>> build_prompts(const PromptSettings& settings, const Json& document,
                                          FewshotDraw& draw);

}  // namespace crucible::task
