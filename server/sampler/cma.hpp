#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <vector>

// The arithmetic of CMA-ES, apart from where its points come from and go to. Equation numbers are
// those of Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772.
namespace crucible::server::sampler {

// Strategy parameters by dimension n and population size, as in Table 1.
struct CmaParameters {
  CmaParameters(std::size_t dimensions, std::size_t population_size);

  std::size_t population;
  std::size_t parents;          // mu, of positive weight
  std::vector<double> weights;  // one a rank, best first; the later ones negative (active CMA)
  double mu_eff = 0;
  double c_sigma = 0;
  double d_sigma = 0;
  double c_c = 0;
  double c_1 = 0;
  double c_mu = 0;
  double chi_n = 0;  // expected norm of a standard normal vector
};

// The search distribution N(mean, sigma^2 C) and its two evolution paths.
struct CmaDistribution {
  CmaDistribution(Eigen::VectorXd start, double step);

  // C^(1/2) and C^(-1/2), both symmetric, so that no eigenvector's sign matters.
  struct Roots {
    Eigen::MatrixXd root;
    Eigen::MatrixXd inverse_root;
    double largest_deviation = 1;  // square root of C's largest eigenvalue
    double condition = 1;          // of C
  };
  Roots roots() const;

  // One generation's update, equations (39) to (47). `ranked` holds the points of the generation
  // that can be judged, best first; with fewer than the population the missing ones have no weight,
  // and the parents' weights are scaled to sum to one. Without a point nothing happens.
  void update(const CmaParameters& parameters, const std::vector<Eigen::VectorXd>& ranked);
  // Keeps coordinate i's deviation, sigma sqrt(C_ii), at `least` or more.
  void keep_deviation(Eigen::Index i, double least);

  Eigen::VectorXd mean;
  double sigma;
  Eigen::MatrixXd covariance;
  Eigen::VectorXd path_sigma;
  Eigen::VectorXd path_c;
  std::size_t generation = 0;
};

// From the whole line onto [0, 1]: the identity but within 0.05 of a bound, where it is a parabola
// that reaches the bound 0.05 beyond it, and periodic further out. So the optimum may lie on a
// bound and the distribution still be normal. This is pycma's "BoundTransform" for the unit
// interval.
double into_unit_interval(double x);
double from_unit_interval(double unit);  // one x that it maps to `unit`

}  // namespace crucible::server::sampler
