#include <CLI/CLI.hpp>
#include <memory>

#include "server/cli/judge_command.hpp"

namespace crucible::server::cli {
namespace {

template <typename Options>
struct Parsed {
  Options options{};
  CommonOptions common;
};

// A subcommand whose options are read into what `run` gets.
template <typename Options>
std::pair<CLI::App*, std::shared_ptr<Parsed<Options>>> add(
    CLI::App& parent, const std::string& name, const std::string& meaning, Action& action,
    int (*run)(const Options&, const CommonOptions&)) {
  auto parsed = std::make_shared<Parsed<Options>>();
  CLI::App* command = parent.add_subcommand(name, meaning);
  command->add_flag("--json", parsed->common.json, "raw JSON on standard output");
  command->callback([parsed, run, &action] {
    action = [parsed, run] { return run(parsed->options, parsed->common); };
  });
  return {command, parsed};
}

constexpr const char* kDataMeaning =
    "folder with question.jsonl, judge_prompts.jsonl, reference_answer/";

void add_grading(CLI::App& judge, const std::string& name, const std::string& meaning,
                 Action& action, int (*run)(const JudgeGradeOptions&, const CommonOptions&)) {
  const auto [command, parsed] = add(judge, name, meaning, action, run);
  JudgeGradeOptions& options = parsed->options;
  command->add_option("ANSWERS", options.answers, "files of answers, named as their models")
      ->required();
  command->add_option("--judge", options.judging.judge.model, "model folder or endpoint")
      ->required();
  command->add_option("--data", options.judging.data, kDataMeaning);
  command->add_option("--limit", options.limit, "first questions only");
  command->add_option("--out", options.out, "file to which judgments are added")
      ->capture_default_str();
  add_judging_options(*command, options.judging);
}

}  // namespace

void add_judge_commands(CLI::App& app, Action& action) {
  CLI::App& judge = *app.add_subcommand("judge", "MT-Bench: answers, judgments, means");
  judge.require_subcommand(1);
  const auto [answer, answering] =
      add(judge, "answer", "have a model answer the questions", action, judge_answer);
  JudgeAnswerOptions& options = answering->options;
  answer->add_option("MODEL", options.model.model, "model folder or endpoint")->required();
  answer->add_option("--name", options.name, "its name in the file");
  answer->add_option("--out", options.out, "file to which answers are added")
      ->capture_default_str();
  answer->add_option("--data", options.data, kDataMeaning);
  answer->add_option("--limit", options.limit, "first questions only");
  add_local_options(*answer, options.model);
  add_endpoint_options(*answer, options.model);
  add_grading(judge, "single", "rate answers one by one", action, judge_single);
  add_grading(judge, "pair", "compare two models' answers in both orders", action, judge_pair);
  const auto [scores, scoring] =
      add(judge, "scores", "means and win rates of judgment files", action, judge_scores);
  scores->add_option("JUDGMENTS", scoring->options.judgments, "files of judgments")->required();
  scores->add_option("--data", scoring->options.data, "folder with question.jsonl, for categories");
  scores->add_flag("--first-only", scoring->options.first_only,
                   "leave out later judgments of the same question and turn");
}

}  // namespace crucible::server::cli
