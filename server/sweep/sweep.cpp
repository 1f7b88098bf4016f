#include "server/sweep/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "merger/recipe/substitute.hpp"
#include "server/store/jobs.hpp"
#include "server/store/models.hpp"
#include "server/store/searches.hpp"

namespace crucible::server::sweep {
namespace {

Status check_values(const std::vector<double>& values) {
  Error error{ErrorCode::kInvalidArgument, "the sweep's values cannot be used", {}};
  if (values.empty()) error.faults.push_back({"values", "must hold at least one number", ""});
  if (values.size() > kMostTrials) {
    error.faults.push_back(
        {"values",
         fmt::format("holds {} numbers, at most {} are allowed", values.size(), kMostTrials), ""});
  }
  std::set<double> seen;
  for (std::size_t i = 0; i < values.size() && error.faults.size() < 10; ++i) {
    const std::string path = fmt::format("values[{}]", i);
    if (!std::isfinite(values[i])) {
      error.faults.push_back({path, "must be a finite number", ""});
    } else if (!seen.insert(values[i]).second) {
      error.faults.push_back({path, fmt::format("{} is given twice", value_text(values[i])), ""});
    }
  }
  if (error.faults.empty()) return {};
  return fail(std::move(error));
}

// What became of a trial: the merge's state until it has succeeded, then its evaluations'.
JobState trial_state(const Job& merge, const std::vector<Job>& evaluations) {
  if (merge.state != JobState::kSucceeded) return merge.state;
  for (const Job& evaluation : evaluations) {
    if (!is_final(evaluation.state)) return evaluation.state;
  }
  for (const Job& evaluation : evaluations) {
    if (evaluation.state != JobState::kSucceeded) return evaluation.state;
  }
  return JobState::kSucceeded;
}

Status fill_trial(store::Database& database, Trial& trial, const std::vector<std::string>& suites,
                  const leaderboard::ScoreTable& scores) {
  auto merge = store::get_job(database, trial.job_id);
  if (!merge) return fail(std::move(merge).error());
  std::vector<Job> evaluations;
  for (const JobId child : merge->job.children) {
    auto job = store::get_job(database, child);
    if (!job) return fail(std::move(job).error());
    evaluations.push_back(std::move(job->job));
  }
  trial.state = trial_state(merge->job, evaluations);
  trial.model_id = merge->job.model_id;
  if (!trial.model_id) return {};
  auto model = store::get_model(database, *trial.model_id);
  if (!model) return fail(std::move(model).error());
  trial.scores = scores.scores_of(model->model.digest, suites);
  trial.mean = leaderboard::mean_score(trial.scores, suites);
  return {};
}

std::string sweep_state(const Sweep& sweep, bool cancelled) {
  const auto any = [&](auto condition) { return std::ranges::any_of(sweep.trials, condition); };
  if (any([](const Trial& trial) { return !is_final(trial.state); })) return "running";
  if (cancelled) return "cancelled";
  return any([](const Trial& trial) { return trial.state != JobState::kSucceeded; }) ? "failed"
                                                                                     : "succeeded";
}

std::string search_state(const Search& search, bool cancelled, bool paused) {
  if (search.result) return "succeeded";
  if (!is_final(search.job_state)) {
    return search.job_state == JobState::kQueued ? "queued" : "running";
  }
  if (cancelled) return "cancelled";
  if (paused && search.job_state == JobState::kCancelled) return "paused";
  return search.job_state == JobState::kCancelled ? "cancelled" : "failed";
}

std::optional<std::size_t> best_trial(const std::vector<Trial>& trials) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!trials[i].mean) continue;
    if (!best || trials[i].mean->value > trials[*best].mean->value) best = i;
  }
  return best;
}

}  // namespace

std::string value_text(double value) { return fmt::format("{}", value); }

Result<std::vector<PlannedTrial>> plan_trials(const std::string& recipe,
                                              const std::string& parameter,
                                              const std::vector<double>& values,
                                              const std::string& sweep_name) {
  if (auto status = check_values(values); !status) return fail(std::move(status).error());
  std::vector<double> sorted = values;
  std::ranges::sort(sorted);
  std::vector<PlannedTrial> trials;
  std::set<std::string> digests;
  for (const double value : sorted) {
    auto text = recipe::substitute(recipe, parameter, value);
    if (!text) return fail(std::move(text).error());
    auto read = recipe::read_recipe(*text);
    const std::string context = fmt::format("at {} = {}", parameter, value_text(value));
    if (!read) return fail(std::move(read).error().with_context(context));
    if (!digests.insert(recipe::digest(*read).hex()).second) {
      Error error{ErrorCode::kInvalidArgument, "two values give the same recipe", {}};
      error.faults.push_back(
          {"parameter", fmt::format("{} changes nothing that counts", context), ""});
      return fail(std::move(error));
    }
    trials.push_back({value, fmt::format("{}-{}", sweep_name, value_text(value)), std::move(*text),
                      std::move(*read)});
  }
  return trials;
}

Result<Sweep> view(store::Database& database, store::StoredSweep stored,
                   const leaderboard::ScoreTable* scores) {
  Sweep sweep = std::move(stored.sweep);
  auto search = store::find_search(database, sweep.id);
  if (!search) return fail(std::move(search).error());
  if (*search) {
    auto paused = store::search_paused_at(database, sweep.id);
    if (!paused) return fail(std::move(paused).error());
    sweep.state = search_state(**search, stored.cancelled, paused->has_value());
    sweep.search = std::move(**search);
    return sweep;
  }
  for (Trial& trial : sweep.trials) {
    if (auto status = fill_trial(database, trial, sweep.suites, *scores); !status) {
      return fail(std::move(status).error());
    }
  }
  sweep.state = sweep_state(sweep, stored.cancelled);
  sweep.best_trial = best_trial(sweep.trials);
  return sweep;
}

}  // namespace crucible::server::sweep
