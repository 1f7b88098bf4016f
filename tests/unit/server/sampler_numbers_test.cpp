// Random numbers, the normal distribution, Sobol points, Pareto fronts and the operators of NSGA-II
// against values known from elsewhere.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "server/sampler/normal.hpp"
#include "server/sampler/pareto.hpp"
#include "server/sampler/random.hpp"
#include "server/sampler/sobol.hpp"
#include "server/sampler/variation.hpp"

namespace crucible::server::sampler {
namespace {

using testing::ElementsAre;

// The known answers published with Random123 (kat_vectors).
TEST(SamplerRandomTest, PhiloxKnownAnswers) {
  EXPECT_THAT(philox({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U));
  const std::uint32_t ones = 0xffffffffU;
  EXPECT_THAT(philox({ones, ones, ones, ones}, {ones, ones}),
              ElementsAre(0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU));
  EXPECT_THAT(
      philox({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, {0xa4093822U, 0x299f31d0U}),
      ElementsAre(0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U));
}

TEST(SamplerRandomTest, PositionIsTheWholeState) {
  Random a(42);
  for (int i = 0; i < 10; ++i) a.next();
  Random b(42, a.position());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.normal(), b.normal());
  EXPECT_NE(Random(1).next(), Random(2).next());
}

TEST(SamplerRandomTest, MomentsAndRanges) {
  Random random(3);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double z = random.normal();
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
  std::vector<int> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 400);
  EXPECT_EQ(random.below(1), 0U);
  const auto order = random.permutation(20);
  EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), 20U);
}

TEST(SamplerNormalTest, QuantileAndDistribution) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(1e-20), -9.262340089798408, 1e-12);
  EXPECT_EQ(normal_quantile(0.5), 0);
  EXPECT_NEAR(normal_cdf(1.959963984540054), 0.975, 1e-15);
  EXPECT_NEAR(normal_density(0), 0.3989422804014327, 1e-15);
}

// From scipy.special.log_ndtr.
TEST(SamplerNormalTest, MassFarOut) {
  EXPECT_NEAR(log_normal_mass(-1, 1), std::log(0.6826894921370859), 1e-14);
  EXPECT_NEAR(log_normal_mass(-100, -40), -804.6084420137538, 1e-9);
  EXPECT_NEAR(log_normal_mass(40, 100), -804.6084420137538, 1e-9);
  EXPECT_NEAR(log_normal_mass(-1000, -20), -203.9171553710976, 1e-9);
  EXPECT_TRUE(std::isfinite(log_normal_mass(50, 50.01)));
}

TEST(SamplerSobolTest, FirstPointsAreJoeAndKuos) {
  const auto halves = [](std::uint64_t index) {
    std::vector<double> point;
    for (const std::uint32_t x : sobol_point(5, index)) point.push_back(x * 0x1p-32);
    return point;
  };
  EXPECT_THAT(halves(0), ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(halves(1), ElementsAre(0.5, 0.5, 0.5, 0.5, 0.5));
  EXPECT_THAT(halves(2), ElementsAre(0.75, 0.25, 0.25, 0.25, 0.75));
  EXPECT_THAT(halves(3), ElementsAre(0.25, 0.75, 0.75, 0.75, 0.25));
  EXPECT_THAT(halves(7), ElementsAre(0.125, 0.625, 0.375, 0.125, 0.125));
}

TEST(SamplerSobolTest, OwenScramblingKeepsTheNet) {
  for (std::uint32_t seed : {0U, 1U, 0xdeadbeefU}) {
    // 64 points: every dyadic interval of length 1/64 of either coordinate holds one.
    std::set<std::uint32_t> first;
    std::set<std::uint32_t> second;
    for (std::uint64_t i = 0; i < 64; ++i) {
      const auto point = sobol_point(2, i);
      first.insert(owen_scramble(point[0], seed) >> 26);
      second.insert(owen_scramble(point[1], seed + 1) >> 26);
    }
    EXPECT_EQ(first.size(), 64U);
    EXPECT_EQ(second.size(), 64U);
  }
}

TEST(SamplerParetoTest, FrontsAreSortedByDominance) {
  const std::vector<Objectives> points = {{1, 5}, {2, 4}, {1, 4}, {5, 1}, {0, 0}, {2, 4}};
  const auto fronts = non_dominated_fronts(points);
  ASSERT_EQ(fronts.size(), 3U);
  EXPECT_THAT(fronts[0], ElementsAre(0, 1, 3, 5));
  EXPECT_THAT(fronts[1], ElementsAre(2));
  EXPECT_THAT(fronts[2], ElementsAre(4));
  EXPECT_FALSE(dominates({1, 1}, {1, 1}));
  EXPECT_TRUE(dominates({1, 2}, {1, 1}));
  EXPECT_TRUE(non_dominated_fronts({}).empty());
}

TEST(SamplerParetoTest, CrowdingIsTheNeighboursDistance) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto distances = crowding_distances({{0, 10}, {1, 6}, {4, 5}, {10, 0}});
  EXPECT_THAT(distances,
              ElementsAre(infinity, (0.4 + 0.5) / 2, testing::DoubleEq((0.9 + 0.6) / 2), infinity));
  EXPECT_THAT(crowding_distances({{1, 1}}), ElementsAre(infinity));
  EXPECT_THAT(crowding_distances({{1, 1}, {1, 1}, {1, 1}}), ElementsAre(0, 0, 0));
}

