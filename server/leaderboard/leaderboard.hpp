#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/store/evaluations.hpp"

// From stored scores to ranked rows. No SQL here: the store hands in what it has.
namespace crucible::server::leaderboard {

// The one score that counts for each content and suite: the latest made with the suite as it is
// now, else the latest made with an older version of it.
class ScoreTable {
 public:
  // `scores` by ascending id; `current_digests`: suite name → digest of the suite as it is now.
  ScoreTable(const std::vector<store::BoardScore>& scores,
             const std::map<std::string, std::string>& current_digests);

  std::optional<Score> find(const std::string& model_digest, const std::string& suite) const;
  std::map<std::string, Score> scores_of(const std::string& model_digest,
                                         const std::vector<std::string>& suites) const;
  const std::set<std::string>& suites() const { return suites_; }

 private:
  struct Entry {
    Score score;
    bool is_current = false;
  };
  std::map<std::pair<std::string, std::string>, Entry> entries_;  // by model digest and suite
  std::set<std::string> suites_;
};

// Unweighted mean over `suites`; its standard error is sqrt(sum of squares) / k, since the suites'
// items are drawn independently. None unless each suite is scored; no error unless each has one.
std::optional<Score> mean_score(const std::map<std::string, Score>& scores,
                                const std::vector<std::string>& suites);

// A row for each model with at least one score among the board's suites. Unscored rows come last
// whatever the order; equal ones by id. kInvalidArgument: sort or a suite that `known_suites`
// lacks.
Result<Leaderboard> rank(const std::vector<Model>& models, const ScoreTable& scores,
                         const LeaderboardQuery& query,
                         const std::vector<std::string>& known_suites);

}  // namespace crucible::server::leaderboard
