#pragma once

#include "evaluator/metric/rule.hpp"

// The harness's own rules for each output type (api/task.py, process_results of ConfigurableTask).
// With the log-probabilities l of the options: acc is whether argmax l is right, acc_norm and
// acc_bytes the same of l over characters and bytes, acc_mutual_info of l less the option's own
// log-probability without a context, brier_score takes softmax(l). Log-probabilities are natural.
namespace crucible::metric {

// Errors: kCorrupt for a log-probability that is not finite, kInvalidArgument where results and
// options do not go together.
Result<Outcome> score_choices(const RuleInput& in);
Result<Outcome> score_loglikelihood(const RuleInput& in);
Result<Outcome> score_rolling(const RuleInput& in);
// `answer` is a text, or a list of texts where no filter took the first.
Result<Outcome> score_generation(const task::Task& task, const task::Item& item,
                                 const task::Json& answer);

// Metrics that an output type can give; empty for conversations, which a judge scores.
std::vector<std::string_view> metrics_of(task::OutputType type);

// exact_match of evaluate's exact_match metric: after deleting regexes_to_ignore, then case,
// punctuation, digits as the arguments say.
Result<bool> exact_match(const std::string& reference, const std::string& prediction,
                         const task::Json& arguments);

// Log-probabilities of an item's options: checked to be finite and as many as it has.
Result<std::vector<double>> option_logprobs(const RuleInput& in);
// numpy.argmax of values[i] / lengths[i], where a length may be 0.
std::size_t normalised_argmax(const std::vector<double>& values,
                              const std::vector<std::size_t>& lengths);
// str(value) for scalars of a document.
std::string python_text(const task::Json& value);
// Weights of one text: len(re.split(r"\s+", text)), and its UTF-8 bytes.
double word_count(const std::string& text);

}  // namespace crucible::metric
