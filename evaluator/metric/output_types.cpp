#include "evaluator/metric/output_types.hpp"

#include <algorithm>
#include <cmath>

#include "evaluator/metric/filter_steps.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using task::Json;

bool has_metric(const task::Task& task, std::string_view name) {
  return std::any_of(task.metrics.begin(), task.metrics.end(),
                     [&](const task::MetricSetting& setting) { return setting.metric == name; });
}

Status check_finite(const std::vector<double>& values, const task::Item& item) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return fail(ErrorCode::kCorrupt, "document " + item.id + ": the log-probability of request " +
                                         std::to_string(i) + " is not a finite number");
  }
  return {};
}

std::vector<double> softmax(const std::vector<double>& values) {
  const double top = *std::max_element(values.begin(), values.end());
  std::vector<double> out;
  double sum = 0;
  for (const double value : values) {
    out.push_back(std::exp(value - top));
    sum += out.back();
  }
  for (double& value : out) value /= sum;
  return out;
}

// A gold index as a number; -100 where the document's label is none of the options.
double gold_number(const task::Item& item) {
  return item.gold.empty() ? -100.0 : static_cast<double>(item.gold.front());
}

MetricValue with_gold(const task::Item& item, const std::vector<double>& values) {
  MetricValue out = number(gold_number(item));
  out.numbers.insert(out.numbers.end(), values.begin(), values.end());
  return out;
}

// acc_mutual_info: the options' log-probabilities less those without a context.
Result<double> mutual_information(const RuleInput& in, const std::vector<double>& values) {
  const std::size_t options = in.item.choices.size();
  const auto& all = in.responses.loglikelihoods;
  if (all.size() != 2 * options) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + in.item.id +
                    ": acc_mutual_info needs each option once more without a context");
  }
  std::vector<double> information(options);
  for (std::size_t i = 0; i < options; ++i) {
    information[i] = values[i] - all[options + i].sum_logprob;
  }
  if (const Status finite = check_finite(information, in.item); !finite) {
    return fail(finite.error());
  }
  const std::size_t best = argmax(information);
  return std::find(in.item.gold.begin(), in.item.gold.end(), best) != in.item.gold.end() ? 1.0
                                                                                         : 0.0;
}

}  // namespace

Result<std::vector<double>> option_logprobs(const RuleInput& in) {
  const std::size_t options = in.item.choices.size();
  const auto& all = in.responses.loglikelihoods;
  if (options == 0 || (all.size() != options && all.size() != 2 * options)) {
    return fail(ErrorCode::kInvalidArgument, "document " + in.item.id + ": " +
                                                 std::to_string(all.size()) + " results for " +
                                                 std::to_string(options) + " options");
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < options; ++i) values.push_back(all[i].sum_logprob);
  if (const Status finite = check_finite(values, in.item); !finite) return fail(finite.error());
  return values;
}

std::size_t normalised_argmax(const std::vector<double>& values,
                              const std::vector<std::size_t>& lengths) {
  std::size_t best = 0;
  double top = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i] / static_cast<double>(lengths[i]);
    if (std::isnan(value)) return i;  // 0 / 0: an empty option of certain text
    if (i == 0 || value > top) {
      best = i;
      top = value;
    }
  }
  return best;
}

Result<Outcome> score_choices(const RuleInput& in) {
  const auto values = option_logprobs(in);
  if (!values) return fail(values.error());
  std::vector<std::size_t> characters;
  std::vector<std::size_t> bytes;
  for (const std::string& choice : in.item.choices) {
    characters.push_back(code_points(choice));
    bytes.push_back(choice.size());
  }
  const auto& gold = in.item.gold;
  const auto hit = [&](std::size_t predicted) {
    return std::find(gold.begin(), gold.end(), predicted) != gold.end() ? 1.0 : 0.0;
  };
  const std::size_t predicted = argmax(*values);
  const bool greedy = std::any_of(gold.begin(), gold.end(), [&](std::size_t i) {
    return i < values->size() && in.responses.loglikelihoods[i].is_greedy;
  });
  const std::vector<double> prediction = {static_cast<double>(predicted)};
  Outcome out;
  const auto give = [&](const char* name, MetricValue value) {
    if (has_metric(in.task, name)) out.metrics[name] = std::move(value);
  };
  give("acc", number(hit(predicted)));
  give("acc_norm", number(hit(normalised_argmax(*values, characters))));
  give("acc_bytes", number(hit(normalised_argmax(*values, bytes))));
  give("exact_match", number(greedy ? 1.0 : 0.0));
  give("f1", with_gold(in.item, prediction));
  give("mcc", with_gold(in.item, prediction));
  give("brier_score", with_gold(in.item, softmax(*values)));
  give("likelihood", with_gold(in.item, *values));
  if (has_metric(in.task, "acc_mutual_info")) {
    const auto information = mutual_information(in, *values);
    if (!information) return fail(information.error());
    out.metrics["acc_mutual_info"] = number(*information);
  }
  return out;
}

