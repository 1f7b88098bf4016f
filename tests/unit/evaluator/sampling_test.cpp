#include "evaluator/engine/sampling.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "gtest/gtest.h"

namespace crucible::engine {
namespace {

GenerationSettings sampled(double temperature, double top_p = 1, std::uint32_t top_k = 0) {
  GenerationSettings settings;
  settings.do_sample = true;
  settings.temperature = temperature;
  settings.top_p = top_p;
  settings.top_k = top_k;
  return settings;
}

// Which tokens come for draws spread evenly, and how often in 10,000.
std::array<int, 4> counts(const std::array<float, 4>& logits, const GenerationSettings& settings) {
  std::array<int, 4> count{};
  for (int i = 0; i < 10000; ++i) {
    ++count[static_cast<std::size_t>(choose_token(logits, settings, (i + 0.5) / 10000))];
  }
  return count;
}

const std::array<float, 4> kLogits = {std::log(0.1F), std::log(0.4F), std::log(0.2F),
                                      std::log(0.3F)};

TEST(ChooseToken, IsTheFirstArgmaxWithoutSampling) {
  EXPECT_EQ(choose_token(std::array{1.0F, 3.0F, 3.0F}, {}, 0.99), 1);
  EXPECT_EQ(choose_token(std::array{1.0F, 3.0F, 3.0F}, sampled(0), 0.99), 1);
}

TEST(ChooseToken, DrawsInProportion) {
  const auto count = counts(kLogits, sampled(1));
  EXPECT_NEAR(count[0], 1000, 2);
  EXPECT_NEAR(count[1], 4000, 2);
  EXPECT_NEAR(count[2], 2000, 2);
  EXPECT_NEAR(count[3], 3000, 2);
}

TEST(ChooseToken, TemperatureSharpens) {
  const auto count = counts(kLogits, sampled(0.5));  // squares: 1, 16, 4, 9 of 30
  EXPECT_NEAR(count[1], 5333, 3);
  EXPECT_NEAR(count[0], 333, 3);
}

TEST(ChooseToken, TopKKeepsTheLargestAndTheirEquals) {
  const auto count = counts(kLogits, sampled(1, 1, 2));
  EXPECT_EQ(count[0] + count[2], 0);
  EXPECT_NEAR(count[1], 5714, 3);
  const auto equal = counts({0.0F, 0.0F, 0.0F, -1.0F}, sampled(1, 1, 1));
  EXPECT_NEAR(equal[0], 3333, 3);
  EXPECT_EQ(equal[3], 0);
}

TEST(ChooseToken, TopPKeepsWhatReachesTheShare) {
  EXPECT_EQ(counts(kLogits, sampled(1, 0.39))[1], 10000);
  const auto two = counts(kLogits, sampled(1, 0.41));
  EXPECT_NEAR(two[1], 5714, 3);
  EXPECT_NEAR(two[3], 4286, 3);
  EXPECT_EQ(two[0] + two[2], 0);
  // Shares are of what top_k left.
  EXPECT_EQ(counts(kLogits, sampled(1, 0.56, 2))[1], 10000);
}

TEST(DrawStream, DependsOnAllItIsGivenAndNothingElse) {
  const DrawStream draws(7, 0, "context");
  EXPECT_EQ(draws.at(3), DrawStream(7, 0, "context").at(3));
  std::set<double> seen;
  for (std::uint64_t step = 0; step < 1000; ++step) seen.insert(draws.at(step));
  for (const auto& other : {DrawStream(8, 0, "context"), DrawStream(7, 1, "context"),
                            DrawStream(7, 0, "contexu"), DrawStream(7, 0, "")}) {
    for (std::uint64_t step = 0; step < 1000; ++step) seen.insert(other.at(step));
  }
  EXPECT_EQ(seen.size(), 5000U);
  double sum = 0;
  for (const double draw : seen) {
    EXPECT_GE(draw, 0);
    EXPECT_LT(draw, 1);
    sum += draw;
  }
  EXPECT_NEAR(sum / 5000, 0.5, 0.02);
}

TEST(CheckSettings, RefusesWhatMakesNoSense) {
  EXPECT_TRUE(check_settings(sampled(1)));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& bad : {sampled(-1), sampled(nan), sampled(HUGE_VAL), sampled(1, 0),
                          sampled(1, 1.5), sampled(1, nan)}) {
    EXPECT_EQ(check_settings(bad).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(check_settings({.temperature = -1}));  // greedy: it counts for nothing
}

}  // namespace
}  // namespace crucible::engine
