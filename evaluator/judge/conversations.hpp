#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluator/judge/judgment.hpp"
#include "evaluator/task/task.hpp"

// MT-Bench's files: questions, reference answers and models' answers (FastChat llm_judge/data).
namespace crucible::judge {

struct BenchQuestion {
  std::string id;
  std::string category;
  std::vector<std::string> turns;
};

// question.jsonl. kCorrupt with file and line.
Result<std::vector<BenchQuestion>> read_questions(const std::filesystem::path& file);
// Turns of the first choice, by question id: model_answer/*.jsonl, reference_answer/*.jsonl.
Result<std::map<std::string, std::vector<std::string>>> read_answers(
    const std::filesystem::path& file);

// A line of a model_answer file.
Json answer_line(const std::string& question, const std::string& model,
                 const std::vector<std::string>& turns);

// Sampling temperature of MT-Bench's categories: 0.7 for writing and roleplay, 0.1 for stem and
// humanities, 0 for extraction, math, coding and reasoning; 0.7 for any other.
double category_temperature(const std::string& category);

// The questions as a task of conversations: `document` holds question_id, category and, where
// there is one, reference (a list of turns); answers of at most 1024 tokens at the category's
// temperature.
task::Task conversation_task(const std::string& name, const std::vector<BenchQuestion>& questions,
                             const std::map<std::string, std::vector<std::string>>& references);

// Answers each turn in order, all conversations side by side; the model sees its earlier answers.
// Answers in the order of the items. kUnsupported: the model has no chat template.
Result<std::vector<std::vector<std::string>>> run_conversations(engine::LanguageModel& model,
                                                                const task::Task& task,
                                                                const engine::Call& call);

}  // namespace crucible::judge
