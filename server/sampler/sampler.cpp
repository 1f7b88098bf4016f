#include "server/sampler/sampler.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "server/sampler/methods.hpp"
#include "server/sampler/state_json.hpp"

namespace crucible::server::sampler {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

constexpr std::array<std::pair<TrialState, const char*>, 4> kStates = {
    {{TrialState::kRunning, "running"},
     {TrialState::kComplete, "complete"},
     {TrialState::kStopped, "stopped"},
     {TrialState::kFailed, "failed"}}};

json trial_to_json(const Trial& trial) {
  json object = {{"unit", trial.unit},
                 {"state", kStates[static_cast<std::size_t>(trial.state)].second}};
  if (!trial.objectives.empty()) object["objectives"] = trial.objectives;
  if (!trial.standard_errors.empty()) object["standard_errors"] = trial.standard_errors;
  return object;
}

std::optional<Trial> trial_from_json(const json& object, std::size_t dimensions,
                                     std::size_t objectives) {
  Trial trial;
  const auto unit = read_numbers(object.at("unit"), dimensions);
  const auto state = std::ranges::find(kStates, object.at("state").get<std::string>(),
                                       &std::pair<TrialState, const char*>::second);
  if (!unit || state == kStates.end()) return std::nullopt;
  trial.unit = *unit;
  trial.state = state->first;
  for (const double u : trial.unit) {
    if (u < 0 || u > 1) return std::nullopt;
  }
  const bool known = trial.state == TrialState::kComplete || trial.state == TrialState::kStopped;
  if (known != object.contains("objectives")) return std::nullopt;
  if (!known) return trial;
  const auto values = read_numbers(object.at("objectives"), objectives);
  if (!values) return std::nullopt;
  trial.objectives = *values;
  if (object.contains("standard_errors")) {
    const auto errors = read_numbers(object.at("standard_errors"), objectives);
    if (!errors || std::ranges::any_of(*errors, [](double e) { return e < 0; })) {
      return std::nullopt;
    }
    trial.standard_errors = *errors;
  }
  return trial;
}

Status check_outcome(const Outcome& outcome, std::size_t objectives) {
  const auto refuse = [](const char* message) {
    return fail(ErrorCode::kInvalidArgument, message);
  };
  const bool failed = !outcome.complete && outcome.objectives.empty();
  if (!failed && outcome.objectives.size() != objectives) {
    return refuse("the outcome has not one value an objective");
  }
  if (!outcome.standard_errors.empty() &&
      outcome.standard_errors.size() != outcome.objectives.size()) {
    return refuse("the outcome has not one standard error an objective");
  }
  for (const double value : outcome.objectives) {
    if (!std::isfinite(value)) return refuse("an objective is not finite");
  }
  for (const double value : outcome.standard_errors) {
    if (!std::isfinite(value) || value < 0) return refuse("a standard error is not a size");
  }
  return {};
}

}  // namespace

Sampler::Sampler(Specification specification)
    : specification_(std::move(specification)), random_(specification_.seed) {}

Result<std::unique_ptr<Sampler>> Sampler::create(Specification specification) {
  if (auto checked = check(specification); !checked) return fail(std::move(checked).error());
  return make_method(std::move(specification));
}

Ask Sampler::ask() {
  const std::size_t budget = specification_.budget;
  if (budget != 0 && trials_.size() >= budget) return {};
  Proposal proposal = propose();
  if (proposal.status != AskStatus::kPoint) return {proposal.status, 0, {}};
  trials_.push_back({std::move(proposal.unit), TrialState::kRunning, {}, {}});
  return {AskStatus::kPoint, trials_.size() - 1, point(trials_.size() - 1)};
}

Status Sampler::tell(std::size_t trial, Outcome outcome) {
  const std::string name = "trial " + std::to_string(trial);
  if (trial >= trials_.size()) return fail(ErrorCode::kNotFound, name + " was never asked");
  if (trials_[trial].state != TrialState::kRunning) {
    return fail(ErrorCode::kConflict, name + " was told already");
  }
  if (auto good = check_outcome(outcome, objective_count(specification_.method)); !good) {
    return fail(std::move(good).error().with_context(name));
  }
  Trial& record = trials_[trial];
  record.state = outcome.complete             ? TrialState::kComplete
                 : outcome.objectives.empty() ? TrialState::kFailed
                                              : TrialState::kStopped;
  record.objectives = std::move(outcome.objectives);
  record.standard_errors = std::move(outcome.standard_errors);
  observe();
  return {};
}

std::size_t Sampler::outstanding() const {
  return static_cast<std::size_t>(std::ranges::count(trials_, TrialState::kRunning, &Trial::state));
}

bool Sampler::all_told_since(std::size_t first_trial) const {
  return std::none_of(trials_.begin() + static_cast<std::ptrdiff_t>(first_trial), trials_.end(),
                      [](const Trial& t) { return t.state == TrialState::kRunning; });
}

std::vector<double> Sampler::uniform_unit() {
  std::vector<double> unit(space().size());
  for (double& u : unit) u = random_.uniform();
  return unit;
}

std::optional<std::size_t> Sampler::best_complete() const {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    if (trials_[i].state != TrialState::kComplete) continue;
    if (!best || trials_[i].objectives[0] > trials_[*best].objectives[0]) best = i;
  }
  return best;
}

std::optional<Point> Sampler::recommendation() const {
  const auto best = best_complete();
  if (!best) return std::nullopt;
  return point(*best);
}

json Sampler::state() const {
  json trials = json::array();
  for (const Trial& trial : trials_) trials.push_back(trial_to_json(trial));
  return {{"format", kFormat},
          {"specification", to_json(specification_)},
          {"random_position", random_.position()},
          {"trials", std::move(trials)},
          {"method", save()}};
}

Result<std::unique_ptr<Sampler>> Sampler::restore_checked(const json& state) {
  const auto corrupt = [](const char* message) { return fail(ErrorCode::kCorrupt, message); };
  if (state.at("format") != kFormat) return corrupt("the sampler's state has an unknown format");
  auto specification = specification_from_json(state.at("specification"));
  if (!specification) return corrupt(specification.error().message.c_str());
  auto sampler = create(*std::move(specification));
  if (!sampler) return corrupt(sampler.error().message.c_str());
  Sampler& made = **sampler;
  const auto position = read_count(state.at("random_position"));
  if (!position || !state.at("trials").is_array()) {
    return corrupt("the sampler's state has a member of the wrong type");
  }
  const std::size_t objectives = objective_count(made.specification_.method);
  for (const json& entry : state.at("trials")) {
    auto trial = trial_from_json(entry, made.space().size(), objectives);
    if (!trial) return corrupt("the sampler's state has a trial that cannot be");
    made.trials_.push_back(*std::move(trial));
  }
  made.random_ = Random(made.random_.seed(), *position);
  if (!made.load(state.at("method"))) {
    return corrupt("the sampler's state does not fit its method");
  }
  return sampler;
}

Result<std::unique_ptr<Sampler>> Sampler::restore(const json& state) try {
  return restore_checked(state);
} catch (const json::exception& exception) {
  return fail(ErrorCode::kCorrupt, std::string("the sampler's state: ") + exception.what());
}

}  // namespace crucible::server::sampler
