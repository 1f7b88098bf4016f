#include "evaluator/run/flags.hpp"

#include <algorithm>

namespace crucible::run {
namespace {

// Shares of a task's items from which on a count is worth a flag.
constexpr double kAny = 0;
constexpr double kSome = 0.01;
constexpr double kMany = 0.25;
constexpr double kEqBench = 1 - 0.8333;  // its authors count no run with more unreadable answers

bool is_level(const task::Task& task, const Sample& sample) {
  const auto& answers = sample.responses.loglikelihoods;
  const std::size_t options = std::min(answers.size(), task.items[sample.item].choices.size());
  if (task.output_type != task::OutputType::kMultipleChoice || options < 2) return false;
  return std::all_of(answers.begin() + 1, answers.begin() + static_cast<std::ptrdiff_t>(options),
                     [&](const auto& one) { return one.sum_logprob == answers[0].sum_logprob; });
}

bool is_empty(const std::vector<std::string>& texts) {
  return !texts.empty() && std::ranges::all_of(texts, [](const std::string& text) {
    return text.find_first_not_of(" \t\r\n") == std::string::npos;
  });
}

void add(std::vector<std::string>& flags, const std::string& task, std::size_t count,
         std::size_t items, double least_share, const std::string& what) {
  if (count == 0 || static_cast<double>(count) < least_share * static_cast<double>(items)) return;
  flags.push_back(task + ": " + std::to_string(count) + " of " + std::to_string(items) +
                  " items: " + what);
}

}  // namespace

void count_doubts(const task::Task& task, const Sample& sample, TaskResult& result) {
  result.truncated_items += sample.truncated ? 1 : 0;
  result.unreadable_items += sample.note.empty() ? 0 : 1;
  result.empty_items += is_empty(sample.responses.generations) ? 1 : 0;
  result.level_items += is_level(task, sample) ? 1 : 0;
  result.apart_items += std::ranges::any_of(sample.responses.loglikelihoods,
                                            [](const auto& one) { return one.encoded_apart; })
                            ? 1
                            : 0;
}

std::vector<std::string> flags_of(const task::Suite& suite, const EvaluationReport& report) {
  std::vector<std::string> flags;
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    const TaskResult& task = report.tasks[i];
    const std::size_t items = suite.tasks[i].items.size();
    add(flags, task.task, task.truncated_items, items, kAny,
        "the prompt was longer than the model's context of " +
            std::to_string(report.model.context_length) + " tokens and was cut from the left");
    add(flags, task.task, task.level_items, items, kSome,
        "all options have the same log-likelihood, so that the first one counts as chosen");
    add(flags, task.task, task.empty_items, items, kSome, "the model generated no text");
    add(flags, task.task, task.unreadable_items, items,
        suite.tasks[i].process_results.starts_with("eq_bench") ? kEqBench : kMany,
        "no answer could be read");
    add(flags, task.task, task.apart_items, items, kAny,
        "option and context had to be encoded apart");
  }
  return flags;
}

}  // namespace crucible::run
