#include "evaluator/metric/scoring.hpp"

#include <utility>

#include "evaluator/metric/filter.hpp"
#include "evaluator/metric/output_types.hpp"
#include "evaluator/metric/rule.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using task::Json;
using task::OutputType;

bool is_generation(OutputType type) { return type == OutputType::kGenerateUntil; }

// filtered_resps of a samples file: every leaf as Python's str() writes it.
Json as_written(const Json& value) {
  if (!value.is_array()) return python_text(value);
  Json out = Json::array();
  for (const Json& element : value) out.push_back(as_written(element));
  return out;
}

Json written_results(const Responses& responses) {
  Json out = Json::array();
  for (const auto& result : responses.loglikelihoods) {
    out.push_back({text::float_repr(result.sum_logprob), result.is_greedy ? "True" : "False"});
  }
  for (const auto& result : responses.rolling) out.push_back(text::float_repr(result.sum_logprob));
  return out;
}

// Answers as the filters see them, for log-likelihood tasks nothing to filter.
Result<Filtered> filter_answers(const task::Task& task, const task::Item& item,
                                const task::FilterPipeline& pipeline, const Responses& responses) {
  if (!is_generation(task.output_type)) return Filtered{};
  if (responses.generations.empty()) {
    return fail(ErrorCode::kInvalidArgument, "document " + item.id + ": no answer");
  }
  return apply_filters(pipeline, responses.generations, item.document);
}

Result<Outcome> outcome(const RuleInput& in, const Json& answer) {
  switch (in.task.output_type) {
    case OutputType::kMultipleChoice:
      return score_choices(in);
    case OutputType::kLoglikelihood:
      return score_loglikelihood(in);
    case OutputType::kLoglikelihoodRolling:
      return score_rolling(in);
    case OutputType::kGenerateUntil:
      return score_generation(in.task, in.item, answer);
    case OutputType::kConversation:
      break;
  }
  return fail(ErrorCode::kUnsupported, "a conversation is scored by a judge");
}

Result<Outcome> score_one(const task::Task& task, const task::Item& item,
                          const Responses& responses, const Json& answer) {
  RuleInput input{task, item, responses, {}};
  if (task.process_results.empty()) return outcome(input, answer);
  const Rule* rule = find_rule(task.process_results);
  if (rule == nullptr) {
    return fail(ErrorCode::kUnsupported,
                "process_results '" + task.process_results + "' is not known");
  }
  if (is_generation(rule->output_type)) {
    // A rule reads results[0]: the text, or the first of a list that no filter reduced.
    const Json& first = answer.is_array() && !answer.empty() ? answer.front() : answer;
    if (!first.is_string()) {
      return fail(ErrorCode::kInvalidArgument, "document " + item.id + ": rule '" +
                                                   task.process_results +
                                                   "' needs a text; the filters give none");
    }
    input.answer = first.get<std::string>();
  }
  return rule->apply(input);
}

}  // namespace

Result<std::vector<ItemScore>> score_item(const task::Task& task, const task::Item& item,
                                          const Responses& responses) {
  std::vector<ItemScore> scores;
  for (const task::FilterPipeline& pipeline : task.filters) {
    auto filtered = filter_answers(task, item, pipeline, responses);
    if (!filtered) {
      return fail(std::move(filtered.error())
                      .with_context("document " + item.id + ", filter " + pipeline.name));
    }
    auto result = score_one(task, item, responses, filtered->value);
    if (!result) return fail(std::move(result.error()));
    ItemScore score;
    score.filter = pipeline.name;
    score.filtered = is_generation(task.output_type) ? Json::array({as_written(filtered->value)})
                                                     : written_results(responses);
    score.metrics = std::move(result->metrics);
    score.note = result->note.empty() ? filtered->note : result->note;
    scores.push_back(std::move(score));
  }
  return scores;
}

}  // namespace crucible::metric
