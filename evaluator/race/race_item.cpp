#include "evaluator/race/race_item.hpp"

#include <algorithm>

namespace crucible::race {

std::vector<double> stratum_weights(std::span<const RaceItem> items) {
  std::vector<double> weights;
  double total = 0;
  for (const RaceItem& item : items) {
    weights.resize(std::max(weights.size(), item.stratum + 1), 0.0);
    weights[item.stratum] += item.weight;
    total += item.weight;
  }
  for (double& weight : weights) weight /= total;
  return weights;
}

double estimate_mean(std::span<const RaceItem> items, std::span<const double> weights,
                     std::span<const double> scores) {
  std::vector<double> sums(weights.size(), 0.0);
  std::vector<double> seen(weights.size(), 0.0);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    sums[items[i].stratum] += items[i].weight * scores[i];
    seen[items[i].stratum] += items[i].weight;
  }
  double sum = 0;
  double covered = 0;
  for (std::size_t s = 0; s < weights.size(); ++s) {
    if (seen[s] <= 0) continue;
    sum += weights[s] * sums[s] / seen[s];
    covered += weights[s];
  }
  return sum / covered;
}

}  // namespace crucible::race
