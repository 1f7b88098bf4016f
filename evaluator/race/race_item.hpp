#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace crucible::race {

// One item of the objective, which is the weighted mean of the items' scores. Items of a stratum (a
// suite) are in random order, how strata alternate is fixed.
struct RaceItem {
  std::size_t stratum = 0;
  double weight = 1;  // > 0; need not sum to 1
  double cost = 1;    // of one evaluation, in any unit; >= 0
};

// Weight of each stratum, all together 1.
std::vector<double> stratum_weights(std::span<const RaceItem> items);

// Estimate of the objective from the first scores.size() items of a race's order: mean over strata
// of their weighted means, by `weights` as stratum_weights gives them for all items. Strata without
// items yet do not count. NaN without items.
double estimate_mean(std::span<const RaceItem> items, std::span<const double> weights,
                     std::span<const double> scores);

}  // namespace crucible::race
