#pragma once

#include <string>
#include <vector>

#include "merger/recipe/recipe.hpp"
#include "server/leaderboard/leaderboard.hpp"
#include "server/store/sweeps.hpp"

// A sweep is one recipe at several values of one parameter. It stores no state of its own: what it
// has come to follows from its jobs.
namespace crucible::server::sweep {

inline constexpr std::size_t kMostTrials = 200;

struct PlannedTrial {
  double value = 0;
  std::string name;  // "<sweep>-0.25"
  std::string recipe_text;
  recipe::Recipe recipe;
};

// One recipe a value, ascending. kInvalidArgument with paths into the request: no values, too many,
// not finite, the same twice ("values[3]"); a parameter that the template lacks; a value whose
// recipe is not valid.
Result<std::vector<PlannedTrial>> plan_trials(const std::string& recipe,
                                              const std::string& parameter,
                                              const std::vector<double>& values,
                                              const std::string& sweep_name);

// The stored sweep with state, scores and best trial filled in; a search needs no scores.
Result<Sweep> view(store::Database& database, store::StoredSweep stored,
                   const leaderboard::ScoreTable* scores);

// "0.25", "1e-05": the shortest text that reads back as the same number.
std::string value_text(double value);

}  // namespace crucible::server::sweep
