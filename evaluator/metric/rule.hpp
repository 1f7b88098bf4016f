#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/metric/scoring.hpp"

// Named rules that turn one document's answers into metrics: Task::process_results. They stand for
// the Python functions of the harness's task folders.
namespace crucible::metric {

struct Outcome {
  std::map<std::string, MetricValue> metrics;
  std::string note;  // why the answer could not be read
};

// What a rule sees: the answer after the filters (empty for log-likelihood tasks) and the raw
// results.
struct RuleInput {
  const task::Task& task;
  const task::Item& item;
  const Responses& responses;
  std::string answer;
};

struct Rule {
  std::string_view name;
  task::OutputType output_type;
  std::vector<std::string_view> metrics;  // what it gives
  std::function<Result<Outcome>(const RuleInput&)> apply;
};

// nullptr for an unknown name.
const Rule* find_rule(std::string_view name);
std::vector<std::string> rule_names();

MetricValue number(double value);

// The rules, by subject.
Result<Outcome> truthfulqa_mc2_rule(const RuleInput& in);
Result<Outcome> truthfulqa_mc2_v03_rule(const RuleInput& in);
Result<Outcome> truthfulqa_gen_rule(const RuleInput& in);
Result<Outcome> agieval_choice_rule(const RuleInput& in);
Result<Outcome> bigbench_grade_rule(const RuleInput& in);
Result<Outcome> wikitext_rule(const RuleInput& in);
Result<Outcome> ifeval_rule(const RuleInput& in);
Result<Outcome> hendrycks_math_rule(const RuleInput& in);
Result<Outcome> minerva_math_rule(const RuleInput& in);
Result<Outcome> leaderboard_math_rule(const RuleInput& in);
Result<Outcome> agieval_math_rule(const RuleInput& in);
Result<Outcome> eq_bench_rule(const RuleInput& in);
Result<Outcome> eq_bench_v1_rule(const RuleInput& in);
Result<Outcome> eq_bench_v2_rule(const RuleInput& in);
Result<Outcome> squad_rule(const RuleInput& in);
Result<Outcome> coqa_rule(const RuleInput& in);
Result<Outcome> drop_rule(const RuleInput& in);

// A field of the document: kInvalidArgument with its name where it is missing or of another kind.
Result<std::string> document_text(const task::Item& item, const char* key);

}  // namespace crucible::metric