TEST(SamplerParetoTest, OnlyCompleteTrialsAreOnTheFront) {
  const std::vector<Trial> trials = {
      {{0}, TrialState::kComplete, {1, 2}, {}}, {{0}, TrialState::kStopped, {9, 9}, {}},
      {{0}, TrialState::kFailed, {}, {}},       {{0}, TrialState::kComplete, {2, 1}, {}},
      {{0}, TrialState::kComplete, {1, 1}, {}}, {{0}, TrialState::kRunning, {}, {}}};
  EXPECT_THAT(pareto_front(trials), ElementsAre(0, 3));
}

TEST(SamplerVariationTest, CrossoverKeepsTheMiddleAndTheBounds) {
  Random random(5);
  for (int i = 0; i < 2000; ++i) {
    const double a = random.uniform();
    const double b = random.uniform();
    const ChildPair pair = cross_over(a, b, 15, random.uniform());
    EXPECT_TRUE(0 <= pair.lower && pair.lower <= pair.upper && pair.upper <= 1);
  }
  // At level 1/2 of parents far from the bounds the children are the parents.
  const ChildPair same = cross_over(0.52, 0.48, 15, 0.5);
  EXPECT_NEAR(same.lower, 0.48, 1e-9);
  EXPECT_NEAR(same.upper, 0.52, 1e-9);
}

// With eta 15 and level 0.9, parents 0.2 and 0.6: by the formula of Deb et al., worked in Python.
TEST(SamplerVariationTest, CrossoverFollowsTheFormula) {
  const ChildPair pair = cross_over(0.2, 0.6, 15, 0.9);
  const double below_alpha = 2 - std::pow(2.0, -16);
  const double below = std::pow(1 / (2 - 0.9 * below_alpha), 1.0 / 16);
  const double above_alpha = 2 - std::pow(3.0, -16);
  const double above = std::pow(1 / (2 - 0.9 * above_alpha), 1.0 / 16);
  EXPECT_NEAR(pair.lower, 0.4 - below * 0.2, 1e-12);
  EXPECT_NEAR(pair.upper, 0.4 + above * 0.2, 1e-12);
}

TEST(SamplerVariationTest, MutationStaysWithinTheBounds) {
  EXPECT_NEAR(mutate(0.3, 20, 0.5), 0.3, 1e-12);
  EXPECT_NEAR(mutate(0.3, 20, 0.0), 0, 1e-12);
  EXPECT_NEAR(mutate(0.3, 20, 1 - 1e-16), 1, 1e-1);
  EXPECT_LT(mutate(0.3, 20, 0.2), 0.3);
  EXPECT_GT(mutate(0.3, 20, 0.8), 0.3);
  for (const double level : {0.0, 0.1, 0.9, 0.999}) {
    EXPECT_GE(mutate(0.0, 20, level), 0);
    EXPECT_LE(mutate(1.0, 20, level), 1);
  }
}

TEST(SamplerNumbersTest, DoublesSurviveJson) {
  Random random(9);
  for (int i = 0; i < 20'000; ++i) {
    double value = std::bit_cast<double>(random.next());
    if (!std::isfinite(value)) continue;
    if (i % 2 == 0) value = random.uniform();
    const nlohmann::json json = value;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(nlohmann::json::parse(json.dump()).get<double>()),
              std::bit_cast<std::uint64_t>(value));
  }
}

}  // namespace
}  // namespace crucible::server::sampler
