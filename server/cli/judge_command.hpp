#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/cli/commands.hpp"
#include "server/cli/judging.hpp"
#include "server/cli/model_source.hpp"
#include "server/cli/output.hpp"

// MT-Bench and the like, step by step, in FastChat's files: answers, judgments, means.
namespace crucible::server::cli {

struct JudgeAnswerOptions {
  std::string data;  // MT-Bench's folder; "" = mt_bench in the data set folders
  std::size_t limit = 0;
  ModelOptions model;
  std::string name;  // "" = the model's label
  std::string out = "answers.jsonl";
};
int judge_answer(const JudgeAnswerOptions& options, const CommonOptions& common);

struct JudgeGradeOptions {
  std::vector<std::string> answers;  // files; pair mode: two
  JudgingOptions judging;
  std::size_t limit = 0;
  std::string out = "judgments.jsonl";
};
int judge_single(const JudgeGradeOptions& options, const CommonOptions& common);
int judge_pair(const JudgeGradeOptions& options, const CommonOptions& common);

struct JudgeScoresOptions {
  std::vector<std::string> judgments;
  std::string data;         // for categories; "" = none
  bool first_only = false;  // of several judgments of one question and turn
};
int judge_scores(const JudgeScoresOptions& options, const CommonOptions& common);

void add_judge_commands(CLI::App& app, Action& action);

}  // namespace crucible::server::cli
