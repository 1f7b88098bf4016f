#pragma once

// The standard normal distribution, in double precision only: the same on every machine whose
// mathematical library is the same.
namespace crucible::server::sampler {

double normal_density(double x);
double normal_cdf(double x);
double normal_quantile(double probability);  // probability strictly between 0 and 1

// log(cdf(b) - cdf(a)) for a < b, accurate far into either tail.
double log_normal_mass(double a, double b);

}  // namespace crucible::server::sampler
