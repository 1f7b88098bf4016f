#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace crucible::engine {

// What log-probabilities under one row of logits need, whichever the token.
struct LogitSummary {
  double top = 0;           // the largest logit
  double log_sum = 0;       // log of the sum of exp(logit - top)
  std::int32_t argmax = 0;  // the first of equal ones

  double logprob(float logit) const { return static_cast<double>(logit) - top - log_sum; }
};

// Summed in double in one fixed order, so that the same logits give the same bits. nullopt when a
// logit is NaN or infinite, or there is none.
std::optional<LogitSummary> summarize(std::span<const float> logits);

struct TokenScore {
  double logprob = 0;  // natural logarithm
  bool is_argmax = false;
};

// log softmax(logits)[target]; `target` must be an index.
std::optional<TokenScore> score_token(std::span<const float> logits, std::int32_t target);

bool all_finite(std::span<const float> logits);

}  // namespace crucible::engine
