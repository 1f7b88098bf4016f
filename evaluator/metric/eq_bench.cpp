#include "evaluator/metric/eq_bench.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include "evaluator/metric/rule.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

using task::Json;
using text::Regex;

constexpr std::size_t kEmotions = 4;
constexpr double kAdjustment = 0.7477;  // random ratings then score 0
constexpr double kReadableShare = 0.8333;
constexpr double kRevisedShare = 0.95;

// Differences up to 5 are softened by an S-curve.
double scaled_difference(double difference) {
  if (difference == 0) return 0;
  if (difference > 5) return difference;
  return 6.5 * (1 / (1 + std::pow(std::numbers::e, -1.2 * (difference - 4))));
}

bool same_names(const Emotions& given, const Emotions& reference) {
  if (given.size() != kEmotions || reference.size() != kEmotions) return false;
  for (const auto& [name, score] : given) {
    if (!reference.contains(name)) return false;
  }
  return true;
}

// "{'emotion1': 'Calm', 'emotion1_score': 0, 'emotion2_score': '6'}".
Json read_literal(const std::string& literal) {
  static const Regex kEntry =
      Regex::fixed(R"re(['"](emotion\d(?:_score)?)['"]\s*:\s*(?:'([^']*)'|"([^"]*)"|([\d.]+)))re");
  Json out = Json::object();
  const auto entries = kEntry.find_all(literal);
  if (!entries) return out;
  for (const text::Match& entry : *entries) {
    for (const std::size_t group : {2U, 3U, 4U}) {
      if (entry.has(group)) {
        out[std::string(entry.group(literal, 1))] = std::string(entry.group(literal, group));
      }
    }
  }
  return out;
}

struct Mean {
  double value = 0;
  std::size_t count = 0;
};
Mean mean_points(const std::vector<std::optional<double>>& points) {
  Mean out;
  for (const auto& one : points) {
    if (!one) continue;
    out.value += *one;
    ++out.count;
  }
  if (out.count > 0) out.value /= static_cast<double>(out.count);
  return out;
}

Result<Emotions> reference_of(const RuleInput& in, const char* key) {
  const auto found = in.item.document.find(key);
  if (found == in.item.document.end()) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + in.item.id + ": field `" + key + "` is missing");
  }
  auto reference = eq_bench_reference(*found);
  if (!reference) return fail(std::move(reference.error()).with_context("document " + in.item.id));
  return reference;
}

constexpr const char* kUnreadable = "the four emotions could not be read";

double or_nan(const std::optional<double>& points) {
  return points ? 10 * *points : std::numeric_limits<double>::quiet_NaN();
}

std::optional<double> not_nan(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value / 10);
}

}  // namespace

Emotions parse_emotions(const std::string& text) {
  static const Regex kPair = Regex::fixed(R"((\w+):\s+(\d+))");
  Emotions out;
  const auto pairs = kPair.find_all(text);
  if (!pairs) return out;
  for (const text::Match& pair : *pairs) {
    double score = 0;
    if (text::parse_float(pair.group(text, 2), score)) {
      out[std::string(pair.group(text, 1))] = score;
    }
  }
  return out;
}

EqBenchAnswer parse_eq_bench(const std::string& text) {
  constexpr std::string_view kFirst = "First pass scores:";
  constexpr std::string_view kRevised = "Revised scores:";
  EqBenchAnswer out;
  const std::size_t first = text.find(kFirst);
  if (first != std::string::npos) {
    const std::size_t start = first + kFirst.size();
    const std::size_t end = text.find(kRevised, start);
    if (end != std::string::npos) out.first_pass = parse_emotions(text.substr(start, end - start));
  }
  const std::size_t revised = text.find(kRevised);
  if (revised != std::string::npos) {
    out.revised = parse_emotions(text.substr(revised + kRevised.size()));
  }
  return out;
}

