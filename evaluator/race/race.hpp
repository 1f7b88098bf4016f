#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/race/betting.hpp"
#include "evaluator/race/paired_lead.hpp"
#include "evaluator/race/race_item.hpp"
#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

// Finds the best of many candidates without asking each of them everything. All answer the same
// items in the same order; at each rung (a number of items) those leave that are certainly behind.
namespace crucible::race {

struct RaceConfig {
  // The probability that the best contender, by all items, is ever eliminated is at most this.
  double alpha = 0.05;
  // Contenders expected in all. Nine tenths of alpha are shared among so many; each further group
  // of as many takes half of what is left.
  std::size_t planned = 64;
  std::vector<std::size_t> rungs;  // ascending; empty: 32, 64, 128, … The last is always all items
  std::optional<std::size_t> max_evaluations;  // of one item by one contender; never exceeded
  std::optional<double> max_cost;              // in the items' unit; never exceeded
  // While the budget cannot take all that are left through all items: those who are behind the
  // leader by the ordinary paired 95 % interval are set aside. Likely, not certain; never
  // eliminated.
  bool narrow = true;
  // > 0: the race ends once nobody is better than the leader by this much, wrong with probability
  // alpha at most.
  double indifference = 0;
  // The race ends once nobody can be expected to be ahead of the leader by more than the 95 %
  // interval of the paired difference on all items: going on would find nobody who is noticeably
  // better. Likely, not certain.
  bool stop_within_noise = true;
};

struct Contender {
  std::string name;
  bool reference = false;    // a parent, the default recipe: raced against, never eliminated
  double cost_factor = 1;    // times the items' cost
  double cost_to_start = 0;  // of the merge
};

enum class Standing {
  kRacing,
  kEliminated,  // certainly not the best
  kSetAside,    // the budget is kept for others, see RaceConfig::narrow; may be the best
};
std::string_view to_string(Standing standing);

enum class RaceState {
  kOpen,         // next_work() has some, or nobody has joined
  kAllItems,     // the remaining ones answered everything
  kOneLeft,      // one contender, or none, that is not a reference
  kIndifferent,  // see RaceConfig::indifference
  kWithinNoise,  // see RaceConfig::stop_within_noise
  kBudgetSpent,
};
std::string_view to_string(RaceState state);

// Items [first, last) of the order, for one contender.
struct Work {
  std::size_t contender = 0;
  std::size_t first = 0;
  std::size_t last = 0;
  bool operator==(const Work&) const = default;
};

struct Place {
  Contender contender;
  Standing standing = Standing::kRacing;
  std::size_t seen = 0;                      // items answered
  double estimate = 0;                       // from these; NaN without
  std::optional<std::size_t> eliminated_by;  // the contender that is certainly better
};

// A controller only: it starts nothing, and the same calls give the same answers. Not thread-safe.
//
// Why the guarantee holds: b, the best, leaves only if the bets that some contender k is better
// reach 1 / alpha_k (betting.hpp); the alpha_k sum to alpha. Assumed is that the order was drawn
// independently of the contenders. A contender that joins later may owe its place to the items seen
// so far, so that its bets against others begin with items that nobody had seen when it joined. It
// can itself be eliminated on the earlier ones: those who search for high scores there will hardly
// join a contender that is best and yet looks bad on them.
class Race {
 public:
  // `order` as ItemSplit::item_order and weigh give it. kInvalidArgument names what is wrong.
  static Result<Race> start(std::vector<RaceItem> order, RaceConfig config);

  // Returns its number. Names are unique. One that joins late answers the same items from the first
  // on; if the budget does not allow its first rung, it is set aside at once.
  Result<std::size_t> join(Contender contender);

  // What to evaluate next; none once the race is over.
  std::optional<Work> next_work() const;
  // All that may be evaluated now, by any number of workers, in contenders' order.
  std::vector<Work> all_work() const;
  // Scores in [0, 1] of the contender's next items: of its work or a first part of it.
  // kConflict without such work.
  Status tell(std::size_t contender, std::span<const double> scores);

  RaceState state() const { return state_; }
  // Of those that went furthest, the one with the highest estimate, the earlier of equals. None
  // before any has answered.
  std::optional<std::size_t> leader(bool with_references = true) const;
  // Numbers of those that have been neither eliminated nor set aside.
  std::vector<std::size_t> remaining() const;

  std::size_t contenders() const { return runners_.size(); }
  Place place(std::size_t contender) const;
  std::span<const double> scores(std::size_t contender) const { return runners_[contender].scores; }
  std::span<const RaceItem> items() const { return order_; }
  const RaceConfig& config() const { return config_; }
  std::size_t evaluations() const { return evaluations_; }  // told so far
  double cost() const { return cost_; }                     // of these, with merges

  // Configuration, items, joins and scores in their order: everything else follows. A race read
  // back goes on exactly like the one that was written. kCorrupt names what does not fit.
  nlohmann::json to_json() const;
  static Result<Race> from_json(const nlohmann::json& saved);

 private:
  struct Runner {
    Contender contender;
    Standing standing = Standing::kRacing;
    std::size_t target = 0;     // items it may answer now
    std::size_t joined_at = 0;  // items that somebody had answered before
    std::optional<std::size_t> eliminated_by;
    std::vector<double> scores;
  };
  struct Event {  // scores empty: joined
    std::size_t contender = 0;
    std::size_t first = 0;
    std::size_t count = 0;
  };

  static constexpr double kTwoSided95 = 1.959963984540054;  // of the normal distribution

  Race(std::vector<RaceItem> order, RaceConfig config);
  // Work, budget: race_budget.cpp.
  bool admit(std::size_t runner, std::size_t items);
  bool can_afford(std::span<const std::size_t> runners, std::size_t items) const;
  double cost_between(const Runner& runner, std::size_t first, std::size_t last) const;
  bool open_rung();
  void visit(std::size_t items, std::span<const std::size_t> runners);
  std::vector<std::size_t> narrowed() const;
  // Elimination, stops: race_rules.cpp.
  void advance();
  void catch_up(std::size_t runner);
  void settle();
  std::optional<std::size_t> beaten_by(std::size_t runner, std::size_t items) const;
  std::vector<std::size_t> by_estimate(std::size_t items) const;
  bool is_behind(std::size_t runner, std::size_t opponent, std::size_t items, double margin) const;
  double threshold(std::size_t opponent) const;
  std::optional<RaceState> stop_reason() const;
  PairedLead lead(std::size_t runner, std::size_t opponent) const;  // at the frontier
  double estimate(std::size_t runner, std::size_t items) const;
  std::size_t frontier() const { return visited_.back(); }

  std::vector<RaceItem> order_;
  RaceConfig config_;
  Blocks blocks_;
  std::vector<double> stratum_weights_;
  std::vector<double> cost_before_;  // of the first i items
  std::vector<Runner> runners_;
  std::vector<Event> events_;
  std::vector<std::size_t> visited_;  // rungs the field reached; it is on the way to the last
  RaceState state_ = RaceState::kOpen;
  std::size_t evaluations_ = 0;
  double cost_ = 0;
  std::size_t promised_evaluations_ = 0;  // told and handed out
  double promised_cost_ = 0;
};

}  // namespace crucible::race
