#pragma once

#include <cstddef>
#include <span>
#include <string_view>

// Metrics of multiple-choice items and their aggregation, as lm-evaluation-harness 0.4 defines
// them. Pure functions.
namespace crucible::metric {

// Unicode code points of valid UTF-8: what acc_norm divides by.
std::size_t code_points(std::string_view utf8);

// Index of the largest value; the first one wins ties. `values` must not be empty.
std::size_t argmax(std::span<const double> values);
// The same over values[i] / lengths[i]; lengths are above 0.
std::size_t argmax_normalised(std::span<const double> values, std::span<const std::size_t> lengths);

// A mean with its standard error: sample standard deviation (n - 1) / sqrt(n).
struct Estimate {
  double value = 0;
  double stderr_ = 0;  // NaN for n = 1
};

// `hits` is not empty.
Estimate mean(std::span<const double> hits);
// Unweighted mean of independent estimates: stderr is sqrt(sum of squares) / k.
Estimate mean_of(std::span<const Estimate> estimates);

}  // namespace crucible::metric
