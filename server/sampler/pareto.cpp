#include "server/sampler/pareto.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace crucible::server::sampler {

bool dominates(const Objectives& a, const Objectives& b) {
  bool better = false;
  for (std::size_t m = 0; m < a.size(); ++m) {
    if (a[m] < b[m]) return false;
    if (a[m] > b[m]) better = true;
  }
  return better;
}

std::vector<std::vector<std::size_t>> non_dominated_fronts(const std::vector<Objectives>& points) {
  std::vector<std::vector<std::size_t>> dominated(points.size());
  std::vector<std::size_t> dominators(points.size(), 0);
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t j = i + 1; j < points.size(); ++j) {
      const bool over = dominates(points[i], points[j]);
      if (!over && !dominates(points[j], points[i])) continue;
      dominated[over ? i : j].push_back(over ? j : i);
      ++dominators[over ? j : i];
    }
  }
  std::vector<std::vector<std::size_t>> fronts;
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (dominators[i] == 0) front.push_back(i);
  }
  while (!front.empty()) {
    std::vector<std::size_t> next;
    for (const std::size_t i : front) {
      for (const std::size_t j : dominated[i]) {
        if (--dominators[j] == 0) next.push_back(j);
      }
    }
    std::ranges::sort(next);
    fronts.push_back(std::exchange(front, std::move(next)));
  }
  return fronts;
}

std::vector<double> crowding_distances(const std::vector<Objectives>& front) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::size_t n = front.size();
  if (n <= 2) return std::vector<double>(n, kInfinity);
  std::vector<double> distances(n, 0);
  const std::size_t objectives = front.front().size();
  for (std::size_t m = 0; m < objectives; ++m) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return front[i][m]; });
    const double extent = front[order.back()][m] - front[order.front()][m];
    if (!(extent > 0)) continue;  // all are equal here: no one is an end
    distances[order.front()] = distances[order.back()] = kInfinity;
    for (std::size_t k = 1; k + 1 < n; ++k) {
      const double gap = front[order[k + 1]][m] - front[order[k - 1]][m];
      distances[order[k]] += gap / extent / static_cast<double>(objectives);
    }
  }
  return distances;
}

std::vector<std::size_t> pareto_front(const std::vector<Trial>& trials) {
  std::vector<std::size_t> complete;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].state == TrialState::kComplete) complete.push_back(i);
  }
  std::vector<std::size_t> front;
  for (const std::size_t i : complete) {
    const bool dominated = std::ranges::any_of(complete, [&](std::size_t j) {
      return dominates(trials[j].objectives, trials[i].objectives);
    });
    if (!dominated) front.push_back(i);
  }
  return front;
}

}  // namespace crucible::server::sampler
