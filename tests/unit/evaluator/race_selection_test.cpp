#include <algorithm>
#include <cmath>
#include <random>

#include "evaluator/race/selection.hpp"
#include "gtest/gtest.h"

namespace crucible::race {
namespace {

using Rows = std::vector<std::vector<double>>;

ItemSet independent(std::vector<RaceItem> items) {
  ItemSet set{std::move(items), {}};
  for (std::size_t i = 0; i < set.items.size(); ++i) set.clusters.push_back(i);
  return set;
}

ItemSet one_suite(std::size_t items) {
  return independent(std::vector<RaceItem>(items, RaceItem{0, 1, 1}));
}

// Suites of `small` and `large` items that count alike.
ItemSet two_suites(std::size_t small, std::size_t large) {
  std::vector<RaceItem> items(small, RaceItem{0, 1.0 / static_cast<double>(small), 1});
  items.resize(small + large, RaceItem{1, 1.0 / static_cast<double>(large), 1});
  return independent(std::move(items));
}

std::vector<double> draws(std::size_t items, double chance, std::mt19937_64& random) {
  std::bernoulli_distribution coin(chance);
  std::vector<double> scores;
  for (std::size_t i = 0; i < items; ++i) scores.push_back(coin(random) ? 1 : 0);
  return scores;
}

TEST(ReportedScore, OfOneSuiteIsWilson) {
  std::vector<double> scores(50, 0.0);
  std::fill_n(scores.begin(), 37, 1.0);
  const ReportedScore reported = report_score(one_suite(50), scores);
  EXPECT_NEAR(reported.score, 0.74, 1e-12);
  EXPECT_NEAR(reported.interval.low, stats::wilson(37, 50).low, 1e-12);
  EXPECT_NEAR(reported.interval.high, stats::wilson(37, 50).high, 1e-12);
}

TEST(ReportedScore, SuitesCountAlike) {
  const ItemSet set = two_suites(10, 90);
  std::vector<double> scores(100, 0.0);
  std::fill_n(scores.begin(), 10, 1.0);
  const ReportedScore reported = report_score(set, scores);
  EXPECT_NEAR(reported.score, 0.5, 1e-12);
  EXPECT_LT(reported.interval.low, 0.45);  // of ten right answers
  EXPECT_GT(reported.interval.high, 0.5);  // of ninety wrong ones
  EXPECT_LT(reported.interval.high, 0.53);
}

TEST(ReportedScore, SaysSomethingAtTheEnds) {
  const ReportedScore all = report_score(two_suites(20, 40), std::vector<double>(60, 1.0));
  EXPECT_NEAR(all.interval.high, 1, 1e-12);
  EXPECT_LT(all.interval.low, 0.95);
  ItemSet passages = one_suite(60);
  for (std::size_t i = 0; i < 60; ++i) passages.clusters[i] = i / 6;
  const ReportedScore clustered = report_score(passages, std::vector<double>(60, 1.0));
  EXPECT_LT(clustered.interval.low, all.interval.low);  // ten passages, not sixty items
}

TEST(ReportedScore, ClustersWidenIt) {
  std::mt19937_64 random(1);
  ItemSet passages = one_suite(200);
  std::vector<double> scores;
  for (std::size_t i = 0; i < 200; ++i) {
    passages.clusters[i] = i / 10;
    scores.push_back(i % 10 == 0 ? static_cast<double>(random() % 2) : scores.back());
  }
  const stats::Interval wide = report_score(passages, scores).interval;
  const stats::Interval narrow = report_score(one_suite(200), scores).interval;
  EXPECT_GT(wide.high - wide.low, 2 * (narrow.high - narrow.low));
}

TEST(ReportedScore, CoversTheTruth) {
  std::mt19937_64 random(2);
  const ItemSet set = two_suites(40, 120);
  std::size_t covered = 0;
  constexpr std::size_t kRounds = 2000;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<double> scores = draws(40, 0.9, random);
    const std::vector<double> more = draws(120, 0.4, random);
    scores.insert(scores.end(), more.begin(), more.end());
    const stats::Interval interval = report_score(set, scores).interval;
    covered += interval.low <= 0.65 && 0.65 <= interval.high;
  }
  EXPECT_NEAR(static_cast<double>(covered) / kRounds, 0.95, 0.02);
}

// What the estimate is for: the mean of what selection really adds, over many sweeps.
double real_inflation(std::size_t candidates, std::size_t items, double spread,
                      std::mt19937_64& random, double& estimated) {
  constexpr int kSweeps = 60;
  std::normal_distribution<double> normal;
  double real = 0;
  estimated = 0;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    std::vector<std::vector<double>> scores;
    double best = -1;
    double truth = 0;
    for (std::size_t c = 0; c < candidates; ++c) {
      const double chance = std::clamp(0.6 + spread * normal(random), 0.05, 0.95);
      scores.push_back(draws(items, chance, random));
      double mean = 0;
      for (const double score : scores.back()) mean += score / static_cast<double>(items);
      if (mean > best) {
        best = mean;
        truth = chance;
      }
    }
    real += (best - truth) / kSweeps;
    estimated += expected_inflation(one_suite(items), scores, 100).expected / kSweeps;
  }
  return real;
}

