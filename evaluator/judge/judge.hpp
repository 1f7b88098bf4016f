#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/judge/judgment.hpp"
#include "evaluator/judge/rubric.hpp"
#include "evaluator/metric/scoring.hpp"
#include "evaluator/task/task.hpp"

// A language model that grades answers (Zheng et al. 2023, "Judging LLM-as-a-Judge with MT-Bench
// and Chatbot Arena").
namespace crucible::judge {

struct JudgeSettings {
  std::string name;  // of the judging model, as scores show it
  std::uint32_t max_new_tokens = 2048;
  std::uint64_t seed = 1234;  // sent along; the judge is asked greedily
  // Sees every judgment as it is made, readable or not; an error ends the grading. May be empty.
  std::function<Status(const Json& line)> keep;
};

// "gpt-4@1a2b3c4d": judging model and digest of what it is told. The filter under which its scores
// stand, so that those of different judges never share a column.
std::string judge_identity(const Rubric& rubric, const JudgeSettings& settings);

// Makes a task's metrics this judge's: filter, metrics and digest. kUnsupported: no conversations,
// more than two turns, or no prompt for them; kNotFound: items whose category is graded against
// reference answers that are not there.
Status prepare(task::Task& task, const Rubric& rubric, const JudgeSettings& settings);
// All conversation tasks of a suite, its score rule and digest with them.
Status prepare(task::Suite& suite, const Rubric& rubric, const JudgeSettings& settings);

// Answers of one conversation, turn by turn.
struct Conversation {
  const task::Item* item = nullptr;
  std::vector<std::string> answers;
};

// Borrows the model. One caller at a time. Errors are the model's, and kInvalidArgument where a
// prompt wants what an item does not have.
//
// A verdict that cannot be read, lies outside the scale, or answers a prompt that did not fit the
// judge's context is kept with a note and never becomes a score.
class Judge {
 public:
  Judge(engine::LanguageModel& model, Rubric rubric, JudgeSettings settings);

  const std::string& identity() const { return identity_; }
  const Rubric& rubric() const { return rubric_; }

  Status prepare(task::Task& task) const { return judge::prepare(task, rubric_, settings_); }
  Status prepare(task::Suite& suite) const { return judge::prepare(suite, rubric_, settings_); }

  // Rates every turn of every conversation.
  Result<std::vector<Rating>> rate(std::span<const Conversation> conversations,
                                   const std::string& model_name, const engine::Call& call);
  // Compares answers to the same items in both orders, every turn.
  Result<std::vector<Comparison>> compare(std::span<const Conversation> first,
                                          const std::string& first_name,
                                          std::span<const Conversation> second,
                                          const std::string& second_name, const engine::Call& call);

  // rate() as scores of items: rating, rating_turn_1, rating_turn_2, rating_<category> (missing
  // where there is no verdict) and no_verdict, the share of turns without one. `responses` holds a
  // conversation's turns, repeated as often as the task says.
  Result<std::vector<std::vector<metric::ItemScore>>> grade(
      const task::Task& task, std::span<const task::Item* const> items,
      std::span<const metric::Responses* const> responses, const engine::Call& call);

 private:
  Result<std::string> prompt_text(const JudgePrompt& prompt, const task::Item& item, unsigned turn,
                                  const std::map<std::string, std::string>& answers) const;
  Result<std::vector<engine::GenerationResult>> ask(
      const std::vector<std::pair<const JudgePrompt*, std::string>>& prompts,
      const engine::Call& call);

  engine::LanguageModel& model_;
  Rubric rubric_;
  JudgeSettings settings_;
  std::string identity_;
};

}  // namespace crucible::judge
