#include "evaluator/metric/metric.hpp"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace crucible::metric {
namespace {

TEST(CodePoints, CountsCharactersNotBytes) {
  EXPECT_EQ(code_points(""), 0U);
  EXPECT_EQ(code_points("abc"), 3U);
  EXPECT_EQ(code_points("Straße"), 6U);
  EXPECT_EQ(code_points("数学🙂"), 3U);
  EXPECT_EQ(code_points("e\xCC\x81"), 2U);  // e and a combining accent
}

TEST(Argmax, TakesTheFirstOfEqualValues) {
  EXPECT_EQ(argmax(std::vector<double>{-2, -1, -1}), 1U);
  EXPECT_EQ(argmax(std::vector<double>{-1, -1}), 0U);
}

TEST(Argmax, NormalisesByLength) {
  const std::vector<double> values = {-3, -4};
  EXPECT_EQ(argmax_normalised(values, std::vector<std::size_t>{1, 2}), 1U);
  EXPECT_EQ(argmax_normalised(values, std::vector<std::size_t>{3, 4}), 0U);  // a tie
}

TEST(Mean, StandardErrorIsOfTheSample) {
  const Estimate estimate = mean(std::vector<double>{1, 0, 1, 1});
  EXPECT_DOUBLE_EQ(estimate.value, 0.75);
  EXPECT_DOUBLE_EQ(estimate.stderr_, 0.25);  // sd sqrt(0.75 / 3) = 0.5, over sqrt(4)
}

TEST(Mean, OfOneItemHasNoStandardError) {
  const Estimate estimate = mean(std::vector<double>{1});
  EXPECT_DOUBLE_EQ(estimate.value, 1);
  EXPECT_TRUE(std::isnan(estimate.stderr_));
}

TEST(MeanOf, AddsVariancesOfIndependentTasks) {
  const Estimate estimate = mean_of(std::vector<Estimate>{{0.5, 0.03}, {0.7, 0.04}});
  EXPECT_DOUBLE_EQ(estimate.value, 0.6);
  EXPECT_DOUBLE_EQ(estimate.stderr_, 0.025);
}

}  // namespace
}  // namespace crucible::metric
