#include "evaluator/metric/rule.hpp"

#include <algorithm>

namespace crucible::metric {
namespace {

using enum task::OutputType;

const std::vector<Rule>& rules() {
  static const std::vector<Rule> kRules = {
      {"truthfulqa_mc2", kMultipleChoice, {"acc"}, truthfulqa_mc2_rule},
      {"truthfulqa_mc2_v03", kMultipleChoice, {"acc"}, truthfulqa_mc2_v03_rule},
      {"truthfulqa_gen",
       kGenerateUntil,
       {"bleu_max", "bleu_acc", "bleu_diff", "rouge1_max", "rouge1_acc", "rouge1_diff",
        "rouge2_max", "rouge2_acc", "rouge2_diff", "rougeL_max", "rougeL_acc", "rougeL_diff"},
       truthfulqa_gen_rule},
      {"agieval_mcqa_generative", kMultipleChoice, {"acc", "acc_norm"}, agieval_choice_rule},
      {"bigbench_multiple_choice_grade",
       kMultipleChoice,
       {"multiple_choice_grade"},
       bigbench_grade_rule},
      {"crows_pairs", kMultipleChoice, {"likelihood_diff", "pct_stereotype"}, crows_pairs_rule},
      {"record", kMultipleChoice, {"f1", "em"}, record_rule},
      {"wikitext",
       kLoglikelihoodRolling,
       {"word_perplexity", "byte_perplexity", "bits_per_byte"},
       wikitext_rule},
      {"ifeval",
       kGenerateUntil,
       {"prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc",
        "inst_level_loose_acc"},
       ifeval_rule},
      {"hendrycks_math", kGenerateUntil, {"exact_match"}, hendrycks_math_rule},
      {"minerva_math", kGenerateUntil, {"exact_match", "math_verify"}, minerva_math_rule},
      {"leaderboard_math",
       kGenerateUntil,
       {"exact_match", "exact_match_original"},
       leaderboard_math_rule},
      {"agieval_math", kGenerateUntil, {"acc"}, agieval_math_rule},
      {"eq_bench", kGenerateUntil, {"eqbench", "percent_parseable"}, eq_bench_rule},
      {"eq_bench_v1", kGenerateUntil, {"eqbench", "percent_parseable"}, eq_bench_v1_rule},
      {"eq_bench_v2", kGenerateUntil, {"eqbench", "percent_parseable"}, eq_bench_v2_rule},
      {"squad_v2",
       kGenerateUntil,
       {"exact", "f1", "HasAns_exact", "HasAns_f1", "NoAns_exact", "NoAns_f1"},
       squad_rule},
      {"coqa", kGenerateUntil, {"em", "f1"}, coqa_rule},
      {"drop", kGenerateUntil, {"em", "f1"}, drop_rule}};
  return kRules;
}

}  // namespace

const Rule* find_rule(std::string_view name) {
  const auto found = std::find_if(rules().begin(), rules().end(),
                                  [&](const Rule& rule) { return rule.name == name; });
  return found == rules().end() ? nullptr : &*found;
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const Rule& rule : rules()) names.emplace_back(rule.name);
  return names;
}

Result<std::string> document_text(const task::Item& item, const char* key) {
  const auto found = item.document.find(key);
  if (found == item.document.end() || !found->is_string()) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + item.id + ": field `" + key + "` is missing or not a text");
  }
  return found->get<std::string>();
}

}  // namespace crucible::metric
