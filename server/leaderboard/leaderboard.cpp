#include "server/leaderboard/leaderboard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "evaluator/stats/interval.hpp"
#include "server/store/near.hpp"

namespace crucible::server::leaderboard {
namespace {

struct Candidate {
  LeaderboardRow row;
  TimeMs created_at = 0;
};

Status check_query(const LeaderboardQuery& query, const std::vector<std::string>& known_suites) {
  Error error{ErrorCode::kInvalidArgument, "the leaderboard cannot be made this way", {}};
  const auto is_known = [&](const std::string& suite) {
    return std::ranges::find(known_suites, suite) != known_suites.end();
  };
  for (std::size_t i = 0; i < query.suites.size(); ++i) {
    if (is_known(query.suites[i])) continue;
    error.faults.push_back({fmt::format("suites[{}]", i),
                            fmt::format("there is no suite \"{}\"", query.suites[i]),
                            nearest(query.suites[i], known_suites)});
  }
  if (query.sort != "mean" && query.sort != "name" && query.sort != "created" &&
      !is_known(query.sort)) {
    error.faults.push_back(
        {"sort", fmt::format("\"{}\" is not mean, name, created or a suite", query.sort), "mean"});
  }
  if (error.faults.empty()) return {};
  return fail(std::move(error));
}

bool passes(const Model& model, const std::string& method) {
  if (method.empty()) return true;
  return method == "none" ? model.origin == "registered" : model.merge_method == method;
}

std::optional<double> sort_value(const LeaderboardRow& row, const std::string& sort) {
  if (sort == "mean") return row.mean ? std::optional(row.mean->value) : std::nullopt;
  const auto found = row.scores.find(sort);
  return found == row.scores.end() ? std::nullopt : std::optional(found->second.value);
}

// Three-way in ascending order; rows without the value are equal to each other.
int compare(const Candidate& left, const Candidate& right, const std::string& sort) {
  const auto sign = [](const auto& a, const auto& b) { return a < b ? -1 : (b < a ? 1 : 0); };
  if (sort == "name") return sign(left.row.model.name, right.row.model.name);
  if (sort == "created") return sign(left.created_at, right.created_at);
  return sign(sort_value(left.row, sort).value_or(0), sort_value(right.row, sort).value_or(0));
}

void sort_rows(std::vector<Candidate>& candidates, const LeaderboardQuery& query) {
  const bool by_score = query.sort != "name" && query.sort != "created";
  std::ranges::stable_sort(candidates, [&](const Candidate& left, const Candidate& right) {
    if (by_score) {
      const bool has_left = sort_value(left.row, query.sort).has_value();
      const bool has_right = sort_value(right.row, query.sort).has_value();
      if (has_left != has_right) return has_left;
    }
    const int order = compare(left, right, query.sort);
    return query.descending ? order > 0 : order < 0;
  });
}

void mark_parents(std::vector<LeaderboardRow>& rows) {
  std::set<ModelId> parents;
  for (const LeaderboardRow& row : rows) {
    for (const ModelSummary& parent : row.parents) parents.insert(parent.id);
  }
  for (LeaderboardRow& row : rows) row.is_parent = parents.contains(row.model.id);
}

}  // namespace

ScoreTable::ScoreTable(const std::vector<store::BoardScore>& scores,
                       const std::map<std::string, std::string>& current_digests) {
  for (const store::BoardScore& score : scores) {
    const auto current = current_digests.find(score.suite);
    const bool is_current =
        current != current_digests.end() && current->second == score.suite_digest;
    Entry& entry = entries_[{score.model_digest, score.suite}];
    if (entry.score.evaluation_id && entry.is_current && !is_current) continue;
    entry = {{score.score, score.standard_error, score.items, score.evaluation_id, score.interval,
              score.flagged},
             is_current};
    suites_.insert(score.suite);
  }
}

std::optional<Score> ScoreTable::find(const std::string& model_digest,
                                      const std::string& suite) const {
  const auto found = entries_.find({model_digest, suite});
  return found == entries_.end() ? std::nullopt : std::optional(found->second.score);
}

std::map<std::string, Score> ScoreTable::scores_of(const std::string& model_digest,
                                                   const std::vector<std::string>& suites) const {
  std::map<std::string, Score> scores;
  for (const std::string& suite : suites) {
    if (auto score = find(model_digest, suite)) scores.emplace(suite, *score);
  }
  return scores;
}

std::optional<Score> mean_score(const std::map<std::string, Score>& scores,
                                const std::vector<std::string>& suites) {
  if (suites.empty()) return std::nullopt;
  Score mean;
  double squares = 0;
  bool has_errors = true;
  for (const std::string& suite : suites) {
    const auto found = scores.find(suite);
    if (found == scores.end()) return std::nullopt;
    const Score& score = found->second;
    mean.value += score.value;
    mean.items += score.items;
    mean.flagged = mean.flagged || score.flagged;
    has_errors = has_errors && score.standard_error.has_value();
    const double error = score.standard_error.value_or(0);
    squares += error * error;
  }
  const double count = static_cast<double>(suites.size());
  mean.value /= count;
  if (has_errors) {
    const double error = std::sqrt(squares) / count;
    mean.standard_error = error;
    const auto ends = stats::normal(mean.value, error);
    mean.interval = ScoreInterval{ends.low, ends.high, "propagated"};
  }
  return mean;
}

Result<Leaderboard> rank(const std::vector<Model>& models, const ScoreTable& scores,
                         const LeaderboardQuery& query,
                         const std::vector<std::string>& known_suites) {
  if (auto status = check_query(query, known_suites); !status) {
    return fail(std::move(status).error());
  }
  Leaderboard board;
  board.suites = query.suites;
  if (board.suites.empty()) board.suites.assign(scores.suites().begin(), scores.suites().end());
  std::vector<Candidate> candidates;
  for (const Model& model : models) {
    if (!passes(model, query.merge_method)) continue;
    Candidate candidate;
    candidate.created_at = model.created_at;
    LeaderboardRow& row = candidate.row;
    row.scores = scores.scores_of(model.digest, board.suites);
    if (row.scores.empty()) continue;
    row.model = {model.id, model.name};
    row.origin = model.origin;
    row.merge_method = model.merge_method;
    row.digest = model.digest;
    row.parents = model.parents;
    row.sweep_id = model.sweep_id;
    row.mean = mean_score(row.scores, board.suites);
    candidates.push_back(std::move(candidate));
  }
  sort_rows(candidates, query);
  for (Candidate& candidate : candidates) {
    candidate.row.rank = static_cast<std::int64_t>(board.rows.size()) + 1;
    board.rows.push_back(std::move(candidate.row));
  }
  mark_parents(board.rows);
  return board;
}

}  // namespace crucible::server::leaderboard
