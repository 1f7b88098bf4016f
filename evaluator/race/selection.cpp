#include "evaluator/race/selection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "evaluator/stats/paired.hpp"

namespace crucible::race {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLevel = 0.05;

// Items of one stratum, its clusters numbered from 0.
struct Stratum {
  std::vector<double> scores;
  std::vector<double> weights;
  std::vector<std::size_t> clusters;
};

std::vector<Stratum> by_stratum(const ItemSet& set, std::span<const double> scores) {
  std::vector<Stratum> strata(stratum_weights(set.items).size());
  std::vector<std::map<std::size_t, std::size_t>> numbers(strata.size());
  for (std::size_t i = 0; i < set.items.size(); ++i) {
    const std::size_t s = set.items[i].stratum;
    strata[s].scores.push_back(scores[i]);
    strata[s].weights.push_back(set.items[i].weight);
    strata[s].clusters.push_back(
        numbers[s].try_emplace(set.clusters[i], numbers[s].size()).first->second);
  }
  return strata;
}

double weighted_mean(const Stratum& stratum) {
  double sum = 0;
  double weight = 0;
  for (std::size_t i = 0; i < stratum.scores.size(); ++i) {
    sum += stratum.weights[i] * stratum.scores[i];
    weight += stratum.weights[i];
  }
  return sum / weight;
}

// Of the weighted mean, by its linearisation: each item's influence on it, over n.
stats::Interval linearised(const Stratum& stratum, double mean, double confidence) {
  const std::size_t clusters = stats::count_clusters(stratum.clusters).clusters;
  if (clusters < 2) return {kNaN, kNaN};
  double weight = 0;
  for (const double one : stratum.weights) weight += one;
  const auto n = static_cast<double>(stratum.scores.size());
  std::vector<double> influence;
  for (std::size_t i = 0; i < stratum.scores.size(); ++i) {
    influence.push_back(n * stratum.weights[i] / weight * (stratum.scores[i] - mean));
  }
  return stats::student(mean, stats::cluster_standard_error(influence, stratum.clusters),
                        clusters - 1, confidence);
}

stats::Interval stratum_interval(const Stratum& stratum, double mean) {
  const stats::ClusterCount count = stats::count_clusters(stratum.clusters);
  const auto is = [&](double value) {
    return std::ranges::count(stratum.scores, value) ==
           static_cast<std::ptrdiff_t>(stratum.scores.size());
  };
  if (is(0.0)) return stats::wilson(0, count.clusters);
  if (is(1.0)) return stats::wilson(count.clusters, count.clusters);
  const bool binary =
      std::ranges::all_of(stratum.scores, [](double s) { return s == 0 || s == 1; });
  const auto [lightest, heaviest] = std::ranges::minmax(stratum.weights);
  if (binary && !count.shared && lightest == heaviest) {
    const auto hits = static_cast<std::size_t>(std::ranges::count(stratum.scores, 1.0));
    return stats::wilson(hits, stratum.scores.size());
  }
  const stats::Interval interval = linearised(stratum, mean, stats::kConfidence);
  return {interval.low < 0 ? 0 : interval.low, interval.high > 1 ? 1 : interval.high};
}

// Strata's intervals around their means, combined by half-widths (MOVER).
template <typename IntervalOf>
ReportedScore combine(const ItemSet& set, std::span<const double> scores,
                      const IntervalOf& interval_of) {
  const std::vector<double> weights = stratum_weights(set.items);
  const std::vector<Stratum> strata = by_stratum(set, scores);
  double score = 0;
  double below = 0;
  double above = 0;
  for (std::size_t s = 0; s < strata.size(); ++s) {
    if (strata[s].scores.empty()) continue;
    const double mean = weighted_mean(strata[s]);
    const stats::Interval interval = interval_of(strata[s], mean);
    score += weights[s] * mean;
    below += std::pow(weights[s] * (mean - interval.low), 2);
    above += std::pow(weights[s] * (interval.high - mean), 2);
  }
  return {score, {score - std::sqrt(below), score + std::sqrt(above)}};
}

// Of a resample; NaN where a stratum was not drawn.
double resampled_mean(const ItemSet& set, std::span<const double> weights,
                      std::span<const double> scores, std::span<const std::uint32_t> times) {
  std::vector<double> sums(weights.size(), 0.0);
  std::vector<double> drawn(weights.size(), 0.0);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double weight = set.items[i].weight * times[i];
    sums[set.items[i].stratum] += weight * scores[i];
    drawn[set.items[i].stratum] += weight;
  }
  double mean = 0;
  for (std::size_t s = 0; s < weights.size(); ++s) {
    if (weights[s] > 0) mean += weights[s] * sums[s] / drawn[s];
  }
  return mean;
}

