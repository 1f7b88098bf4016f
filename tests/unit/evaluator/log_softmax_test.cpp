#include "evaluator/engine/log_softmax.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace crucible::engine {
namespace {

TEST(ScoreToken, IsTheLogarithmOfTheSoftmax) {
  const std::vector<float> logits = {0.0F, std::log(2.0F), std::log(5.0F)};
  const auto score = score_token(logits, 1);
  ASSERT_TRUE(score);
  EXPECT_NEAR(score->logprob, std::log(2.0 / 8.0), 1e-7);
  EXPECT_FALSE(score->is_argmax);
  EXPECT_TRUE(score_token(logits, 2)->is_argmax);
}

TEST(ScoreToken, LargeLogitsDoNotOverflow) {
  const std::vector<float> logits = {3e38F, 3e38F, -3e38F};
  EXPECT_NEAR(score_token(logits, 0)->logprob, -std::log(2.0), 1e-12);
}

TEST(ScoreToken, FirstOfEqualLogitsIsTheArgmax) {
  const std::vector<float> logits = {-1, 4, 4};
  EXPECT_TRUE(score_token(logits, 1)->is_argmax);
  EXPECT_FALSE(score_token(logits, 2)->is_argmax);
}

TEST(ScoreToken, ProbabilitiesSumToOneOverManyTokens) {
  std::vector<float> logits;
  for (int i = 0; i < 1003; ++i) logits.push_back(static_cast<float>(std::sin(i) * 9));
  double sum = 0;
  for (int i = 0; i < 1003; ++i) sum += std::exp(score_token(logits, i)->logprob);
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(ScoreToken, AnyNonFiniteLogitIsRefused) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (std::size_t place = 0; place < 3; ++place) {
      std::vector<float> logits = {0, 1, 2};
      logits[place] = bad;
      EXPECT_FALSE(score_token(logits, 1)) << bad << " at " << place;
    }
  }
}

}  // namespace
}  // namespace crucible::engine
