#pragma once

#include <vector>

#include "server/sampler/random.hpp"
#include "server/sampler/space.hpp"
#include "server/sampler/specification.hpp"

// How NSGA-II makes children, in the unit cube.
namespace crucible::server::sampler {

// One coordinate of two parents, recombined by bounded simulated binary crossover (Deb and Agrawal
// 1995; Deb et al. 2002): `level` in [0, 1) picks the spread. The first child lies on the side of
// the smaller parent.
struct ChildPair {
  double lower = 0;
  double upper = 0;
};
ChildPair cross_over(double a, double b, double eta, double level);

// Bounded polynomial mutation (Deb and Goyal 1996): `level` in [0, 1), 0.5 leaves x as it is.
double mutate(double x, double eta, double level);

// Two children of two parents. With crossover_probability every coordinate is recombined with
// probability one half, and each of its two values goes to either child; a choice is swapped
// instead. Then each child is, with mutation_probability, mutated in each coordinate with
// probability min(1/2, 1/n); a choice takes any value. Integers are snapped to their cells.
struct Children {
  std::vector<double> first;
  std::vector<double> second;
};
Children make_children(const SearchSpace& space, const Nsga2Settings& settings,
                       std::vector<double> a, std::vector<double> b, Random& random);

}  // namespace crucible::server::sampler
