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

inline MetricValue number(double value) { return {{value}, {}}; }

// Multiple choice, from the options' log-probabilities l.
Result<Outcome> truthfulqa_mc2_rule(const RuleInput& in);      // Σ over true e^l / Σ e^l (Lin 2022)
Result<Outcome> truthfulqa_mc2_v03_rule(const RuleInput& in);  // true: before the first false one
Result<Outcome> agieval_choice_rule(const RuleInput& in);      // several golds; Zhong et al. 2023
// BIG-bench (Srivastava et al. 2022): target_scores of argmax l, ties by SHA-256 of l's bytes.
Result<Outcome> bigbench_grade_rule(const RuleInput& in);
Result<Outcome> crows_pairs_rule(const RuleInput& in);  // |l0 − l1|, l0 > l1; Nangia et al. 2020
Result<Outcome> record_rule(const RuleInput& in);       // SQuAD's em and f1; Zhang et al. 2018
Result<Outcome> wikitext_rule(const RuleInput& in);     // rolling; words and bytes of `page`

// Generated text.
Result<Outcome> truthfulqa_gen_rule(const RuleInput& in);  // BLEU and ROUGE, true against false
Result<Outcome> ifeval_rule(const RuleInput& in);          // see ifeval.hpp
Result<Outcome> hendrycks_math_rule(const RuleInput& in);  // these four: see math_answer.hpp and
Result<Outcome> minerva_math_rule(const RuleInput& in);    // math_equivalence.hpp
Result<Outcome> leaderboard_math_rule(const RuleInput& in);
Result<Outcome> agieval_math_rule(const RuleInput& in);
Result<Outcome> eq_bench_rule(const RuleInput& in);  // these three: see eq_bench.hpp
Result<Outcome> eq_bench_v1_rule(const RuleInput& in);
Result<Outcome> eq_bench_v2_rule(const RuleInput& in);
// Exact match and F1 of bags of words, the best gold answer; squad in percent, coqa with each gold
// answer left out in turn, drop the best span over the number of gold spans.
Result<Outcome> squad_rule(const RuleInput& in);  // Rajpurkar et al. 2018
Result<Outcome> coqa_rule(const RuleInput& in);   // Reddy et al. 2019
Result<Outcome> drop_rule(const RuleInput& in);   // Dua et al. 2019

// A field of the document: kInvalidArgument with its name where it is missing or of another kind.
Result<std::string> document_text(const task::Item& item, const char* key);

}  // namespace crucible::metric
