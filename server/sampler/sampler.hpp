#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "merger/base/error.hpp"
#include "server/sampler/random.hpp"
#include "server/sampler/space.hpp"
#include "server/sampler/specification.hpp"

// Samplers choose the points that a sweep tries. Ask and tell: the sweep asks for a point,
// evaluates it however long that takes, and tells what came of it. All state is in one JSON value,
// to be stored in the transaction that stores the told result: a sampler restored from it asks for
// exactly the points that the first would have asked for.
namespace crucible::server::sampler {

// What came of a trial. Objectives are maximised.
struct Outcome {
  std::vector<double> objectives;  // finite, one each; of a failed trial none
  // False: the trial failed (no objectives) or was stopped early, and the objectives are what was
  // known by then. Samplers rank stopped trials below complete ones; failed ones teach nothing but
  // that the point is spent.
  bool complete = true;
  // Standard error of each objective, where known (finite, not negative); else empty. Of the
  // samplers here only the adaptive one uses them.
  std::vector<double> standard_errors = {};
};

enum class TrialState { kRunning, kComplete, kStopped, kFailed };

// Trials are numbered from 0 in the order asked.
struct Trial {
  std::vector<double> unit;  // the sampler's own coordinates, before constraints
  TrialState state = TrialState::kRunning;
  std::vector<double> objectives;
  std::vector<double> standard_errors;
};

enum class AskStatus {
  kPoint,      // here is a trial
  kWait,       // none before more outcomes are told
  kExhausted,  // none ever again: the grid is done, the search has converged or the budget is spent
};

struct Ask {
  AskStatus status = AskStatus::kExhausted;
  std::size_t trial = 0;  // with kPoint
  Point point;
};

// One thread at a time. Any number of trials may be outstanding and tells may come in any order;
// the next points depend only on what was asked and told, and of tells between two asks not on
// their order. Discrete spaces may see a point twice (except by grid, adaptive and nsga2): whoever
// evaluates may answer from memory.
class Sampler {
 public:
  virtual ~Sampler() = default;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // kInvalidArgument, with the method's own faults ("method.counts[1]").
  static Result<std::unique_ptr<Sampler>> create(Specification specification);
  // From what state() gave. kCorrupt for anything else.
  static Result<std::unique_ptr<Sampler>> restore(const nlohmann::json& state);
  nlohmann::json state() const;

  Ask ask();
  // kNotFound for a trial never asked, kConflict for one already told, kInvalidArgument for the
  // wrong number of objectives or one that is not finite. Then nothing has changed.
  Status tell(std::size_t trial, Outcome outcome);

  const Specification& specification() const { return specification_; }
  const SearchSpace& space() const { return specification_.space; }
  const std::vector<Trial>& trials() const { return trials_; }
  Point point(std::size_t trial) const { return space().decode(trials_[trial].unit); }
  std::size_t outstanding() const;

  // Where this sampler would look for the optimum of the first objective now: the best complete
  // trial's point or, where a model averages noise out, the model's optimum, which may not have
  // been tried itself. Nothing before the first complete trial.
  virtual std::optional<Point> recommendation() const;

 protected:
  struct Proposal {
    AskStatus status = AskStatus::kExhausted;
    std::vector<double> unit = {};
  };

  explicit Sampler(Specification specification);

  virtual Proposal propose() = 0;
  // A trial has been told; its record is in trials().
  virtual void observe() {}
  // The method's own state, and back; load() returns false for what save() cannot have given.
  // trials() and random() are restored before it is called.
  virtual nlohmann::json save() const { return nlohmann::json::object(); }
  virtual bool load(const nlohmann::json&) { return true; }

  Random& random() { return random_; }
  std::vector<double> uniform_unit();  // a uniform point of the unit cube
  std::optional<std::size_t> best_complete()
      const;  // by the first objective; the earliest of equals
  bool all_told_since(std::size_t first_trial) const;

 private:
  static Result<std::unique_ptr<Sampler>> restore_checked(const nlohmann::json& state);

  Specification specification_;
  Random random_;
  std::vector<Trial> trials_;
};

}  // namespace crucible::server::sampler
