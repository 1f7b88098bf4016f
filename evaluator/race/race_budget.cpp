#include <algorithm>

#include "evaluator/race/race.hpp"

// Who may answer how many items.
namespace crucible::race {

double Race::cost_between(const Runner& runner, std::size_t first, std::size_t last) const {
  const double items = cost_before_[last] - cost_before_[first];
  return runner.contender.cost_factor * items + (first == 0 ? runner.contender.cost_to_start : 0.0);
}

bool Race::can_afford(std::span<const std::size_t> runners, std::size_t items) const {
  std::size_t evaluations = promised_evaluations_;
  double cost = promised_cost_;
  for (const std::size_t r : runners) {
    evaluations += items - runners_[r].target;
    cost += cost_between(runners_[r], runners_[r].target, items);
  }
  return evaluations <= config_.max_evaluations.value_or(evaluations) &&
         cost <= config_.max_cost.value_or(cost);
}

// Raises the runner's target if the budget allows it.
bool Race::admit(std::size_t runner, std::size_t items) {
  if (!can_afford({&runner, 1}, items)) return false;
  Runner& admitted = runners_[runner];
  promised_evaluations_ += items - admitted.target;
  promised_cost_ += cost_between(admitted, admitted.target, items);
  admitted.target = items;
  return true;
}

// `items` becomes the frontier, for these.
void Race::visit(std::size_t items, std::span<const std::size_t> runners) {
  blocks_.extend_to(items);
  visited_.push_back(items);
  for (const std::size_t r : runners) admit(r, items);
}

// Those who may go on get their work: to the next rung, or as far as the budget reaches. False if
// it is spent.
bool Race::open_rung() {
  const std::size_t begin = frontier();
  const std::vector<std::size_t> chosen = config_.narrow ? narrowed() : remaining();
  std::size_t last = *std::ranges::upper_bound(config_.rungs, begin);
  while (last > begin && !can_afford(chosen, last)) --last;
  if (last == begin) return false;
  for (const std::size_t r : remaining()) {
    if (!std::ranges::count(chosen, r)) runners_[r].standing = Standing::kSetAside;
  }
  visit(last, chosen);
  return true;
}

// All, if the budget takes them through all items. Otherwise without those who are probably behind
// the leader, but for one contender that is no reference.
std::vector<std::size_t> Race::narrowed() const {
  std::vector<std::size_t> ranked = by_estimate(frontier());
  const std::size_t best = ranked.front();
  std::size_t candidates = 0;
  std::vector<std::size_t> kept;
  for (std::size_t k = 0; k < ranked.size(); ++k) {
    const bool reference = runners_[ranked[k]].contender.reference;
    const PairedLead behind = lead(best, ranked[k]);
    const bool close = behind.difference <= kTwoSided95 * behind.error;
    if (reference || close || candidates == 0) kept.push_back(ranked[k]);
    candidates += !reference;
  }
  return can_afford(ranked, order_.size()) ? ranked : kept;
}

}  // namespace crucible::race
