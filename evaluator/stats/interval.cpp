#include "evaluator/stats/interval.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace crucible::stats {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double normal_quantile(double confidence) {
  return boost::math::quantile(boost::math::normal_distribution<double>(), (1 + confidence) / 2);
}

// Uniform below `bound` < 2^32; the bias of the multiplication is under bound / 2^32.
std::size_t draw_below(std::mt19937_64& generator, std::size_t bound) {
  return static_cast<std::size_t>(((generator() >> 32U) * bound) >> 32U);
}

// Of sorted values, with linear interpolation between neighbours (numpy's default).
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double sample_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return kNaN;
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Bootstrap summarise(std::vector<double> replicates, double confidence) {
  if (replicates.empty()) return {{kNaN, kNaN}, kNaN};
  const double deviation = sample_deviation(replicates);
  std::ranges::sort(replicates);
  const double tail = (1 - confidence) / 2;
  return {{percentile(replicates, tail), percentile(replicates, 1 - tail)}, deviation};
}

}  // namespace

Interval wilson(std::size_t hits, std::size_t trials, double confidence) {
  const double z = normal_quantile(confidence);
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(hits) / n;
  const double scale = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / scale;
  const double half = z / scale * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {hits == 0 ? 0.0 : std::max(0.0, centre - half),
          hits == trials ? 1.0 : std::min(1.0, centre + half)};
}

Interval normal(double value, double standard_error, double confidence) {
  const double half = normal_quantile(confidence) * standard_error;
  return {value - half, value + half};
}

Interval student(double value, double standard_error, std::size_t degrees, double confidence) {
  if (!std::isfinite(standard_error)) return {kNaN, kNaN};
  const boost::math::students_t_distribution<double> t(static_cast<double>(degrees));
  const double half = boost::math::quantile(t, (1 + confidence) / 2) * standard_error;
  return {value - half, value + half};
}

std::vector<std::size_t> number_clusters(std::span<const std::string_view> names) {
  std::map<std::string_view, std::size_t> known;
  std::vector<std::size_t> numbers;
  numbers.reserve(names.size());
  std::size_t next = 0;
  for (const std::string_view name : names) {
    if (name.empty()) {
      numbers.push_back(next++);
      continue;
    }
    const auto [place, is_new] = known.emplace(name, next);
    if (is_new) ++next;
    numbers.push_back(place->second);
  }
  return numbers;
}

ClusterCount count_clusters(std::span<const std::size_t> clusters) {
  if (clusters.empty()) return {};
  const std::size_t count = std::ranges::max(clusters) + 1;
  return {count, count < clusters.size()};
}

double cluster_standard_error(std::span<const double> values,
                              std::span<const std::size_t> clusters) {
  const auto n = static_cast<double>(values.size());
  if (count_clusters(clusters).clusters < 2) return kNaN;
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  std::vector<double> residuals(count_clusters(clusters).clusters, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) residuals[clusters[i]] += values[i] - mean;
  double squares = 0;
  for (const double residual : residuals) squares += residual * residual;
  return std::sqrt(squares) / n;
}

Bootstrap bootstrap(std::span<const std::size_t> clusters, const Statistic& statistic,
                    std::size_t resamples, std::uint64_t seed, double confidence) {
  const std::size_t count = count_clusters(clusters).clusters;
  if (count < 2) return {{kNaN, kNaN}, kNaN};
  std::mt19937_64 generator(seed);
  std::vector<double> replicates;
  std::vector<std::uint32_t> drawn(count);
  std::vector<std::uint32_t> times(clusters.size());
  for (std::size_t round = 0; round < resamples; ++round) {
    std::ranges::fill(drawn, 0U);
    for (std::size_t i = 0; i < count; ++i) ++drawn[draw_below(generator, count)];
    for (std::size_t i = 0; i < clusters.size(); ++i) times[i] = drawn[clusters[i]];
    const double replicate = statistic(times);
    if (std::isfinite(replicate)) replicates.push_back(replicate);
  }
  return summarise(std::move(replicates), confidence);
}

Bootstrap bootstrap_mean(std::span<const double> values, std::span<const std::size_t> clusters,
                         std::size_t resamples, std::uint64_t seed, double confidence) {
  struct Cluster {
    double sum = 0;
    std::uint64_t values = 0;
  };
  std::vector<Cluster> sums(count_clusters(clusters).clusters);
  if (sums.size() < 2) return {{kNaN, kNaN}, kNaN};
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[clusters[i]].sum += values[i];
    ++sums[clusters[i]].values;
  }
  std::mt19937_64 generator(seed);
  std::vector<double> replicates;
  for (std::size_t round = 0; round < resamples; ++round) {
    Cluster total;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const Cluster& drawn = sums[draw_below(generator, sums.size())];
      total.sum += drawn.sum;
      total.values += drawn.values;
    }
    replicates.push_back(total.sum / static_cast<double>(total.values));
  }
  return summarise(std::move(replicates), confidence);
}

}  // namespace crucible::stats