// Standard error of what the estimates do not have in common: each candidate's differences from
// the candidates' mean, item by item.
double specific_deviation(const ItemSet& set, std::span<const double> weights,
                          std::span<const std::vector<double>> scores) {
  const auto m = static_cast<double>(scores.size());
  const std::size_t items = set.items.size();
  std::vector<double> common(items, 0.0);
  for (const std::vector<double>& row : scores) {
    for (std::size_t i = 0; i < items; ++i) common[i] += row[i] / m;
  }
  std::vector<double> counts(weights.size(), 0.0);
  for (const RaceItem& item : set.items) ++counts[item.stratum];
  double variance = 0;
  for (const std::vector<double>& row : scores) {
    std::vector<double> sums(weights.size(), 0.0);
    std::vector<double> squares(weights.size(), 0.0);
    for (std::size_t i = 0; i < items; ++i) {
      const double own = row[i] - common[i];
      sums[set.items[i].stratum] += own;
      squares[set.items[i].stratum] += own * own;
    }
    for (std::size_t s = 0; s < weights.size(); ++s) {
      if (counts[s] == 0) continue;
      const double spread = squares[s] - sums[s] * sums[s] / counts[s];
      variance += weights[s] * weights[s] * spread / (counts[s] * counts[s]);
    }
  }
  return scores.size() < 2 ? 0 : std::sqrt(variance / (m - 1));
}

struct Discordance {
  std::size_t wins = 0;
  std::size_t losses = 0;
  std::size_t clusters = 0;  // with any
};

Discordance count_discordant(const ItemSet& set, std::span<const double> a,
                             std::span<const double> b) {
  Discordance counts;
  std::set<std::size_t> clusters;
  for (std::size_t i = 0; i < a.size(); ++i) {
    counts.wins += a[i] > b[i];
    counts.losses += a[i] < b[i];
    if (a[i] != b[i]) clusters.insert(set.clusters[i]);
  }
  counts.clusters = clusters.size();
  return counts;
}

// Interval and probability only.
ParentVerdict resample(const ItemSet& set, std::span<const double> differences, double confidence,
                       std::size_t resamples, std::uint64_t seed) {
  const std::vector<double> weights = stratum_weights(set.items);
  double ahead = 0;
  std::size_t count = 0;
  const auto statistic = [&](std::span<const std::uint32_t> times) {
    const double difference = resampled_mean(set, weights, differences, times);
    if (std::isfinite(difference)) {
      ahead += difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
      ++count;
    }
    return difference;
  };
  ParentVerdict found;
  found.interval = stats::bootstrap(set.clusters, statistic, resamples, seed, confidence).interval;
  if (count > 0) found.probability_better = ahead / static_cast<double>(count);
  return found;
}

stats::Interval hull(const stats::Interval& a, const stats::Interval& b) {
  const double sum = a.low + a.high + b.low + b.high;
  if (std::isnan(sum)) return {kNaN, kNaN};
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

Verdict decide(const ParentVerdict& found, std::size_t discordant, double level) {
  if (stats::exact_mcnemar(discordant, 0) >= level) return Verdict::kNoDetectableDifference;
  if (found.interval.low > 0) return Verdict::kBeats;
  if (found.interval.high < 0) return Verdict::kWorse;
  return Verdict::kNoDetectableDifference;
}

}  // namespace

ReportedScore report_score(const ItemSet& set, std::span<const double> scores) {
  return combine(set, scores, stratum_interval);
}

Inflation expected_inflation(const ItemSet& set, std::span<const std::vector<double>> scores,
                             std::size_t resamples, std::uint64_t seed) {
  const std::vector<double> weights = stratum_weights(set.items);
  std::vector<double> means;
  for (const std::vector<double>& row : scores) {
    means.push_back(estimate_mean(set.items, weights, row));
  }
  double sum = 0;
  std::size_t count = 0;
  const auto statistic = [&](std::span<const std::uint32_t> times) {
    double best = -std::numeric_limits<double>::infinity();
    double optimism = kNaN;
    for (std::size_t c = 0; c < scores.size(); ++c) {
      const double mean = resampled_mean(set, weights, scores[c], times);
      if (!(mean > best)) continue;
      best = mean;
      optimism = mean - means[c];
    }
    if (std::isfinite(optimism)) {
      sum += optimism;
      ++count;
    }
    return optimism;
  };
  stats::bootstrap(set.clusters, statistic, resamples, seed);
  const double sd = specific_deviation(set, weights, scores);
  const auto m = static_cast<double>(scores.size());
  return {count == 0 ? kNaN : sum / static_cast<double>(count), sd * std::sqrt(2 * std::log(m)), sd,
          scores.size()};
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kBeats:
      return "beats";
    case Verdict::kWorse:
      return "worse";
    case Verdict::kNoDetectableDifference:
      return "no detectable difference";
  }
  return "";
}

std::vector<ParentVerdict> against_parents(const ItemSet& set, std::span<const double> winner,
                                           std::span<const std::vector<double>> parents,
                                           std::size_t resamples, std::uint64_t seed) {
  const double level = kLevel / static_cast<double>(std::max<std::size_t>(parents.size(), 1));
  std::vector<ParentVerdict> verdicts;
  for (const std::vector<double>& parent : parents) {
    std::vector<double> differences;
    for (std::size_t i = 0; i < winner.size(); ++i) differences.push_back(winner[i] - parent[i]);
    ParentVerdict found = resample(set, differences, 1 - level, resamples, seed);
    const ReportedScore student = combine(
        set, differences,
        [&](const Stratum& stratum, double mean) { return linearised(stratum, mean, 1 - level); });
    found.difference = student.score;
    found.interval = hull(found.interval, student.interval);
    const Discordance counts = count_discordant(set, winner, parent);
    found.wins = counts.wins;
    found.losses = counts.losses;
    found.verdict = decide(found, counts.clusters, level);
    verdicts.push_back(found);
  }
  return verdicts;
}

}  // namespace crucible::race
