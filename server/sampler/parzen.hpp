#pragma once

#include <cstddef>
#include <vector>

#include "server/sampler/random.hpp"
#include "server/sampler/space.hpp"

namespace crucible::server::sampler {

// A Parzen estimator over the unit cube: a mixture with one product kernel an observation and a
// last, wide one, the prior. Numbers have normal kernels cut off at the bounds (for integers, their
// mass over a cell), of the width of the larger gap to a neighbouring observation, at least
// 1 / min(100, kernels + 1); choices have the observed value's one-hot vector plus a uniform part.
// The rules are those of Optuna 5's multivariate TPE.
class ParzenEstimator {
 public:
  // Observations in order of age, oldest first: of 25 or more the older weigh less.
  ParzenEstimator(const SearchSpace& space, const std::vector<std::vector<double>>& observations);

  std::vector<double> sample(Random& random) const;  // discrete coordinates snapped
  double log_density(const std::vector<double>& unit) const;

 private:
  // One dimension of all kernels; a number's centres and widths, or a choice's probabilities.
  struct Kernels {
    std::vector<double> centres;
    std::vector<double> widths;
    std::vector<double> log_masses;   // within the bounds
    std::vector<std::size_t> chosen;  // of a choice: observed values, the prior excluded
    double chosen_probability = 0;    // of the observed value
    double other_probability = 0;     // of each other value
  };

  Kernels number_kernels(std::vector<double> centres) const;
  Kernels choice_kernels(std::size_t dimension, const std::vector<double>& units) const;
  double sample_coordinate(std::size_t dimension, std::size_t kernel, Random& random) const;
  // Adds every kernel's log density of one coordinate.
  void add_log_densities(std::size_t dimension, double unit, std::vector<double>& sums) const;

  const SearchSpace& space_;
  std::vector<double> weights_;  // one a kernel, summing to one
  std::vector<Kernels> dimensions_;
};

}  // namespace crucible::server::sampler
