#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "server/sampler/cma.hpp"
#include "server/sampler/methods.hpp"
#include "server/sampler/state_json.hpp"

namespace crucible::server::sampler {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

// Converged: the largest deviation, as a fraction of the range, or C's condition.
constexpr double kLeastDeviation = 1e-11;
constexpr double kMostCondition = 1e14;
constexpr double kMostDeviation = 2;
// A discrete coordinate's deviation stays at this fraction of a cell, so that neighbours are tried.
constexpr double kLeastCellDeviation = 0.2;
// The generation is flat if its best is no better than the one this far down: section B.3.
constexpr double kFlatFraction = 0.7;

std::size_t default_population(std::size_t dimensions) {
  return 4 + static_cast<std::size_t>(3 * std::log(static_cast<double>(dimensions)));
}

// Integers and choices take the value whose cell holds the coordinate; a choice is thereby an
// ordered integer, which suits few choices only (tpe and nsga2 treat them as unordered).
class CmaEsSampler final : public Sampler {
 public:
  explicit CmaEsSampler(Specification specification)
      : Sampler(std::move(specification)),
        settings_(std::get<CmaEsSettings>(this->specification().method)),
        parameters_(space().size(), settings_.population == 0 ? default_population(space().size())
                                                              : settings_.population),
        distribution_(start(), settings_.sigma) {
    keep_discrete_deviations();
  }

  std::optional<Point> recommendation() const override {
    if (distribution_.generation == 0) return Sampler::recommendation();
    return space().decode(unit_of(distribution_.mean));
  }

 protected:
  Proposal propose() override {
    if (converged_) return {};
    if (points_.empty()) draw_generation();
    const std::size_t asked = trials().size() - first_;
    if (asked == points_.size()) return {AskStatus::kWait};
    return {AskStatus::kPoint, unit_of(points_[asked])};
  }

  void observe() override {
    if (points_.empty() || trials().size() - first_ < points_.size()) return;
    if (!all_told_since(first_)) return;
    update();
    points_.clear();
    first_ = trials().size();
  }

  nlohmann::json save() const override;
  bool load(const nlohmann::json& json) override;

 private:
  VectorXd start() const {
    VectorXd mean = VectorXd::Constant(static_cast<Index>(space().size()), 0.5);
    if (!settings_.start) return mean;
    const std::vector<double> unit = space().encode(*settings_.start);
    for (std::size_t i = 0; i < unit.size(); ++i) {
      mean[static_cast<Index>(i)] = from_unit_interval(unit[i]);
    }
    return mean;
  }

  std::vector<double> unit_of(const VectorXd& x) const {
    std::vector<double> unit;
    for (const double value : x) unit.push_back(into_unit_interval(value));
    return unit;
  }

  void draw_generation() {
    const Eigen::MatrixXd root = distribution_.roots().root;
    for (std::size_t k = 0; k < parameters_.population; ++k) {
      VectorXd z(distribution_.mean.size());
      for (double& value : z) value = random().normal();
      points_.push_back(distribution_.mean + distribution_.sigma * (root * z));
    }
  }

  // Best first: complete trials by their objective, then stopped ones by theirs; failed ones are
  // left out.
  std::vector<std::size_t> ranking() const {
    std::vector<std::size_t> ranked;
    for (std::size_t i = first_; i < trials().size(); ++i) {
      if (trials()[i].state != TrialState::kFailed) ranked.push_back(i);
    }
    std::ranges::stable_sort(ranked, {}, [this](std::size_t i) {
      const Trial& trial = trials()[i];
      return std::tuple(trial.state != TrialState::kComplete, -trial.objectives[0]);
    });
    return ranked;
  }

  void update() {
    const std::vector<std::size_t> ranked = ranking();
    if (ranked.empty()) return;
    std::vector<VectorXd> points;
    for (const std::size_t i : ranked) points.push_back(points_[i - first_]);
    distribution_.update(parameters_, points);
    const auto down =
        static_cast<std::size_t>(std::ceil(kFlatFraction * static_cast<double>(ranked.size())));
    const Trial& best = trials()[ranked.front()];
    if (ranked.size() > 1 && best.objectives == trials()[ranked[down - 1]].objectives) {
      distribution_.sigma *= std::exp(0.2 + parameters_.c_sigma / parameters_.d_sigma);
    }
    keep_discrete_deviations();
    check_convergence();
  }

