#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>

#include "evaluator/judge/judge.hpp"
#include "evaluator/run/evaluation.hpp"

namespace crucible::judge {

// A judging model with its rubric and the file that its judgments are added to, as the grader of
// an evaluation run.
class Judging {
 public:
  // `judgments`: JSON Lines, added to; "" = not kept.
  static Result<Judging> open(std::unique_ptr<engine::LanguageModel> model, Rubric rubric,
                              JudgeSettings settings, const std::filesystem::path& judgments);

  Judge& judge() { return *judge_; }
  // For run::evaluate; `this` must outlive it. Progress counts judgments.
  run::Grader grader(ProgressSink progress, std::stop_token stop);

 private:
  std::unique_ptr<engine::LanguageModel> model_;
  std::unique_ptr<LineFile> file_;
  std::unique_ptr<Judge> judge_;
};

}  // namespace crucible::judge
