#include "server/sampler/cma.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <utility>

namespace crucible::server::sampler {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kMargin = 0.05;  // of the bounds' parabolas
// Eigenvalues below this fraction of the largest are rounding.
constexpr double kLeastEigenvalue = 1e-16;

double sum_between(const std::vector<double>& values, std::size_t first, std::size_t last) {
  double sum = 0;
  for (std::size_t i = first; i < last; ++i) sum += values[i];
  return sum;
}

double effective_mass(const std::vector<double>& values, std::size_t first, std::size_t last) {
  double squares = 0;
  for (std::size_t i = first; i < last; ++i) squares += values[i] * values[i];
  const double sum = sum_between(values, first, last);
  return squares > 0 ? sum * sum / squares : 0;
}

// The weights of the judged points: (49) to (53), cut to their number.
std::vector<double> weights_for(const CmaParameters& p, std::size_t judged) {
  std::vector<double> weights(p.weights.begin(),
                              p.weights.begin() + static_cast<std::ptrdiff_t>(judged));
  const std::size_t parents = std::min(p.parents, judged);
  const double sum = sum_between(weights, 0, parents);
  for (std::size_t i = 0; i < parents; ++i) weights[i] /= sum;
  return weights;
}

}  // namespace

CmaParameters::CmaParameters(std::size_t dimensions, std::size_t population_size)
    : population(population_size), parents(population_size / 2), weights(population_size) {
  const auto n = static_cast<double>(dimensions);
  for (std::size_t i = 0; i < population; ++i) {
    weights[i] =
        std::log((static_cast<double>(population) + 1) / 2) - std::log(static_cast<double>(i + 1));
  }
  mu_eff = effective_mass(weights, 0, parents);
  const double mu_eff_minus = effective_mass(weights, parents, population);
  c_sigma = (mu_eff + 2) / (n + mu_eff + 5);
  d_sigma = 1 + 2 * std::max(0.0, std::sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma;
  c_c = (4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n);
  c_1 = 2 / ((n + 1.3) * (n + 1.3) + mu_eff);
  c_mu = std::min(1 - c_1, 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((n + 2) * (n + 2) + mu_eff));
  chi_n = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));

  const double negative = std::min(
      {1 + c_1 / c_mu, 1 + 2 * mu_eff_minus / (mu_eff + 2), (1 - c_1 - c_mu) / (n * c_mu)});
  const double positive_sum = sum_between(weights, 0, parents);
  const double negative_sum = -sum_between(weights, parents, population);
  for (double& w : weights) w *= w >= 0 ? 1 / positive_sum : negative / negative_sum;
}

CmaDistribution::CmaDistribution(VectorXd start, double step)
    : mean(std::move(start)),
      sigma(step),
      covariance(MatrixXd::Identity(mean.size(), mean.size())),
      path_sigma(VectorXd::Zero(mean.size())),
      path_c(VectorXd::Zero(mean.size())) {}

CmaDistribution::Roots CmaDistribution::roots() const {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(covariance);
  const double largest = solver.eigenvalues().maxCoeff();
  const VectorXd values = solver.eigenvalues().cwiseMax(largest * kLeastEigenvalue);
  const MatrixXd& basis = solver.eigenvectors();
  const VectorXd deviations = values.cwiseSqrt();
  return {basis * deviations.asDiagonal() * basis.transpose(),
          basis * deviations.cwiseInverse().asDiagonal() * basis.transpose(), std::sqrt(largest),
          largest / values.minCoeff()};
}

void CmaDistribution::update(const CmaParameters& p, const std::vector<VectorXd>& ranked) {
  if (ranked.empty()) return;
  const auto n = static_cast<double>(mean.size());
  const MatrixXd inverse_root = roots().inverse_root;
  const std::vector<double> weights = weights_for(p, ranked.size());
  std::vector<VectorXd> steps;
  for (const VectorXd& x : ranked) steps.push_back((x - mean) / sigma);

  VectorXd mean_step = VectorXd::Zero(mean.size());
  for (std::size_t i = 0; i < std::min(p.parents, steps.size()); ++i) {
    mean_step += weights[i] * steps[i];
  }
  mean += sigma * mean_step;

  path_sigma = (1 - p.c_sigma) * path_sigma +
               std::sqrt(p.c_sigma * (2 - p.c_sigma) * p.mu_eff) * (inverse_root * mean_step);
  const double length = path_sigma.norm();
  ++generation;
  const double warm_up =
      std::sqrt(1 - std::pow(1 - p.c_sigma, 2 * static_cast<double>(generation)));
  const bool short_path = length / warm_up < (1.4 + 2 / (n + 1)) * p.chi_n;
  path_c *= 1 - p.c_c;
  if (short_path) path_c += std::sqrt(p.c_c * (2 - p.c_c) * p.mu_eff) * mean_step;

  double kept = 1 - p.c_1 + (short_path ? 0 : p.c_1 * p.c_c * (2 - p.c_c));
  MatrixXd learnt = p.c_1 * path_c * path_c.transpose();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    kept -= p.c_mu * weights[i];
    const double squared = (inverse_root * steps[i]).squaredNorm();
    const double weight = weights[i] >= 0 ? weights[i] : weights[i] * n / (squared + 1e-300);
    learnt += p.c_mu * weight * steps[i] * steps[i].transpose();
  }
  covariance = kept * covariance + learnt;
  covariance = ((covariance + covariance.transpose()) / 2).eval();
  sigma *= std::exp(std::min(1.0, p.c_sigma / p.d_sigma * (length / p.chi_n - 1)));
}

void CmaDistribution::keep_deviation(Index i, double least) {
  const double deviation = sigma * std::sqrt(covariance(i, i));
  if (!(deviation < least)) return;
  const double factor = least / deviation;
  covariance.row(i) *= factor;
  covariance.col(i) *= factor;
}

double into_unit_interval(double x) {
  constexpr double kHalf = 1 + 2 * kMargin;  // from one turning point to the next
  x = std::fmod(x + kMargin, 2 * kHalf);
  if (x < 0) x += 2 * kHalf;
  x = (x > kHalf ? 2 * kHalf - x : x) - kMargin;  // now in [-margin, 1 + margin]
  const double below = x + kMargin;
  const double above = 1 + kMargin - x;
  if (x < kMargin) x = below * below / (4 * kMargin);
  if (x > 1 - kMargin) x = 1 - above * above / (4 * kMargin);
  return std::clamp(x, 0.0, 1.0);
}

double from_unit_interval(double unit) {
  if (unit < kMargin) return 2 * std::sqrt(unit * kMargin) - kMargin;
  if (unit > 1 - kMargin) return 1 + kMargin - 2 * std::sqrt((1 - unit) * kMargin);
  return unit;
}

}  // namespace crucible::server::sampler
