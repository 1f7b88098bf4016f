#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

// How sure a score is: standard errors and 95 % intervals. Pure functions; random ones draw from a
// generator of their own with a seed, and give the same bytes on every machine.
namespace crucible::stats {

inline constexpr double kConfidence = 0.95;
inline constexpr std::uint64_t kSeed = 1234;
inline constexpr std::size_t kResamples = 2000;

struct Interval {
  double low = 0;
  double high = 0;
};

// Of a proportion of `hits` in `trials` > 0 (Wilson 1927): stays inside [0, 1] and says something
// at 0 and 1, where the normal interval collapses.
Interval wilson(std::size_t hits, std::size_t trials, double confidence = kConfidence);

// value ± z·standard error. NaN ends where the error is NaN.
Interval normal(double value, double standard_error, double confidence = kConfidence);
// value ± t·standard error, with `degrees` > 0 degrees of freedom.
Interval student(double value, double standard_error, std::size_t degrees,
                 double confidence = kConfidence);

// Numbers 0, 1, … for equal names; an empty name is a cluster of its own.
std::vector<std::size_t> number_clusters(std::span<const std::string_view> names);
// How many there are, and whether any holds two values.
struct ClusterCount {
  std::size_t clusters = 0;
  bool shared = false;
};
ClusterCount count_clusters(std::span<const std::size_t> clusters);

// Of a mean whose values depend on each other inside a cluster: square root of the sum over
// clusters of squared sums of residuals, over n (Miller 2024, "Adding error bars to evals",
// section 2.2; the sandwich estimate without a small-sample factor). `clusters` are as
// number_clusters gives them.
double cluster_standard_error(std::span<const double> values,
                              std::span<const std::size_t> clusters);

// A statistic of a resample: how often each item was drawn, by item.
using Statistic = std::function<double(std::span<const std::uint32_t> times_drawn)>;

// Percentile bootstrap that draws whole clusters with replacement (items, where each is its own);
// percentiles interpolate linearly. Resamples whose statistic is not finite are left out.
struct Bootstrap {
  Interval interval;
  double standard_error = 0;  // sample standard deviation of the replicates
};
Bootstrap bootstrap(std::span<const std::size_t> clusters, const Statistic& statistic,
                    std::size_t resamples = kResamples, std::uint64_t seed = kSeed,
                    double confidence = kConfidence);
// The same for a mean.
Bootstrap bootstrap_mean(std::span<const double> values, std::span<const std::size_t> clusters,
                         std::size_t resamples = kResamples, std::uint64_t seed = kSeed,
                         double confidence = kConfidence);

}  // namespace crucible::stats
