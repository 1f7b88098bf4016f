#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <utility>

#include "server/sampler/methods.hpp"
#include "server/sampler/pareto.hpp"
#include "server/sampler/state_json.hpp"
#include "server/sampler/variation.hpp"

namespace crucible::server::sampler {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMostRounds = 100;  // of drawing points in search of new ones

// A stopped trial ranks behind every complete one, a failed one leaves no trace. The state is the
// population, as trials, and the present generation's points.
class Nsga2Sampler final : public Sampler {
 public:
  explicit Nsga2Sampler(Specification specification)
      : Sampler(std::move(specification)),
        settings_(std::get<Nsga2Settings>(this->specification().method)) {}

 protected:
  Proposal propose() override {
    if (offspring_.empty()) draw_generation();
    if (offspring_.empty()) return {};  // nothing new turned up
    const std::size_t asked = trials().size() - first_;
    if (asked == offspring_.size()) return {AskStatus::kWait};
    return {AskStatus::kPoint, offspring_[asked]};
  }

  void observe() override {
    if (offspring_.empty() || trials().size() - first_ < offspring_.size()) return;
    if (!all_told_since(first_)) return;
    std::vector<std::size_t> candidates;
    for (const Member& member : population_) candidates.push_back(member.trial);
    std::ranges::sort(candidates);
    for (std::size_t i = first_; i < trials().size(); ++i) {
      if (trials()[i].state != TrialState::kFailed) candidates.push_back(i);
    }
    population_ = survivors(candidates, settings_.population);
    offspring_.clear();
    first_ = trials().size();
  }

  nlohmann::json save() const override {
    // An end's infinite crowding has no JSON number: it is null.
    nlohmann::json members = nlohmann::json::array();
    for (const Member& member : population_) {
      members.push_back({{"trial", member.trial}, {"crowding", member.crowding}});
    }
    return {{"population", std::move(members)}, {"offspring", offspring_}, {"first", first_}};
  }

  bool load(const nlohmann::json& json) override {
    auto offspring = read_rows(json.at("offspring"), space().size());
    const auto first = read_count(json.at("first"), trials().size());
    if (!offspring || !first || trials().size() - *first > offspring->size()) return false;
    for (const std::vector<double>& unit : *offspring) {
      if (std::ranges::any_of(unit, [](double u) { return u < 0 || u > 1; })) return false;
    }
    const bool all_asked = trials().size() - *first == offspring->size();
    if (!offspring->empty() && all_asked && all_told_since(*first)) return false;
    for (const nlohmann::json& entry : json.at("population")) {
      const auto trial = read_count(entry.at("trial"));
      if (!trial || *trial >= *first || trials()[*trial].objectives.empty()) return false;
      const nlohmann::json& crowding = entry.at("crowding");
      population_.push_back({*trial, crowding.is_null() ? kInfinity : crowding.get<double>()});
    }
    if (population_.size() > settings_.population) return false;
    if (offspring->size() > settings_.population) return false;
    offspring_ = *std::move(offspring);
    first_ = *first;
    return true;
  }

 private:
  struct Member {
    std::size_t trial = 0;
    double crowding = 0;
  };

  // Front by front, the last one by crowding; complete trials before stopped ones.
  std::vector<Member> survivors(const std::vector<std::size_t>& candidates,
                                std::size_t count) const {
    std::vector<Member> kept;
    for (const TrialState state : {TrialState::kComplete, TrialState::kStopped}) {
      std::vector<std::size_t> pool;
      std::vector<Objectives> points;
      for (const std::size_t i : candidates) {
        if (trials()[i].state != state) continue;
        pool.push_back(i);
        points.push_back(trials()[i].objectives);
      }
      for (const std::vector<std::size_t>& front : non_dominated_fronts(points)) {
        add_front(front, pool, points, count, kept);
      }
    }
    return kept;
  }

  static void add_front(const std::vector<std::size_t>& front, const std::vector<std::size_t>& pool,
                        const std::vector<Objectives>& points, std::size_t count,
                        std::vector<Member>& kept) {
    if (kept.size() >= count) return;
    std::vector<Objectives> members;
    for (const std::size_t i : front) members.push_back(points[i]);
    const std::vector<double> crowding = crowding_distances(members);
    std::vector<Member> ordered;
    for (std::size_t k = 0; k < front.size(); ++k) ordered.push_back({pool[front[k]], crowding[k]});
    if (kept.size() + ordered.size() > count) {
      std::ranges::stable_sort(ordered, std::greater(), &Member::crowding);
      ordered.resize(count - kept.size());
    }
    kept.insert(kept.end(), ordered.begin(), ordered.end());
  }

  // Points nobody has asked for before: as many as the population, or as many as turn up.
  void draw_generation() {
    std::set<std::vector<double>> known;
    for (const Trial& trial : trials()) known.insert(trial.unit);
    const auto add = [&](std::vector<double> unit) {
      if (offspring_.size() == settings_.population || !known.insert(unit).second) return;
      offspring_.push_back(std::move(unit));
    };
    for (int round = 0; round < kMostRounds && offspring_.size() < settings_.population; ++round) {
      const std::size_t missing = settings_.population - offspring_.size();
      if (population_.empty()) {
        for (std::size_t k = 0; k < missing; ++k) add(snapped_uniform());
        continue;
      }
      const std::size_t pairs = (missing + 1) / 2;
      const std::vector<std::size_t> parents = select_parents(2 * pairs);
      for (std::size_t k = 0; k < pairs; ++k) {
        Children children = make_children(space(), settings_, trials()[parents[2 * k]].unit,
                                          trials()[parents[2 * k + 1]].unit, random());
        add(std::move(children.first));
        add(std::move(children.second));
      }
    }
  }

  std::vector<double> snapped_uniform() {
    std::vector<double> unit = uniform_unit();
    for (std::size_t i = 0; i < unit.size(); ++i) unit[i] = space().snap(i, unit[i]);
    return unit;
  }

  // Binary tournaments among the members of random permutations.
  std::vector<std::size_t> select_parents(std::size_t count) {
    std::vector<std::size_t> contestants;
    while (contestants.size() < 2 * count) {
      const std::vector<std::size_t> order = random().permutation(population_.size());
      contestants.insert(contestants.end(), order.begin(), order.end());
    }
    std::vector<std::size_t> parents;
    for (std::size_t k = 0; k < count; ++k) {
      parents.push_back(
          winner(population_[contestants[2 * k]], population_[contestants[2 * k + 1]]));
    }
    return parents;
  }

  std::size_t winner(const Member& a, const Member& b) {
    const Trial& trial_a = trials()[a.trial];
    const Trial& trial_b = trials()[b.trial];
    if (trial_a.state != trial_b.state) {
      return trial_a.state == TrialState::kComplete ? a.trial : b.trial;
    }
    if (dominates(trial_a.objectives, trial_b.objectives)) return a.trial;
    if (dominates(trial_b.objectives, trial_a.objectives)) return b.trial;
    if (a.crowding != b.crowding) return a.crowding > b.crowding ? a.trial : b.trial;
    return random().flip(0.5) ? a.trial : b.trial;
  }

  Nsga2Settings settings_;
  std::vector<Member> population_;
  std::vector<std::vector<double>> offspring_;  // the present generation, in the unit cube
  std::size_t first_ = 0;                       // its first trial
};

}  // namespace

std::unique_ptr<Sampler> make_nsga2(Specification specification) {
  return std::make_unique<Nsga2Sampler>(std::move(specification));
}

}  // namespace crucible::server::sampler
