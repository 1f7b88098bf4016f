#include "evaluator/metric/metric.hpp"

#include <cmath>
#include <limits>

namespace crucible::metric {

std::size_t code_points(std::string_view utf8) {
  std::size_t count = 0;
  for (const char byte : utf8) count += (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  return count;
}

std::size_t argmax(std::span<const double> values) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] > values[best]) best = i;
  }
  return best;
}

std::size_t argmax_normalised(std::span<const double> values,
                              std::span<const std::size_t> lengths) {
  const auto normalised = [&](std::size_t i) {
    return values[i] / static_cast<double>(lengths[i]);
  };
  std::size_t best = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (normalised(i) > normalised(best)) best = i;
  }
  return best;
}

Estimate mean(std::span<const double> hits) {
  const auto n = static_cast<double>(hits.size());
  double sum = 0;
  for (const double hit : hits) sum += hit;
  const double value = sum / n;
  if (hits.size() < 2) return {value, std::numeric_limits<double>::quiet_NaN()};
  double squares = 0;
  for (const double hit : hits) squares += (hit - value) * (hit - value);
  return {value, std::sqrt(squares / (n - 1)) / std::sqrt(n)};
}

Estimate mean_of(std::span<const Estimate> estimates) {
  const auto k = static_cast<double>(estimates.size());
  double sum = 0;
  double variance = 0;
  for (const Estimate& estimate : estimates) {
    sum += estimate.value;
    variance += estimate.stderr_ * estimate.stderr_;
  }
  return {sum / k, std::sqrt(variance) / k};
}

}  // namespace crucible::metric
