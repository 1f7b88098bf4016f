#include "server/leaderboard/leaderboard.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace crucible::server::leaderboard {
namespace {

store::BoardScore score(EvaluationId id, const std::string& digest, const std::string& suite,
                        double value, std::optional<double> error = 0.1,
                        const std::string& suite_digest = "now") {
  return {id, digest, suite, suite_digest, value, error, 10};
}

Model model(ModelId id, const std::string& name, const std::string& method = "",
            std::vector<ModelSummary> parents = {}) {
  Model made;
  made.id = id;
  made.name = name;
  made.digest = name;
  made.origin = method.empty() ? "registered" : "merged";
  made.merge_method = method;
  made.parents = std::move(parents);
  made.created_at = 100 - id;
  return made;
}

const std::vector<std::string> kSuites = {"a", "b"};
const std::vector<Model> kModels = {model(1, "base"), model(2, "other"),
                                    model(3, "mix", "slerp", {{1, "base"}, {2, "other"}}),
                                    model(4, "unscored")};
const std::vector<store::BoardScore> kScores = {
    score(1, "base", "a", 0.5), score(2, "base", "b", 0.7), score(3, "other", "a", 0.9),
    score(4, "mix", "a", 0.4), score(5, "mix", "b", 0.9, 0.2)};

std::vector<std::string> names(const Leaderboard& board) {
  std::vector<std::string> list;
  for (const auto& row : board.rows) list.push_back(row.model.name);
  return list;
}

Leaderboard board(const LeaderboardQuery& query,
                  const std::vector<store::BoardScore>& scores = kScores) {
  auto made = rank(kModels, ScoreTable(scores, {{"a", "now"}, {"b", "now"}}), query, kSuites);
  EXPECT_TRUE(made) << made.error().message;
  return made.value_or(Leaderboard{});
}

TEST(LeaderboardTest, TheMeanIsUnweightedAndCarriesItsError) {
  const auto made = board({});
  EXPECT_EQ(made.suites, kSuites);
  EXPECT_EQ(names(made), (std::vector<std::string>{"mix", "base", "other"}));
  const auto& mix = made.rows[0];
  EXPECT_DOUBLE_EQ(mix.mean->value, 0.65);
  EXPECT_DOUBLE_EQ(*mix.mean->standard_error, std::sqrt(0.1 * 0.1 + 0.2 * 0.2) / 2);
  EXPECT_EQ(mix.mean->items, 20);
  EXPECT_EQ(mix.rank, 1);
  EXPECT_FALSE(mix.is_parent);
  EXPECT_TRUE(made.rows[1].is_parent);
  EXPECT_FALSE(made.rows[2].mean);  // scored on one suite of two
}

TEST(LeaderboardTest, UnscoredRowsAreLastInEitherOrder) {
  LeaderboardQuery query;
  query.descending = false;
  EXPECT_EQ(names(board(query)), (std::vector<std::string>{"base", "mix", "other"}));
  query.sort = "b";
  EXPECT_EQ(names(board(query)), (std::vector<std::string>{"base", "mix", "other"}));
}

TEST(LeaderboardTest, EqualRowsKeepTheOrderOfTheirIds) {
  const std::vector<store::BoardScore> equal = {
      score(1, "mix", "a", 0.5), score(2, "other", "a", 0.5), score(3, "base", "a", 0.5)};
  for (const bool descending : {true, false}) {
    LeaderboardQuery query;
    query.sort = "a";
    query.descending = descending;
    EXPECT_EQ(names(board(query, equal)), (std::vector<std::string>{"base", "other", "mix"}));
  }
}

TEST(LeaderboardTest, FiltersAndColumns) {
  LeaderboardQuery query;
  query.merge_method = "none";
  EXPECT_EQ(names(board(query)), (std::vector<std::string>{"base", "other"}));
  query.merge_method = "slerp";
  EXPECT_EQ(names(board(query)), (std::vector<std::string>{"mix"}));
  query.merge_method = "";
  query.suites = {"b"};
  const auto narrow = board(query);
  EXPECT_EQ(narrow.suites, std::vector<std::string>{"b"});
  EXPECT_EQ(names(narrow), (std::vector<std::string>{"mix", "base"}));
  EXPECT_DOUBLE_EQ(narrow.rows[0].mean->value, 0.9);
}

TEST(LeaderboardTest, UnknownNamesAreFaults) {
  LeaderboardQuery query;
  query.sort = "meen";
  query.suites = {"a", "c"};
  auto made = rank(kModels, ScoreTable(kScores, {}), query, kSuites);
  ASSERT_FALSE(made);
  ASSERT_EQ(made.error().faults.size(), 2U);
  EXPECT_EQ(made.error().faults[0].path, "suites[1]");
  EXPECT_EQ(made.error().faults[1].path, "sort");
}

TEST(ScoreTableTest, TheSuiteAsItIsNowCountsElseTheLatest) {
  const ScoreTable table(
      {score(1, "m", "a", 0.1, 0.1, "now"), score(2, "m", "a", 0.2, 0.1, "old"),
       score(3, "m", "b", 0.3, 0.1, "older"), score(4, "m", "b", 0.4, 0.1, "old")},
      {{"a", "now"}, {"b", "now"}});
  EXPECT_DOUBLE_EQ(table.find("m", "a")->value, 0.1);
  EXPECT_DOUBLE_EQ(table.find("m", "b")->value, 0.4);
  EXPECT_FALSE(table.find("m", "c"));
}

TEST(ScoreTableTest, AMeanWithoutAllErrorsHasNone) {
  const std::map<std::string, Score> scores = {{"a", {0.5, std::nullopt, 1, 1}},
                                               {"b", {0.7, 0.1, 2, 2}}};
  const auto mean = mean_score(scores, kSuites);
  ASSERT_TRUE(mean);
  EXPECT_FALSE(mean->standard_error);
  EXPECT_FALSE(mean_score(scores, {}));
  EXPECT_FALSE(mean_score(scores, {"a", "c"}));
}

}  // namespace
}  // namespace crucible::server::leaderboard
