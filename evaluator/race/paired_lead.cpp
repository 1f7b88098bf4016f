#include "evaluator/race/paired_lead.hpp"

#include <cmath>
#include <limits>

namespace crucible::race {
namespace {

struct Sums {
  double items = 0;
  double seen = 0;
  double sum = 0;
  double squares = 0;
};

}  // namespace

PairedLead paired_lead(std::span<const RaceItem> items, std::span<const double> weights,
                       std::span<const double> a, std::span<const double> b) {
  std::vector<Sums> strata(weights.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    Sums& sums = strata[items[i].stratum];
    ++sums.items;
    if (i >= a.size()) continue;
    const double difference = a[i] - b[i];
    ++sums.seen;
    sums.sum += difference;
    sums.squares += difference * difference;
  }
  double now = 0;
  double on_all = 0;
  for (std::size_t s = 0; s < strata.size(); ++s) {
    const Sums& sums = strata[s];
    if (sums.items == 0) continue;
    if (sums.seen == 0) now = on_all = std::numeric_limits<double>::infinity();
    if (std::isinf(now)) break;
    const double variance = (sums.squares - sums.sum * sums.sum / sums.seen + 1) / sums.seen;
    const double share = weights[s] * weights[s] * variance;
    now += share * (1 / sums.seen - 1 / sums.items);
    on_all += share / sums.items;
  }
  const double difference = estimate_mean(items, weights, a) - estimate_mean(items, weights, b);
  return {difference, std::sqrt(now), std::sqrt(on_all)};
}

}  // namespace crucible::race