TEST(Inflation, IsAboutWhatSelectionAdds) {
  std::mt19937_64 random(3);
  double estimated = 0;
  const double spread_out = real_inflation(20, 200, 0.08, random, estimated);
  EXPECT_NEAR(estimated, spread_out, 0.4 * spread_out);
  const double alike = real_inflation(20, 200, 0, random, estimated);
  EXPECT_GT(alike, spread_out);
  EXPECT_NEAR(estimated, alike, 0.5 * alike);
}

TEST(Inflation, GaussianFormBoundsIt) {
  std::mt19937_64 random(4);
  std::vector<std::vector<double>> scores;
  for (int c = 0; c < 30; ++c) scores.push_back(draws(400, 0.5, random));
  const Inflation found = expected_inflation(one_suite(400), scores, 500);
  EXPECT_EQ(found.candidates, 30U);
  EXPECT_NEAR(found.sd, 0.025, 0.002);  // sqrt(0.25 / 400)
  EXPECT_NEAR(found.gaussian, found.sd * std::sqrt(2 * std::log(30)), 1e-12);
  EXPECT_GT(found.expected, 0.3 * found.gaussian);
  EXPECT_LT(found.expected, 1.1 * found.gaussian);
}

TEST(Inflation, OfOneCandidateOrOfCopiesIsNone) {
  std::mt19937_64 random(5);
  const std::vector<double> row = draws(300, 0.5, random);
  const Inflation one = expected_inflation(one_suite(300), Rows{row});
  EXPECT_NEAR(one.expected, 0, 0.003);
  EXPECT_EQ(one.gaussian, 0);
  const Inflation copies = expected_inflation(one_suite(300), Rows{row, row, row});
  EXPECT_NEAR(copies.expected, 0, 0.003);
  EXPECT_NEAR(copies.gaussian, 0, 1e-12);
}

TEST(AgainstParents, TellsThemApart) {
  std::mt19937_64 random(6);
  const ItemSet set = two_suites(100, 200);
  const std::vector<double> winner = draws(300, 0.8, random);
  const std::vector<std::vector<double>> parents = {draws(300, 0.4, random),
                                                    draws(300, 0.98, random), winner};
  const std::vector<ParentVerdict> found = against_parents(set, winner, parents, 2000);
  EXPECT_EQ(found[0].verdict, Verdict::kBeats);
  EXPECT_GT(found[0].probability_better, 0.999);
  EXPECT_GT(found[0].wins, found[0].losses);
  EXPECT_EQ(found[1].verdict, Verdict::kWorse);
  EXPECT_LT(found[1].probability_better, 0.001);
  EXPECT_EQ(found[2].verdict, Verdict::kNoDetectableDifference);
  EXPECT_EQ(found[2].probability_better, 0.5);
  EXPECT_EQ(found[2].difference, 0);
  EXPECT_EQ(to_string(found[2].verdict), "no detectable difference");
}

TEST(AgainstParents, FewItemsThatDifferProveNothing) {
  const ItemSet set = one_suite(200);
  const std::vector<double> winner(200, 1.0);
  std::vector<double> parent = winner;
  for (std::size_t i = 0; i < 5; ++i) parent[i * 7] = 0;
  EXPECT_EQ(against_parents(set, winner, Rows{parent}, 2000)[0].verdict,
            Verdict::kNoDetectableDifference);  // five of five: p = 0.0625
  for (std::size_t i = 0; i < 12; ++i) parent[i * 7] = 0;
  EXPECT_EQ(against_parents(set, winner, Rows{parent}, 2000)[0].verdict, Verdict::kBeats);
}

TEST(AgainstParents, MoreParentsNeedMoreEvidence) {
  std::mt19937_64 random(7);
  const ItemSet set = one_suite(150);
  const std::vector<double> winner = draws(150, 0.7, random);
  const std::vector<double> parent = draws(150, 0.6, random);
  const auto width = [](const stats::Interval& interval) { return interval.high - interval.low; };
  const auto alone = against_parents(set, winner, Rows{parent}, 2000);
  const auto of_four = against_parents(set, winner, Rows{parent, parent, parent, parent}, 2000);
  EXPECT_GT(width(of_four[0].interval), 1.15 * width(alone[0].interval));
}

TEST(AgainstParents, EqualsAreSeldomToldApart) {
  std::mt19937_64 random(8);
  const ItemSet set = two_suites(40, 80);
  std::size_t wrong = 0;
  constexpr std::size_t kRounds = 300;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const std::vector<double> winner = draws(120, 0.6, random);
    const std::vector<std::vector<double>> parents = {draws(120, 0.6, random),
                                                      draws(120, 0.6, random)};
    const std::vector<ParentVerdict> found = against_parents(set, winner, parents, 600, round);
    wrong += std::ranges::any_of(found, [](const ParentVerdict& one) {
      return one.verdict != Verdict::kNoDetectableDifference;
    });
  }
  EXPECT_LE(static_cast<double>(wrong) / kRounds, 0.09);
}

}  // namespace
}  // namespace crucible::race
