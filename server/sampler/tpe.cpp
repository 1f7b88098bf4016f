#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "server/sampler/methods.hpp"
#include "server/sampler/parzen.hpp"

namespace crucible::server::sampler {
namespace {

constexpr double kGoodFraction = 0.1;
constexpr double kMostGood = 25;

// Its state is the trials and the random position. Running trials count as bad ones, so that
// parallel asks spread ("constant liar").
class TpeSampler final : public Sampler {
 public:
  explicit TpeSampler(Specification specification)
      : Sampler(std::move(specification)),
        settings_(std::get<TpeSettings>(this->specification().method)) {}

 protected:
  Proposal propose() override {
    const std::vector<std::size_t> ranked = ranking();
    if (ranked.size() < settings_.startup) return {AskStatus::kPoint, snapped(uniform_unit())};
    const auto good_count = static_cast<std::size_t>(
        std::min(std::ceil(kGoodFraction * static_cast<double>(ranked.size())), kMostGood));
    std::vector<bool> good(trials().size(), false);
    for (std::size_t k = 0; k < good_count; ++k) good[ranked[k]] = true;

    std::vector<std::vector<double>> good_units;
    std::vector<std::vector<double>> bad_units;
    for (std::size_t i = 0; i < trials().size(); ++i) {
      if (trials()[i].state == TrialState::kFailed) continue;
      (good[i] ? good_units : bad_units).push_back(trials()[i].unit);
    }
    return {AskStatus::kPoint, best_candidate(ParzenEstimator(space(), good_units),
                                              ParzenEstimator(space(), bad_units))};
  }

 private:
  // Complete trials by their objective, best first, then stopped ones by theirs.
  std::vector<std::size_t> ranking() const {
    std::vector<std::size_t> ranked;
    for (std::size_t i = 0; i < trials().size(); ++i) {
      const TrialState state = trials()[i].state;
      if (state == TrialState::kComplete || state == TrialState::kStopped) ranked.push_back(i);
    }
    std::ranges::stable_sort(ranked, {}, [this](std::size_t i) {
      const Trial& trial = trials()[i];
      return std::tuple(trial.state != TrialState::kComplete, -trial.objectives[0]);
    });
    return ranked;
  }

  std::vector<double> snapped(std::vector<double> unit) const {
    for (std::size_t i = 0; i < unit.size(); ++i) unit[i] = space().snap(i, unit[i]);
    return unit;
  }

  // Of points drawn from the good density the one where it exceeds the bad one most.
  std::vector<double> best_candidate(const ParzenEstimator& good, const ParzenEstimator& bad) {
    std::vector<double> best;
    double best_ratio = 0;
    for (std::size_t k = 0; k < settings_.candidates; ++k) {
      std::vector<double> unit = good.sample(random());
      const double ratio = good.log_density(unit) - bad.log_density(unit);
      if (best.empty() || ratio > best_ratio) {
        best = std::move(unit);
        best_ratio = ratio;
      }
    }
    return best;
  }

  TpeSettings settings_;
};

}  // namespace

std::unique_ptr<Sampler> make_tpe(Specification specification) {
  return std::make_unique<TpeSampler>(std::move(specification));
}

}  // namespace crucible::server::sampler
