#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "server/sampler/gaussian_process.hpp"
#include "server/sampler/methods.hpp"
#include "server/sampler/normal.hpp"

namespace crucible::server::sampler {
namespace {

constexpr std::size_t kLeastPoints = 3;        // for a fit
constexpr double kLeastSpreadFraction = 1e-3;  // the default gain to stop at, see AdaptiveSettings
constexpr double kLeastNoiseFraction = 0.1;

// How far a normal variable exceeds `best` in expectation.
double expected_improvement(const GaussianProcess::Estimate& estimate, double best) {
  const double gain = estimate.mean - best;
  if (!(estimate.deviation > 0)) return std::max(gain, 0.0);
  const double z = gain / estimate.deviation;
  return gain * normal_cdf(z) + estimate.deviation * normal_density(z);
}

// Every proposal follows from the trials alone; there is no other state. Stopped trials count as
// observations (with their own, larger standard errors if given), failed ones only as places not to
// ask for again.
class AdaptiveSampler final : public Sampler {
 public:
  explicit AdaptiveSampler(Specification specification)
      : Sampler(std::move(specification)),
        settings_(std::get<AdaptiveSettings>(this->specification().method)) {
    const auto steps = static_cast<std::size_t>(std::ceil(1 / settings_.resolution));
    for (std::size_t i = 0; i <= steps; ++i) {
      const double unit = static_cast<double>(i) / static_cast<double>(steps);
      lattice_.push_back(space().snap(0, unit));
    }
    lattice_.erase(std::unique(lattice_.begin(), lattice_.end()), lattice_.end());
  }

  std::optional<Point> recommendation() const override {
    const std::optional<GaussianProcess> model = fit();
    if (!model || !best_complete()) return Sampler::recommendation();
    const double unit =
        *std::ranges::max_element(lattice_, {}, [&](double u) { return model->estimate(u).mean; });
    return space().decode(std::vector<double>{unit});
  }

 protected:
  Proposal propose() override {
    if (trials().size() >= settings_.most_trials) return {};
    const std::size_t coarse = std::min(settings_.coarse, lattice_.size());
    if (trials().size() < coarse) return point_at(coarse_point(trials().size(), coarse));
    std::optional<GaussianProcess> model = fit();
    if (!model) {
      if (outstanding() > 0) return {AskStatus::kWait};
      return farthest();
    }
    return most_promising(*model);
  }

 private:
  static Proposal point_at(double unit) { return {AskStatus::kPoint, {unit}}; }

  double coarse_point(std::size_t i, std::size_t count) const {
    if (count == 1) return lattice_.front();
    const double position =
        static_cast<double>(i * (lattice_.size() - 1)) / static_cast<double>(count - 1);
    return lattice_[static_cast<std::size_t>(std::round(position))];
  }

  // Nothing with fewer than three observations.
  std::optional<GaussianProcess> fit() const {
    std::vector<double> points;
    std::vector<double> values;
    std::vector<double> errors;
    for (const Trial& trial : trials()) {
      if (trial.objectives.empty()) continue;
      points.push_back(trial.unit[0]);
      values.push_back(trial.objectives[0]);
      if (!trial.standard_errors.empty()) errors.push_back(trial.standard_errors[0]);
    }
    if (points.size() < kLeastPoints) return std::nullopt;
    if (errors.size() != points.size()) errors.clear();  // known for all or for none
    return GaussianProcess(std::move(points), std::move(values), errors);
  }

  double distance_to_asked(double unit) const {
    double nearest = 2;
    for (const Trial& trial : trials()) {
      nearest = std::min(nearest, std::abs(trial.unit[0] - unit));
    }
    return nearest;
  }

  // The middle of the largest gap: what is left to do when too many trials failed.
  Proposal farthest() const {
    const double unit =
        *std::ranges::max_element(lattice_, {}, [this](double u) { return distance_to_asked(u); });
    if (!(distance_to_asked(unit) > 0)) return {};
    return point_at(unit);
  }

  Proposal most_promising(GaussianProcess& model) const {
    double best = -std::numeric_limits<double>::infinity();
    for (const Trial& trial : trials()) {
      if (!trial.objectives.empty()) best = std::max(best, model.estimate(trial.unit[0]).mean);
    }
    const double least_gain = gain_to_stop_at(model);
    for (const Trial& trial : trials()) {
      if (trial.state == TrialState::kRunning) model.imagine(trial.unit[0]);
    }
    std::optional<double> choice;
    double most = 0;
    for (const double unit : lattice_) {
      if (!(distance_to_asked(unit) > 0)) continue;
      const double gain = expected_improvement(model.estimate(unit), best);
      if (!choice || gain > most) {
        choice = unit;
        most = gain;
      }
    }
    if (choice && most > least_gain) return point_at(*choice);
    // What is still running may raise hopes again.
    return {outstanding() > 0 ? AskStatus::kWait : AskStatus::kExhausted};
  }

  double gain_to_stop_at(const GaussianProcess& model) const {
    if (settings_.least_gain > 0) return settings_.least_gain;
    double least = std::numeric_limits<double>::infinity();
    double most = -least;
    for (const Trial& trial : trials()) {
      if (trial.objectives.empty()) continue;
      least = std::min(least, trial.objectives[0]);
      most = std::max(most, trial.objectives[0]);
    }
    return std::max(kLeastSpreadFraction * (most - least), kLeastNoiseFraction * model.noise());
  }

  AdaptiveSettings settings_;
  std::vector<double> lattice_;  // where it may ask, ascending
};

}  // namespace

std::unique_ptr<Sampler> make_adaptive(Specification specification) {
  return std::make_unique<AdaptiveSampler>(std::move(specification));
}

}  // namespace crucible::server::sampler
