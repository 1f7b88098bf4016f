#include <algorithm>
#include <cmath>

#include "evaluator/race/race.hpp"

// Who is out, and when it is over.
namespace crucible::race {
namespace {

// More would cost time and find little: those ahead of the eighth are ahead of everyone behind it.
constexpr std::size_t kOpponents = 8;
// Of alpha, for contenders beyond the planned number.
constexpr double kReserve = 0.1;

}  // namespace

// Until somebody has work to do, or there is nothing more to find out.
void Race::advance() {
  for (std::size_t r = 0; r < runners_.size(); ++r) catch_up(r);
  while (true) {
    state_ = RaceState::kOpen;
    const std::vector<std::size_t> racing = remaining();
    if (runners_.empty() || !all_work().empty()) return;
    if (racing.empty()) {
      state_ = RaceState::kBudgetSpent;
      return;
    }
    settle();
    if (const std::optional<RaceState> reason = stop_reason()) {
      state_ = *reason;
      return;
    }
    if (!open_rung()) {
      state_ = RaceState::kBudgetSpent;
      return;
    }
  }
}

// One that joined late stops at each rung that the others have passed.
void Race::catch_up(std::size_t number) {
  Runner& runner = runners_[number];
  const std::size_t seen = runner.scores.size();
  if (runner.standing != Standing::kRacing || seen < runner.target || seen >= frontier()) return;
  runner.eliminated_by = beaten_by(number, seen);
  if (runner.eliminated_by) {
    runner.standing = Standing::kEliminated;
  } else if (!admit(number, *std::ranges::upper_bound(visited_, seen))) {
    runner.standing = Standing::kSetAside;
  }
}

// All that are left are at the frontier: those who are certainly behind leave together.
void Race::settle() {
  const std::vector<std::size_t> racing = remaining();
  std::vector<std::optional<std::size_t>> winners;
  for (const std::size_t r : racing) winners.push_back(beaten_by(r, frontier()));
  for (std::size_t k = 0; k < racing.size(); ++k) {
    if (!winners[k]) continue;
    runners_[racing[k]].standing = Standing::kEliminated;
    runners_[racing[k]].eliminated_by = winners[k];
  }
}

std::optional<std::size_t> Race::beaten_by(std::size_t runner, std::size_t items) const {
  if (runners_[runner].contender.reference) return std::nullopt;
  const double own = estimate(runner, items);
  const std::vector<std::size_t> opponents = by_estimate(items);
  for (std::size_t k = 0; k < std::min(kOpponents, opponents.size()); ++k) {
    if (opponents[k] == runner || estimate(opponents[k], items) <= own) continue;
    if (is_behind(runner, opponents[k], items, 0)) return opponents[k];
  }
  return std::nullopt;
}

// Best first, of those that have come so far and are still in the race.
std::vector<std::size_t> Race::by_estimate(std::size_t items) const {
  std::vector<std::pair<double, std::size_t>> ranked;
  for (const std::size_t r : remaining()) {
    if (runners_[r].scores.size() >= items) ranked.emplace_back(-estimate(r, items), r);
  }
  std::ranges::sort(ranked);
  std::vector<std::size_t> runners;
  runners.reserve(ranked.size());
  for (const auto& [estimate, r] : ranked) runners.push_back(r);
  return runners;
}

// Whether it is certain that the runner is not ahead of the opponent by `margin` or more.
bool Race::is_behind(std::size_t runner, std::size_t opponent, std::size_t items,
                     double margin) const {
  const double log_capital = blocks_.log_capital(std::span(runners_[opponent].scores).first(items),
                                                 std::span(runners_[runner].scores).first(items),
                                                 -margin, runners_[opponent].joined_at);
  return log_capital >= threshold(opponent);
}

// Log of 1 / alpha of this opponent.
double Race::threshold(std::size_t opponent) const {
  const std::size_t group = opponent / config_.planned;
  const double share =
      group == 0 ? 1 - kReserve
                 : std::ldexp(kReserve, -static_cast<int>(std::min<std::size_t>(group, 1000)));
  return std::log(static_cast<double>(config_.planned) / (config_.alpha * share));
}

std::optional<RaceState> Race::stop_reason() const {
  const std::vector<std::size_t> racing = remaining();
  if (frontier() == order_.size()) return RaceState::kAllItems;
  const auto is_candidate = [&](std::size_t r) { return !runners_[r].contender.reference; };
  if (std::ranges::count_if(racing, is_candidate) <= 1) return RaceState::kOneLeft;
  const std::size_t best = by_estimate(frontier()).front();
  const auto all_others = [&](const auto& holds) {
    return std::ranges::all_of(racing, [&](std::size_t r) { return r == best || holds(r); });
  };
  if (config_.indifference > 0 && all_others([&](std::size_t r) {
        return is_behind(r, best, frontier(), config_.indifference);
      })) {
    return RaceState::kIndifferent;
  }
  if (config_.stop_within_noise && all_others([&](std::size_t r) {
        const PairedLead ahead = lead(r, best);
        return ahead.difference + kTwoSided95 * ahead.error <= kTwoSided95 * ahead.error_on_all;
      })) {
    return RaceState::kWithinNoise;
  }
  return std::nullopt;
}

PairedLead Race::lead(std::size_t runner, std::size_t opponent) const {
  return paired_lead(order_, stratum_weights_, std::span(runners_[runner].scores).first(frontier()),
                     std::span(runners_[opponent].scores).first(frontier()));
}

}  // namespace crucible::race
