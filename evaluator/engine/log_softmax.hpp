#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace crucible::engine {

struct TokenScore {
  double logprob = 0;  // natural logarithm
  bool is_argmax = false;
};

// log softmax(logits)[target], summed in double in one fixed order, so that the same logits give
// the same bits. The first of equal logits counts as the argmax. nullopt when a logit is NaN or
// infinite.
std::optional<TokenScore> score_token(std::span<const float> logits, std::int32_t target);

}  // namespace crucible::engine
