#include "server/sampler/normal.hpp"

#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <numbers>

namespace crucible::server::sampler {
namespace {

using boost::math::policies::policy;
using boost::math::policies::promote_double;
constexpr policy<promote_double<false>> kDouble;

// Beyond this the asymptotic series replaces the logarithm of a number too small for a double.
constexpr double kFarTail = -35;

double log_cdf(double x) {
  if (x > kFarTail) return std::log(normal_cdf(x));
  const double square = x * x;
  const double r = 1 / square;
  const double series = 1 - r * (1 - r * (3 - r * (15 - r * 105)));
  return -square / 2 - std::log(-x) - std::log(2 * std::numbers::pi) / 2 + std::log(series);
}

}  // namespace

double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

double normal_cdf(double x) { return boost::math::erfc(-x / std::numbers::sqrt2, kDouble) / 2; }

double normal_quantile(double probability) {
  return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * probability, kDouble);
}

double log_normal_mass(double a, double b) {
  if (a > 0) return log_normal_mass(-b, -a);  // the left tail loses no digits
  if (b > 0) return std::log1p(-normal_cdf(a) - normal_cdf(-b));
  const double upper = log_cdf(b);
  return upper + std::log1p(-std::exp(log_cdf(a) - upper));
}

}  // namespace crucible::server::sampler