Result<Outcome> score_loglikelihood(const RuleInput& in) {
  if (in.responses.loglikelihoods.empty()) {
    return fail(ErrorCode::kInvalidArgument, "document " + in.item.id + ": no result");
  }
  const auto& result = in.responses.loglikelihoods.front();
  if (const Status finite = check_finite({result.sum_logprob}, in.item); !finite) {
    return fail(finite.error());
  }
  Outcome out;
  if (has_metric(in.task, "perplexity")) out.metrics["perplexity"] = number(result.sum_logprob);
  if (has_metric(in.task, "acc")) out.metrics["acc"] = number(result.is_greedy ? 1.0 : 0.0);
  return out;
}

double word_count(const std::string& text) {
  static const text::Regex kSpaces = text::Regex::fixed(R"(\s+)");
  const auto pieces = kSpaces.split(text);
  return pieces ? static_cast<double>(pieces->size()) : 1.0;
}

Result<Outcome> score_rolling(const RuleInput& in) {
  if (in.responses.rolling.empty()) {
    return fail(ErrorCode::kInvalidArgument, "document " + in.item.id + ": no result");
  }
  const double logprob = in.responses.rolling.front().sum_logprob;
  if (const Status finite = check_finite({logprob}, in.item); !finite) return fail(finite.error());
  const std::string text = in.item.target.is_string() ? in.item.target.get<std::string>()
                           : in.item.requests.empty() ? std::string()
                                                      : in.item.requests.front().context;
  const auto bytes = static_cast<double>(text.size());
  Outcome out;
  const auto give = [&](const char* name, double weight) {
    if (has_metric(in.task, name)) out.metrics[name] = {{logprob, weight}, {}};
  };
  give("word_perplexity", word_count(text));
  give("byte_perplexity", bytes);
  give("bits_per_byte", bytes);
  return out;
}

Result<bool> exact_match(const std::string& reference, const std::string& prediction,
                         const Json& arguments) {
  std::string expected = reference;
  std::string given = prediction;
  for (const Json& pattern : arguments.value("regexes_to_ignore", Json::array())) {
    const auto regex = compiled(pattern.get<std::string>());
    if (!regex) return fail(regex.error());
    for (std::string* side : {&expected, &given}) {
      auto changed = regex->sub("", *side);
      if (!changed) return fail(std::move(changed.error()));
      *side = std::move(*changed);
    }
  }
  for (std::string* side : {&expected, &given}) {
    if (is_set(arguments, "ignore_case")) *side = text::lower(*side);
    if (is_set(arguments, "ignore_punctuation")) {
      *side = text::without_ascii_punctuation(*side);
    }
    if (is_set(arguments, "ignore_numbers")) *side = text::without_ascii_digits(*side);
  }
  return expected == given;
}

std::string python_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_null()) return "None";
  if (value.is_number_float()) return text::float_repr(value.get<double>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string_view> metrics_of(task::OutputType type) {
  switch (type) {
    case task::OutputType::kMultipleChoice:
      return {"acc", "acc_norm",    "acc_bytes",  "exact_match",     "f1",
              "mcc", "brier_score", "likelihood", "acc_mutual_info", "bypass"};
    case task::OutputType::kLoglikelihood:
      return {"perplexity", "acc", "bypass"};
    case task::OutputType::kLoglikelihoodRolling:
      return {"word_perplexity", "byte_perplexity", "bits_per_byte"};
    case task::OutputType::kGenerateUntil:
      return {"exact_match", "bleu", "chrf", "chrf++", "ter", "bypass"};
    case task::OutputType::kConversation:
      return {};
  }
  return {};
}

}  // namespace crucible::metric
