#include "server/sampler/gaussian_process.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace crucible::server::sampler {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// The grid, and the priors as mean and deviation of natural logarithms.
constexpr double kLeastLength = 0.05;
constexpr double kMostLength = 3;
constexpr int kLengths = 18;
constexpr double kLeastNoise = 1e-6;  // variance, relative to the signal's
constexpr double kMostNoise = 10;
constexpr int kNoises = 15;
constexpr double kLeastSignal = 0.05;  // variance, relative to the values'
constexpr double kMostSignal = 50;
constexpr int kSignals = 15;
constexpr double kPriorLength = 0.3;
constexpr double kPriorLengthDeviation = 0.8;
constexpr double kPriorNoise = 0.01;
constexpr double kPriorNoiseDeviation = 2.5;
constexpr double kPriorSignal = 1;
constexpr double kPriorSignalDeviation = 1.5;
constexpr double kJitter = 1e-9;

double matern(double distance, double length) {
  const double r = std::sqrt(5.0) * std::abs(distance) / length;
  return (1 + r + r * r / 3) * std::exp(-r);
}

MatrixXd correlations(const std::vector<double>& points, double length) {
  const auto n = static_cast<Index>(points.size());
  MatrixXd matrix(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      matrix(i, j) =
          matern(points[static_cast<std::size_t>(i)] - points[static_cast<std::size_t>(j)], length);
    }
  }
  return matrix;
}

// The i-th of `count` values evenly spaced in the logarithm.
double geometric(double least, double most, int count, int i) {
  return least * std::pow(most / least, static_cast<double>(i) / (count - 1));
}

double log_prior(double value, double centre, double deviation) {
  const double z = std::log(value / centre) / deviation;
  return -z * z / 2;
}

}  // namespace

GaussianProcess::GaussianProcess(std::vector<double> points, std::vector<double> values,
                                 std::span<const double> standard_errors)
    : points_(std::move(points)) {
  standardise(values);
  fit_ = best_fit(standard_errors);
  noise_deviation_ = std::sqrt(fit_.noise.mean());
  factorise();
}

void GaussianProcess::standardise(std::vector<double>& values) {
  values_ = Eigen::Map<const VectorXd>(values.data(), static_cast<Index>(values.size()));
  centre_ = values_.mean();
  values_.array() -= centre_;
  const double deviation = std::sqrt(values_.squaredNorm() / static_cast<double>(values_.size()));
  if (deviation > 0) scale_ = deviation;
  values_ /= scale_;
}

// The likelihood with the mean integrated out (REML). The noise is relative to the signal, whose
// variance is `known_signal` or, if that is 0, the most likely one.
GaussianProcess::Fit GaussianProcess::score(const MatrixXd& correlations,
                                            const VectorXd& relative_noise,
                                            double known_signal) const {
  MatrixXd matrix = correlations;
  matrix.diagonal() += relative_noise;
  matrix.diagonal().array() += kJitter;
  const Eigen::LLT<MatrixXd> factor(matrix);
  const VectorXd ones = VectorXd::Ones(values_.size());
  const VectorXd weighted = factor.solve(ones);
  const double information = ones.dot(weighted);
  const VectorXd residuals = values_ - weighted.dot(values_) / information * ones;
  const double squares = residuals.dot(factor.solve(residuals));
  const auto freedom = static_cast<double>(values_.size() - 1);
  const double signal = known_signal > 0 ? known_signal : std::max(squares / freedom, 1e-12);
  const double log_determinant = 2 * factor.matrixLLT().diagonal().array().log().sum();
  const double score =
      -(freedom * std::log(signal) + log_determinant + std::log(information) + squares / signal) /
      2;
  return {0, signal, signal * relative_noise, score};
}

GaussianProcess::Fit GaussianProcess::best_fit(std::span<const double> standard_errors) const {
  const bool known = !standard_errors.empty();
  VectorXd squared_errors(static_cast<Index>(standard_errors.size()));
  for (std::size_t i = 0; i < standard_errors.size(); ++i) {
    const double relative = standard_errors[i] / scale_;
    squared_errors[static_cast<Index>(i)] = relative * relative;
  }
  Fit best;
  best.score = -std::numeric_limits<double>::infinity();
  for (int i = 0; i < kLengths; ++i) {
    const double length = geometric(kLeastLength, kMostLength, kLengths, i);
    const MatrixXd matrix = correlations(points_, length);
    for (int j = 0; j < (known ? kSignals : kNoises); ++j) {
      Fit fit;
      if (known) {
        const double signal = geometric(kLeastSignal, kMostSignal, kSignals, j);
        fit = score(matrix, squared_errors / signal, signal);
        fit.score += log_prior(signal, kPriorSignal, kPriorSignalDeviation);
      } else {
        const double noise = geometric(kLeastNoise, kMostNoise, kNoises, j);
        fit = score(matrix, VectorXd::Constant(values_.size(), noise), 0);
        fit.score += log_prior(noise, kPriorNoise, kPriorNoiseDeviation);
      }
      fit.length = length;
      fit.score += log_prior(length, kPriorLength, kPriorLengthDeviation);
      if (fit.score > best.score || best.length == 0) best = std::move(fit);
    }
  }
  return best;
}

void GaussianProcess::factorise() {
  MatrixXd matrix = fit_.signal * correlations(points_, fit_.length);
  matrix.diagonal() += fit_.noise;
  matrix.diagonal().array() += kJitter * fit_.signal;
  factor_.compute(matrix);
  const VectorXd ones = VectorXd::Ones(values_.size());
  weighted_ones_ = factor_.solve(ones);
  mean_ = weighted_ones_.dot(values_) / weighted_ones_.sum();
  weighted_residuals_ = factor_.solve(values_ - mean_ * ones);
}

VectorXd GaussianProcess::covariances(double point) const {
  VectorXd result(values_.size());
  for (std::size_t i = 0; i < points_.size(); ++i) {
    result[static_cast<Index>(i)] = fit_.signal * matern(point - points_[i], fit_.length);
  }
  return result;
}

GaussianProcess::Estimate GaussianProcess::estimate(double point) const {
  const VectorXd k = covariances(point);
  const double mean = mean_ + k.dot(weighted_residuals_);
  const double missing = 1 - k.dot(weighted_ones_);  // what the mean's own uncertainty adds
  const double variance =
      fit_.signal - k.dot(factor_.solve(k)) + missing * missing / weighted_ones_.sum();
  return {centre_ + scale_ * mean, scale_ * std::sqrt(std::max(variance, 0.0))};
}

void GaussianProcess::imagine(double point) {
  const double value = (estimate(point).mean - centre_) / scale_;
  const Index n = values_.size();
  points_.push_back(point);
  values_.conservativeResize(n + 1);
  values_[n] = value;
  fit_.noise.conservativeResize(n + 1);
  fit_.noise[n] = noise_deviation_ * noise_deviation_;
  factorise();
}

}  // namespace crucible::server::sampler