  void keep_discrete_deviations() {
    for (std::size_t i = 0; i < space().size(); ++i) {
      if (!space().discrete(i) || space().values(i) < 2) continue;
      const double cell = 1 / static_cast<double>(space().values(i));
      distribution_.keep_deviation(static_cast<Index>(i), kLeastCellDeviation * cell);
    }
  }

  void check_convergence() {
    const bool finite = distribution_.covariance.allFinite() && distribution_.mean.allFinite() &&
                        std::isfinite(distribution_.sigma);
    if (finite) {
      const CmaDistribution::Roots roots = distribution_.roots();
      // Wider than the range, the points would be uniform anyway.
      distribution_.sigma = std::min(distribution_.sigma, kMostDeviation / roots.largest_deviation);
      converged_ = distribution_.sigma * roots.largest_deviation < kLeastDeviation ||
                   roots.condition > kMostCondition;
    } else {  // the steps overflowed: start anew around the best trial
      distribution_ = CmaDistribution(best_or_start(), settings_.sigma);
    }
  }

  VectorXd best_or_start() const {
    const auto best = best_complete();
    if (!best) return start();
    VectorXd mean(static_cast<Index>(space().size()));
    for (std::size_t i = 0; i < space().size(); ++i) {
      mean[static_cast<Index>(i)] = from_unit_interval(trials()[*best].unit[i]);
    }
    return mean;
  }

  CmaEsSettings settings_;
  CmaParameters parameters_;
  CmaDistribution distribution_;
  std::vector<VectorXd> points_;  // of the present generation, before into_unit_interval
  std::size_t first_ = 0;         // its first trial
  bool converged_ = false;
};

std::vector<double> to_list(const Eigen::Ref<const VectorXd>& vector) {
  return {vector.begin(), vector.end()};
}

VectorXd to_vector(const std::vector<double>& list) {
  return Eigen::Map<const VectorXd>(list.data(), static_cast<Index>(list.size()));
}

nlohmann::json CmaEsSampler::save() const {
  nlohmann::json points = nlohmann::json::array();
  for (const VectorXd& x : points_) points.push_back(to_list(x));
  nlohmann::json rows = nlohmann::json::array();
  for (Index i = 0; i < distribution_.covariance.cols(); ++i) {
    rows.push_back(to_list(distribution_.covariance.col(i)));
  }
  return {{"mean", to_list(distribution_.mean)},
          {"sigma", distribution_.sigma},
          {"covariance", std::move(rows)},
          {"path_sigma", to_list(distribution_.path_sigma)},
          {"path_c", to_list(distribution_.path_c)},
          {"generation", distribution_.generation},
          {"points", std::move(points)},
          {"first", first_},
          {"converged", converged_}};
}

bool CmaEsSampler::load(const nlohmann::json& json) {
  const std::size_t n = space().size();
  const auto mean = read_numbers(json.at("mean"), n);
  const auto path_sigma = read_numbers(json.at("path_sigma"), n);
  const auto path_c = read_numbers(json.at("path_c"), n);
  const auto covariance = read_rows(json.at("covariance"), n);
  const auto points = read_rows(json.at("points"), n);
  const auto first = read_count(json.at("first"), trials().size());
  const auto generation = read_count(json.at("generation"), trials().size());
  const double sigma = json.at("sigma").get<double>();
  if (!mean || !path_sigma || !path_c || !covariance || covariance->size() != n || !points) {
    return false;
  }
  if (!first || !generation || !(sigma > 0)) return false;
  if (!points->empty() && points->size() != parameters_.population) return false;
  if (trials().size() - *first > points->size()) return false;
  // A generation told to its end would have been used.
  if (!points->empty() && trials().size() - *first == points->size() && all_told_since(*first)) {
    return false;
  }
  distribution_.mean = to_vector(*mean);
  distribution_.path_sigma = to_vector(*path_sigma);
  distribution_.path_c = to_vector(*path_c);
  for (std::size_t i = 0; i < n; ++i) {
    distribution_.covariance.col(static_cast<Index>(i)) = to_vector((*covariance)[i]);
  }
  if (distribution_.covariance != distribution_.covariance.transpose()) return false;
  if (!(distribution_.covariance.diagonal().minCoeff() > 0)) return false;
  distribution_.sigma = sigma;
  distribution_.generation = *generation;
  for (const std::vector<double>& x : *points) points_.push_back(to_vector(x));
  first_ = *first;
  converged_ = json.at("converged").get<bool>();
  return true;
}

}  // namespace

std::unique_ptr<Sampler> make_cma_es(Specification specification) {
  return std::make_unique<CmaEsSampler>(std::move(specification));
}

}  // namespace crucible::server::sampler