Result<Emotions> eq_bench_reference(const Json& reference) {
  const Json fields =
      reference.is_string() ? read_literal(reference.get<std::string>()) : reference;
  Emotions out;
  for (std::size_t i = 1; i <= kEmotions; ++i) {
    const std::string key = "emotion" + std::to_string(i);
    const Json name = fields.value(key, Json());
    const Json score = fields.value(key + "_score", Json());
    double value = 0;
    const bool readable = score.is_number() ||
                          (score.is_string() && text::parse_float(score.get<std::string>(), value));
    if (!name.is_string() || !readable) {
      return fail(ErrorCode::kInvalidArgument,
                  "the reference answer lacks " + key + " or its score");
    }
    out[name.get<std::string>()] = score.is_number() ? score.get<double>() : value;
  }
  return out;
}

std::optional<double> eq_bench_v1_score(const Emotions& given, const Emotions& reference) {
  if (!same_names(given, reference)) return std::nullopt;
  double sum = 0;
  for (const auto& [name, score] : given) sum += score;
  if (sum <= 0) return std::nullopt;
  double difference = 0;
  for (const auto& [name, score] : given) {
    difference += std::fabs(score / sum * 10 - reference.at(name));
  }
  return 10 - difference;
}

std::optional<double> eq_bench_v2_score(const Emotions& given, const Emotions& reference) {
  if (!same_names(given, reference)) return std::nullopt;
  double difference = 0;
  for (const auto& [name, score] : given) {
    difference += scaled_difference(std::fabs(score - reference.at(name)));
  }
  return 10 - difference * kAdjustment;
}

EqBenchTotal eq_bench_total(const std::vector<std::optional<double>>& first_pass,
                            const std::vector<std::optional<double>>& revised) {
  const Mean first = mean_points(first_pass);
  const Mean second = mean_points(revised);
  const bool use_revised =
      second.count > 0 && second.value >= first.value &&
      static_cast<double>(second.count) >= kRevisedShare * static_cast<double>(first.count);
  const Mean& used = use_revised ? second : first;
  EqBenchTotal out;
  out.score = 100 * used.value / 10;
  out.parseable = used.count;
  out.enough =
      static_cast<double>(used.count) >= kReadableShare * static_cast<double>(first_pass.size());
  return out;
}

// The harness: unreadable is 0, and the whole text is read, headings or not.
Result<Outcome> eq_bench_rule(const RuleInput& in) {
  const auto reference = reference_of(in, "reference_answer_fullscale");
  if (!reference) return fail(reference.error());
  const auto points = eq_bench_v2_score(parse_emotions(in.answer), *reference);
  Outcome out;
  out.metrics["eqbench"] = number(points ? 10 * *points : 0);
  out.metrics["percent_parseable"] = number(points ? 100 : 0);
  if (!points) out.note = kUnreadable;
  return out;
}

// Both passes of one answer; a question counts as read when both are.
Result<Outcome> eq_bench_v1_rule(const RuleInput& in) {
  const auto reference = reference_of(in, "reference_answer");
  if (!reference) return fail(reference.error());
  const EqBenchAnswer answer = parse_eq_bench(in.answer);
  const auto first = eq_bench_v1_score(answer.first_pass, *reference);
  const auto revised = eq_bench_v1_score(answer.revised, *reference);
  Outcome out;
  out.metrics["percent_parseable"] = number(first && revised ? 100 : 0);
  if (first || revised) out.metrics["eqbench"] = {{or_nan(first), or_nan(revised)}, {}};
  if (!first || !revised) out.note = kUnreadable;
  return out;
}

// The first pass alone: the whole text is read.
Result<Outcome> eq_bench_v2_rule(const RuleInput& in) {
  const auto reference = reference_of(in, "reference_answer_fullscale");
  if (!reference) return fail(reference.error());
  const auto points = eq_bench_v2_score(parse_emotions(in.answer), *reference);
  Outcome out;
  out.metrics["percent_parseable"] = number(points ? 100 : 0);
  if (points) out.metrics["eqbench"] = number(10 * *points);
  if (!points) out.note = kUnreadable;
  return out;
}

double eq_bench_total(const std::vector<MetricValue>& passes,
                      std::span<const std::size_t> indices) {
  std::vector<std::optional<double>> first, revised;
  for (const std::size_t i : indices) {
    first.push_back(not_nan(passes[i].numbers.at(0)));
    revised.push_back(not_nan(passes[i].numbers.at(1)));
  }
  return eq_bench_total(first, revised).score;
}

}  // namespace crucible::metric
