#include "evaluator/race/race.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace crucible::race {
namespace {

constexpr std::size_t kFirstRung = 32;

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

bool is_amount(double value) { return std::isfinite(value) && value >= 0; }

Status check_items(const std::vector<RaceItem>& order) {
  if (order.empty()) return refuse("a race needs items");
  for (const RaceItem& item : order) {
    if (item.stratum >= order.size()) return refuse("strata are numbered from 0");
    if (!(std::isfinite(item.weight) && item.weight > 0)) {
      return refuse("items' weights must be positive");
    }
    if (!is_amount(item.cost)) return refuse("items' costs must not be negative");
  }
  return {};
}

Status check_config(const RaceConfig& config) {
  if (!(config.alpha > 0 && config.alpha < 1)) return refuse("alpha must lie between 0 and 1");
  if (config.planned == 0) return refuse("at least one contender must be planned");
  if (!is_amount(config.indifference)) return refuse("the indifference must not be negative");
  if (config.max_cost && !is_amount(*config.max_cost)) {
    return refuse("the largest cost must not be negative");
  }
  for (std::size_t k = 0; k < config.rungs.size(); ++k) {
    if (config.rungs[k] <= (k == 0 ? 0 : config.rungs[k - 1])) return refuse("rungs must ascend");
  }
  return {};
}

// Ends with all items.
std::vector<std::size_t> complete_rungs(std::vector<std::size_t> rungs, std::size_t items) {
  if (rungs.empty()) {
    for (std::size_t rung = kFirstRung; rung < items; rung *= 2) rungs.push_back(rung);
  }
  std::erase_if(rungs, [&](std::size_t rung) { return rung >= items; });
  rungs.push_back(items);
  return rungs;
}

}  // namespace

std::string_view to_string(Standing standing) {
  switch (standing) {
    case Standing::kRacing:
      return "racing";
    case Standing::kEliminated:
      return "eliminated";
    case Standing::kSetAside:
      return "set aside";
  }
  return "";
}

std::string_view to_string(RaceState state) {
  switch (state) {
    case RaceState::kOpen:
      return "open";
    case RaceState::kAllItems:
      return "all items answered";
    case RaceState::kOneLeft:
      return "one left";
    case RaceState::kIndifferent:
      return "the difference does not matter";
    case RaceState::kWithinNoise:
      return "within noise";
    case RaceState::kBudgetSpent:
      return "budget spent";
  }
  return "";
}

Result<Race> Race::start(std::vector<RaceItem> order, RaceConfig config) {
  if (Status status = check_items(order); !status) return fail(std::move(status.error()));
  if (Status status = check_config(config); !status) return fail(std::move(status.error()));
  config.rungs = complete_rungs(std::move(config.rungs), order.size());
  return Race(std::move(order), std::move(config));
}

Race::Race(std::vector<RaceItem> order, RaceConfig config)
    : order_(std::move(order)),
      config_(std::move(config)),
      blocks_(order_),
      stratum_weights_(race::stratum_weights(order_)),
      cost_before_{0.0} {
  for (const RaceItem& item : order_) cost_before_.push_back(cost_before_.back() + item.cost);
  visit(config_.rungs.front(), {});
}

Result<std::size_t> Race::join(Contender contender) {
  if (!is_amount(contender.cost_factor) || !is_amount(contender.cost_to_start)) {
    return refuse("costs of " + contender.name + " must not be negative");
  }
  std::size_t answered = 0;
  for (const Runner& runner : runners_) {
    if (runner.contender.name == contender.name) {
      return fail(ErrorCode::kConflict, contender.name + " is in the race already");
    }
    answered = std::max(answered, runner.scores.size());
  }
  const std::size_t number = runners_.size();
  Runner runner;
  runner.contender = std::move(contender);
  runner.joined_at = answered == 0 ? 0 : *std::ranges::lower_bound(visited_, answered);
  runners_.push_back(std::move(runner));
  events_.push_back({number, 0, 0});
  if (!admit(number, visited_.front())) runners_[number].standing = Standing::kSetAside;
  advance();
  return number;
}

std::optional<Work> Race::next_work() const {
  const std::vector<Work> all = all_work();
  return all.empty() ? std::nullopt : std::optional(all.front());
}

std::vector<Work> Race::all_work() const {
  std::vector<Work> all;
  for (std::size_t r = 0; r < runners_.size(); ++r) {
    const Runner& runner = runners_[r];
    if (runner.standing == Standing::kRacing && runner.scores.size() < runner.target) {
      all.push_back({r, runner.scores.size(), runner.target});
    }
  }
  return all;
}

Status Race::tell(std::size_t contender, std::span<const double> scores) {
  if (contender >= runners_.size()) {
    return fail(ErrorCode::kNotFound, "no contender " + std::to_string(contender));
  }
  Runner& runner = runners_[contender];
  const std::size_t first = runner.scores.size();
  if (scores.empty() || runner.standing != Standing::kRacing ||
      scores.size() > runner.target - first) {
    return fail(ErrorCode::kConflict,
                "these scores of " + runner.contender.name + " were not asked for");
  }
  for (const double score : scores) {
    if (!(score >= 0 && score <= 1)) return refuse("scores must lie between 0 and 1");
  }
  const double cost = cost_between(runner, first, first + scores.size());
  runner.scores.insert(runner.scores.end(), scores.begin(), scores.end());
  events_.push_back({contender, first, scores.size()});
  evaluations_ += scores.size();
  cost_ = std::min(cost_ + cost, promised_cost_);  // sums in another order round otherwise
  advance();
  return {};
}

std::optional<std::size_t> Race::leader(bool with_references) const {
  std::optional<std::size_t> best;
  for (const std::size_t r : remaining()) {
    const std::size_t seen = runners_[r].scores.size();
    if (seen == 0 || (runners_[r].contender.reference && !with_references)) continue;
    const std::size_t furthest = best ? runners_[*best].scores.size() : 0;
    if (seen > furthest || (seen == furthest && estimate(r, seen) > estimate(*best, seen))) {
      best = r;
    }
  }
  return best;
}

std::vector<std::size_t> Race::remaining() const {
  std::vector<std::size_t> racing;
  for (std::size_t r = 0; r < runners_.size(); ++r) {
    if (runners_[r].standing == Standing::kRacing) racing.push_back(r);
  }
  return racing;
}

Place Race::place(std::size_t contender) const {
  const Runner& runner = runners_[contender];
  const std::size_t seen = runner.scores.size();
  const double mean =
      seen == 0 ? std::numeric_limits<double>::quiet_NaN() : estimate(contender, seen);
  return {runner.contender, runner.standing, seen, mean, runner.eliminated_by};
}

double Race::estimate(std::size_t runner, std::size_t items) const {
  return estimate_mean(order_, stratum_weights_, std::span(runners_[runner].scores).first(items));
}

}  // namespace crucible::race
