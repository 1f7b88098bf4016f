#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <span>
#include <vector>

// A Gaussian process on the unit interval, for few, noisy points: Rasmussen and Williams, "Gaussian
// Processes for Machine Learning" (2006), sections 2.2, 2.7 and 5.4.
namespace crucible::server::sampler {

// Matern 5/2 covariance and an unknown constant mean. Length, signal and, where no standard errors
// are given, noise are the most probable a posteriori on a fixed grid, so a fit is deterministic.
// The priors are log-normal: length about 0.3 of the interval, noise about a tenth of the signal's
// deviation, both wide.
class GaussianProcess {
 public:
  struct Estimate {
    double mean = 0;
    double deviation = 0;  // of the noise-free function
  };

  // At least three points. `standard_errors` is empty (unknown, equal noise) or one a value.
  GaussianProcess(std::vector<double> points, std::vector<double> values,
                  std::span<const double> standard_errors);

  Estimate estimate(double point) const;
  // As if `point` had been seen with its present mean: the mean stays, the deviation shrinks.
  void imagine(double point);
  double noise() const { return noise_deviation_ * scale_; }  // root mean square

 private:
  struct Fit {
    double length = 0;
    double signal = 0;      // variance
    Eigen::VectorXd noise;  // variance of each value
    double score = 0;
  };

  void standardise(std::vector<double>& values);
  Fit score(const Eigen::MatrixXd& correlations, const Eigen::VectorXd& relative_noise,
            double known_signal) const;
  Fit best_fit(std::span<const double> standard_errors) const;
  Eigen::VectorXd covariances(double point) const;
  void factorise();

  std::vector<double> points_;
  Eigen::VectorXd values_;  // centred and scaled to variance one
  double centre_ = 0;
  double scale_ = 1;
  double noise_deviation_ = 0;  // in scaled units
  Fit fit_;
  Eigen::LLT<Eigen::MatrixXd> factor_;
  Eigen::VectorXd weighted_ones_;       // K^-1 1
  Eigen::VectorXd weighted_residuals_;  // K^-1 (y - mean)
  double mean_ = 0;
};

}  // namespace crucible::server::sampler
