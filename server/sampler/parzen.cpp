#include "server/sampler/parzen.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "server/sampler/normal.hpp"

namespace crucible::server::sampler {
namespace {

constexpr std::size_t kFullWeight = 25;  // so many of the youngest observations weigh one

// The observations' weights rise evenly from 1/n to 1 and stay there; the prior weighs one.
std::vector<double> kernel_weights(std::size_t observations) {
  std::vector<double> weights(observations + 1, 1);
  if (observations >= kFullWeight) {
    const std::size_t ramp = observations - kFullWeight;
    const double first = 1 / static_cast<double>(observations);
    for (std::size_t i = 0; i < ramp; ++i) {
      const double t = ramp == 1 ? 0 : static_cast<double>(i) / static_cast<double>(ramp - 1);
      weights[i] = std::lerp(first, 1.0, t);
    }
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& w : weights) w /= sum;
  return weights;
}

// Every centre's larger gap to its neighbours; the bounds count as neighbours only of a lone one.
std::vector<double> gaps(const std::vector<double>& centres) {
  const std::size_t n = centres.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return centres[i]; });
  std::vector<double> widths(n);
  for (std::size_t k = 0; k < n; ++k) {
    const double here = centres[order[k]];
    const double left = k > 0 ? here - centres[order[k - 1]] : n == 1 ? here : 0;
    const double right = k + 1 < n ? centres[order[k + 1]] - here : n == 1 ? 1 - here : 0;
    widths[order[k]] = std::max(left, right);
  }
  return widths;
}

}  // namespace

ParzenEstimator::ParzenEstimator(const SearchSpace& space,
                                 const std::vector<std::vector<double>>& observations)
    : space_(space), weights_(kernel_weights(observations.size())) {
  for (std::size_t i = 0; i < space.size(); ++i) {
    std::vector<double> units;
    for (const std::vector<double>& observation : observations) units.push_back(observation[i]);
    const bool choice = space.dimensions()[i].kind == Dimension::Kind::kChoice;
    dimensions_.push_back(choice ? choice_kernels(i, units) : number_kernels(std::move(units)));
  }
}

ParzenEstimator::Kernels ParzenEstimator::number_kernels(std::vector<double> centres) const {
  Kernels kernels;
  kernels.widths = gaps(centres);
  const auto count = static_cast<double>(centres.size() + 1);
  for (double& width : kernels.widths) {
    width = std::clamp(width, 1 / std::min(100.0, 1 + count), 1.0);
  }
  kernels.centres = std::move(centres);
  kernels.centres.push_back(0.5);
  kernels.widths.push_back(1);
  for (std::size_t k = 0; k < kernels.centres.size(); ++k) {
    const double centre = kernels.centres[k];
    const double width = kernels.widths[k];
    kernels.log_masses.push_back(log_normal_mass(-centre / width, (1 - centre) / width));
  }
  return kernels;
}

ParzenEstimator::Kernels ParzenEstimator::choice_kernels(std::size_t dimension,
                                                         const std::vector<double>& units) const {
  Kernels kernels;
  const auto values = static_cast<double>(space_.values(dimension));
  for (const double unit : units) {
    const double cell = std::floor(unit * values);
    kernels.chosen.push_back(static_cast<std::size_t>(std::clamp(cell, 0.0, values - 1)));
  }
  const double uniform = 1 / static_cast<double>(units.size() + 1);
  kernels.other_probability = uniform / (1 + uniform * values);
  kernels.chosen_probability = (1 + uniform) / (1 + uniform * values);
  return kernels;
}

std::vector<double> ParzenEstimator::sample(Random& random) const {
  double rest = random.uniform();
  std::size_t kernel = 0;
  while (kernel + 1 < weights_.size() && rest >= weights_[kernel]) rest -= weights_[kernel++];
  std::vector<double> unit(dimensions_.size());
  for (std::size_t i = 0; i < unit.size(); ++i) unit[i] = sample_coordinate(i, kernel, random);
  return unit;
}

double ParzenEstimator::sample_coordinate(std::size_t dimension, std::size_t kernel,
                                          Random& random) const {
  const Kernels& kernels = dimensions_[dimension];
  double u = random.uniform();
  if (space_.dimensions()[dimension].kind == Dimension::Kind::kChoice) {
    // With what the observed value has over the others it is taken; else all are equally likely.
    if (kernel < kernels.chosen.size()) {
      const double excess = kernels.chosen_probability - kernels.other_probability;
      const auto values = static_cast<double>(space_.values(dimension));
      if (u < excess) return (static_cast<double>(kernels.chosen[kernel]) + 0.5) / values;
      u = (u - excess) / (1 - excess);
    }
    return space_.snap(dimension, u);
  }
  const double centre = kernels.centres[kernel];
  const double width = kernels.widths[kernel];
  const double low = normal_cdf(-centre / width);
  const double high = normal_cdf((1 - centre) / width);
  const double level = std::clamp(std::lerp(low, high, u), 1e-300, 1 - 0x1p-53);
  const double x = centre + width * normal_quantile(level);
  return space_.snap(dimension, std::clamp(x, 0.0, 1.0));
}

void ParzenEstimator::add_log_densities(std::size_t dimension, double unit,
                                        std::vector<double>& sums) const {
  const Kernels& kernels = dimensions_[dimension];
  if (space_.dimensions()[dimension].kind == Dimension::Kind::kChoice) {
    const auto values = static_cast<double>(space_.values(dimension));
    const auto value = static_cast<std::size_t>(std::clamp(unit * values, 0.0, values - 1));
    const double chosen = std::log(kernels.chosen_probability);
    const double other = std::log(kernels.other_probability);
    for (std::size_t k = 0; k + 1 < sums.size(); ++k) {
      sums[k] += kernels.chosen[k] == value ? chosen : other;
    }
    sums.back() -= std::log(values);
    return;
  }
  const bool discrete = space_.discrete(dimension);
  const SearchSpace::Cell cell =
      discrete ? space_.cell(dimension, unit) : SearchSpace::Cell{unit, unit};
  if (discrete && !(cell.right > cell.left)) return;  // one value only
  const double half_log_two_pi = std::log(2 * std::numbers::pi) / 2;
  for (std::size_t k = 0; k < sums.size(); ++k) {
    const double centre = kernels.centres[k];
    const double width = kernels.widths[k];
    if (discrete) {
      sums[k] += log_normal_mass((cell.left - centre) / width, (cell.right - centre) / width);
    } else {
      const double z = (unit - centre) / width;
      sums[k] -= z * z / 2 + half_log_two_pi + std::log(width);
    }
    sums[k] -= kernels.log_masses[k];
  }
}

double ParzenEstimator::log_density(const std::vector<double>& unit) const {
  std::vector<double> sums(weights_.size());
  std::ranges::transform(weights_, sums.begin(), [](double w) { return std::log(w); });
  for (std::size_t i = 0; i < dimensions_.size(); ++i) add_log_densities(i, unit[i], sums);
  const double largest = std::ranges::max(sums);
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (const double s : sums) sum += std::exp(s - largest);
  return largest + std::log(sum);
}

}  // namespace crucible::server::sampler
