#pragma once

#include <cstddef>
#include <vector>

#include "server/sampler/sampler.hpp"

// Several objectives at once, all maximised.
namespace crucible::server::sampler {

using Objectives = std::vector<double>;

// a is nowhere worse than b and somewhere better.
bool dominates(const Objectives& a, const Objectives& b);

// Indices by front: the first holds what nothing dominates, the next what only earlier fronts do.
// Fast non-dominated sorting of Deb et al. (2002); every front ascending.
std::vector<std::vector<std::size_t>> non_dominated_fronts(const std::vector<Objectives>& points);

// The crowding distance of every member of one front (Deb et al. 2002): the mean over the
// objectives of the distance between its neighbours, as a fraction of the front's extent; infinite
// for a front's ends. Equal points are told apart only by their order.
std::vector<double> crowding_distances(const std::vector<Objectives>& front);

// The complete trials that no complete trial dominates, ascending. Works for any sampler.
std::vector<std::size_t> pareto_front(const std::vector<Trial>& trials);

}  // namespace crucible::server::sampler
