#include "evaluator/metric/aggregation.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numbers>
#include <set>
#include <span>

#include "evaluator/metric/bootstrap.hpp"
#include "evaluator/metric/corpus_metrics.hpp"
#include "evaluator/metric/eq_bench.hpp"
#include "evaluator/metric/scoring.hpp"

namespace crucible::metric {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kReplicates = 100'000;
constexpr std::size_t kCorpusReplicates = 100;
constexpr std::size_t kEqBenchReplicates = 10'000;

using Values = std::vector<MetricValue>;
using Indices = std::span<const std::size_t>;

tl::unexpected<Error> bad(const std::string& message) {
  return fail(ErrorCode::kInvalidArgument, message);
}

// The i-th number of every item; an error where one is missing.
Result<std::vector<double>> column(const Values& values, std::size_t i) {
  std::vector<double> out;
  for (const MetricValue& value : values) {
    if (value.numbers.size() <= i) return bad("an item has no value of this metric");
    out.push_back(value.numbers[i]);
  }
  return out;
}

double mean_over(const std::vector<double>& values, Indices indices) {
  double sum = 0;
  for (const std::size_t i : indices) sum += values[i];
  return sum / static_cast<double>(indices.size());
}

double median_over(const std::vector<double>& values, Indices indices) {
  std::vector<double> drawn;
  for (const std::size_t i : indices) drawn.push_back(values[i]);
  const auto middle = drawn.begin() + static_cast<std::ptrdiff_t>(drawn.size() / 2);
  std::nth_element(drawn.begin(), middle, drawn.end());
  return *middle;
}

double nanmean_over(const std::vector<double>& values, Indices indices) {
  double sum = 0;
  double count = 0;
  for (const std::size_t i : indices) {
    if (std::isnan(values[i])) continue;
    sum += values[i];
    count += 1;
  }
  return count == 0 ? kNan : sum / count;
}

// Over draws of (gold, prediction) pairs given by small class numbers.
double f1_over(const std::vector<double>& gold, const std::vector<double>& predicted,
               Indices indices, double positive) {
  double both = 0;
  double either = 0;
  for (const std::size_t i : indices) {
    const bool is_gold = gold[i] == positive;
    const bool is_predicted = predicted[i] == positive;
    both += is_gold && is_predicted ? 1 : 0;
    either += (is_gold ? 1 : 0) + (is_predicted ? 1 : 0);
  }
  return either == 0 ? 0.0 : 2 * both / either;
}

struct Classes {
  std::vector<std::size_t> gold;
  std::vector<std::size_t> predicted;
  std::size_t count = 0;
};
Classes number_classes(const std::vector<double>& gold, const std::vector<double>& predicted) {
  std::map<double, std::size_t> numbers;
  const auto of = [&](double label) {
    return numbers.emplace(label, numbers.size()).first->second;
  };
  Classes out;
  for (const double label : gold) out.gold.push_back(of(label));
  for (const double label : predicted) out.predicted.push_back(of(label));
  out.count = numbers.size();
  return out;
}

// Matthews' correlation for any number of classes (Gorodkin 2004), 0 where it has none.
double mcc_over(const Classes& classes, Indices indices) {
  std::vector<double> gold(classes.count, 0.0);
  std::vector<double> predicted(classes.count, 0.0);
  double correct = 0;
  for (const std::size_t i : indices) {
    gold[classes.gold[i]] += 1;
    predicted[classes.predicted[i]] += 1;
    correct += classes.gold[i] == classes.predicted[i] ? 1 : 0;
  }
  const auto n = static_cast<double>(indices.size());
  double gold_predicted = 0;
  double predicted_squares = 0;
  double gold_squares = 0;
  for (std::size_t k = 0; k < classes.count; ++k) {
    gold_predicted += gold[k] * predicted[k];
    predicted_squares += predicted[k] * predicted[k];
    gold_squares += gold[k] * gold[k];
  }
  const double predicted_spread = n * n - predicted_squares;
  const double gold_spread = n * n - gold_squares;
  if (predicted_spread * gold_spread == 0) return 0;
  return (correct * n - gold_predicted) / std::sqrt(gold_spread * predicted_spread);
}

Estimate with_bootstrap(const Statistic& statistic, std::size_t items, std::size_t replicates) {
  std::vector<std::size_t> all(items);
  for (std::size_t i = 0; i < items; ++i) all[i] = i;
  const double value = statistic(all);
  return {value, items > 1 ? bootstrap_stderr(statistic, items, replicates) : kNan};
}

Result<Estimate> aggregate_mean(const Values& values) {
  const auto numbers = column(values, 0);
  if (!numbers) return fail(numbers.error());
  return mean(*numbers);
}

template <typename Over>
Result<Estimate> of_column(const Values& values, Over over) {
  const auto numbers = column(values, 0);
  if (!numbers) return fail(numbers.error());
  return with_bootstrap([&](Indices indices) { return over(*numbers, indices); }, numbers->size(),
                        kReplicates);
}

Result<Estimate> aggregate_median(const Values& values) { return of_column(values, median_over); }
Result<Estimate> aggregate_nanmean(const Values& values) { return of_column(values, nanmean_over); }
Result<Estimate> aggregate_perplexity(const Values& values) {
  return of_column(values, [](const std::vector<double>& numbers, Indices indices) {
    return std::exp(-mean_over(numbers, indices));
  });
}

Result<double> weighted_mean(const Values& values) {
  const auto sums = column(values, 0);
  const auto weights = column(values, 1);
  if (!sums) return fail(sums.error());
  if (!weights) return fail(weights.error());
  double sum = 0;
  double weight = 0;
  for (std::size_t i = 0; i < sums->size(); ++i) {
    sum += (*sums)[i];
    weight += (*weights)[i];
  }
  if (weight == 0) return bad("the texts have no words or bytes to weigh by");
  return sum / weight;
}

Result<Estimate> aggregate_weighted_perplexity(const Values& values) {
  const auto weighted = weighted_mean(values);
  if (!weighted) return fail(weighted.error());
  return Estimate{std::exp(-*weighted), kNan};
}

Result<Estimate> aggregate_bits_per_byte(const Values& values) {
  const auto weighted = weighted_mean(values);
  if (!weighted) return fail(weighted.error());
  return Estimate{-*weighted / std::numbers::ln2, kNan};
}

Result<Estimate> aggregate_f1(const Values& values) {
  const auto gold = column(values, 0);
  const auto predicted = column(values, 1);
  if (!gold || !predicted) return bad("f1 needs a gold label and a prediction of every item");
  const auto binary = [](double label) { return label == 0 || label == 1; };
  if (!std::all_of(gold->begin(), gold->end(), binary) ||
      !std::all_of(predicted->begin(), predicted->end(), binary)) {
    return fail(ErrorCode::kUnsupported, "f1 is of two classes, 0 and 1; an item has another");
  }
  return with_bootstrap([&](Indices indices) { return f1_over(*gold, *predicted, indices, 1); },
                        gold->size(), kReplicates);
}

// Mean of the three classes' F1, as super_glue's cb task has it.
Result<Estimate> aggregate_cb(const Values& values) {
  const auto gold = column(values, 0);
  const auto predicted = column(values, 1);
  if (!gold || !predicted) return bad("f1 needs a gold label and a prediction of every item");
  std::vector<std::size_t> all(gold->size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  double sum = 0;
  for (const double label : {0.0, 1.0, 2.0}) sum += f1_over(*gold, *predicted, all, label);
  return Estimate{sum / 3, kNan};
}

// sklearn's f1_score over every class that is a gold label or a prediction: `weight` gives a
// class's part from the number of items that it is the gold label of.
template <typename Weight>
Result<Estimate> aggregate_classes_f1(const Values& values, Weight weight) {
  const auto gold = column(values, 0);
  const auto predicted = column(values, 1);
  if (!gold || !predicted) return bad("f1 needs a gold label and a prediction of every item");
  std::vector<std::size_t> all(gold->size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  std::map<double, double> support;
  for (std::size_t i = 0; i < all.size(); ++i) {
    support[(*gold)[i]] += 1;
    support.try_emplace((*predicted)[i], 0);
  }
  double sum = 0;
  double weights = 0;
  for (const auto& [label, count] : support) {
    sum += weight(count) * f1_over(*gold, *predicted, all, label);
    weights += weight(count);
  }
  return Estimate{sum / weights, kNan};
}
Result<Estimate> aggregate_weighted_f1(const Values& values) {
  return aggregate_classes_f1(values, [](double count) { return count; });
}
Result<Estimate> aggregate_macro_f1(const Values& values) {
  return aggregate_classes_f1(values, [](double) { return 1.0; });
}
// With one label an item and no class left out, micro F1 is the share of right answers.
Result<Estimate> aggregate_micro_f1(const Values& values) {
  const auto gold = column(values, 0);
  const auto predicted = column(values, 1);
  if (!gold || !predicted) return bad("f1 needs a gold label and a prediction of every item");
  double right = 0;
  for (std::size_t i = 0; i < gold->size(); ++i) right += (*gold)[i] == (*predicted)[i] ? 1 : 0;
  return Estimate{right / static_cast<double>(gold->size()), kNan};
}

Result<Estimate> aggregate_mcc(const Values& values) {
  const auto gold = column(values, 0);
  const auto predicted = column(values, 1);
  if (!gold || !predicted) return bad("mcc needs a gold label and a prediction of every item");
  const Classes classes = number_classes(*gold, *predicted);
  return with_bootstrap([&](Indices indices) { return mcc_over(classes, indices); }, gold->size(),
                        kReplicates);
}

// numbers = {gold, p0, p1, …}; sum of squared differences from the gold's one-hot.
Result<Estimate> aggregate_brier(const Values& values) {
  double sum = 0;
  for (const MetricValue& value : values) {
    const std::size_t classes = value.numbers.size() - 1;
    if (value.numbers.size() < 2 || classes + 1 != values.front().numbers.size()) {
      return fail(ErrorCode::kUnsupported,
                  "brier_score needs the same number of options everywhere");
    }
    const double gold = value.numbers[0];
    if (gold < 0 || gold >= static_cast<double>(classes)) {
      return bad("brier_score: an item's gold is none of its options");
    }
    for (std::size_t k = 0; k < classes; ++k) {
      const double difference = value.numbers[k + 1] - (static_cast<double>(k) == gold ? 1.0 : 0.0);
      sum += difference * difference;
    }
  }
  return Estimate{sum / static_cast<double>(values.size()), kNan};
}

Result<Estimate> aggregate_bypass(const Values&) { return Estimate{999, kNan}; }

// Over all parts of all items alike (IFEval's instructions).
Result<Estimate> aggregate_parts(const Values& values) {
  double sum = 0;
  double count = 0;
  for (const MetricValue& value : values) {
    for (const double part : value.numbers) sum += part;
    count += static_cast<double>(value.numbers.size());
  }
  if (count == 0) return bad("no item has any part");
  return Estimate{sum / count, kNan};
}

Result<Estimate> of_corpus(
    const Values& values,
    const std::function<SegmentSums(const std::string&, const std::string&)>& segment,
    double (*from)(const SegmentSums&)) {
  std::vector<SegmentSums> segments;
  for (const MetricValue& value : values) {
    if (value.texts.size() != 2) return bad("an item has no reference and prediction");
    segments.push_back(segment(value.texts[0], value.texts[1]));
  }
  const auto statistic = [&](Indices indices) {
    SegmentSums sums(segments.front().size(), 0.0);
    for (const std::size_t i : indices) {
      for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += segments[i][k];
    }
    return from(sums);
  };
  return with_bootstrap(statistic, segments.size(), kCorpusReplicates);
}

Result<Estimate> aggregate_bleu(const Values& values) {
  return of_corpus(values, [](const auto& r, const auto& p) { return bleu_sums(r, p); }, bleu_from);
}
Result<Estimate> aggregate_chrf(const Values& values) {
  return of_corpus(
      values, [](const auto& r, const auto& p) { return chrf_sums(r, p, 0); }, chrf_from);
}
Result<Estimate> aggregate_chrf_words(const Values& values) {
  return of_corpus(
      values, [](const auto& r, const auto& p) { return chrf_sums(r, p, 2); }, chrf_from);
}
Result<Estimate> aggregate_ter(const Values& values) {
  return of_corpus(values, [](const auto& r, const auto& p) { return ter_sums(r, p); }, ter_from);
}

// First and revised scores of EQ-Bench's questions; which of them counts depends on all.
Result<Estimate> aggregate_eq_bench(const Values& values) {
  for (const MetricValue& value : values) {
    if (value.numbers.size() != 2) return bad("an item has no first and revised score");
  }
  return with_bootstrap([&](Indices indices) { return eq_bench_total(values, indices); },
                        values.size(), kEqBenchReplicates);
}

using Aggregation = Result<Estimate> (*)(const Values&);
const std::map<std::string_view, Aggregation>& aggregations() {
  static const std::map<std::string_view, Aggregation> kAggregations = {
      {"mean", aggregate_mean},
      {"median", aggregate_median},
      {"nanmean", aggregate_nanmean},
      {"perplexity", aggregate_perplexity},
      {"weighted_perplexity", aggregate_weighted_perplexity},
      {"bits_per_byte", aggregate_bits_per_byte},
      {"f1", aggregate_f1},
      {"cb_multi_fi", aggregate_cb},
      {"weighted_f1", aggregate_weighted_f1},
      {"macro_f1", aggregate_macro_f1},
      {"micro_f1", aggregate_micro_f1},
      {"matthews_corrcoef", aggregate_mcc},
      {"brier_score", aggregate_brier},
      {"bleu", aggregate_bleu},
      {"chrf", aggregate_chrf},
      {"chrf++", aggregate_chrf_words},
      {"ter", aggregate_ter},
      {"bypass", aggregate_bypass},
      {"eq_bench_total", aggregate_eq_bench},
      {"agg_inst_level_acc", aggregate_parts}};
  return kAggregations;
}

}  // namespace

std::vector<std::string_view> aggregation_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, function] : aggregations()) names.push_back(name);
  return names;
}

bool is_aggregation(std::string_view name) { return aggregations().contains(name); }

bool aggregation_fits(const task::MetricSetting& setting) {
  const std::set<std::string_view> texts = {"bleu", "chrf", "chrf++", "ter"};
  const std::set<std::string_view> weighted = {"weighted_perplexity", "bits_per_byte"};
  const bool text_metric = texts.contains(setting.metric);
  const bool text_aggregation = texts.contains(setting.aggregation);
  if (text_metric || text_aggregation) return text_metric && text_aggregation;
  if (weighted.contains(setting.aggregation)) return setting.metric != "acc";
  if (setting.aggregation == "eq_bench_total") return setting.metric == "eqbench";
  return setting.metric != "likelihood";
}

Result<Estimate> aggregate(const task::MetricSetting& metric, const Values& values) {
  const auto found = aggregations().find(metric.aggregation);
  if (found == aggregations().end()) {
    return fail(ErrorCode::kUnsupported, "aggregation '" + metric.aggregation + "' is not known");
  }
  if (values.empty()) return bad("metric '" + metric.metric + "' has no value of any item");
  auto result = found->second(values);
  if (!result) return fail(std::move(result.error()).with_context("metric " + metric.metric));
  return result;
}

}  // namespace crucible::metric
