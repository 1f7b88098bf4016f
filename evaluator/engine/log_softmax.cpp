#include "evaluator/engine/log_softmax.hpp"

#include <array>
#include <cmath>

namespace crucible::engine {

std::optional<TokenScore> score_token(std::span<const float> logits, std::int32_t target) {
  float probe = 0;  // stays 0 exactly when every logit is finite
  for (const float logit : logits) probe += logit * 0.0F;
  if (probe != 0.0F || std::isnan(probe)) return std::nullopt;
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  const double top = static_cast<double>(logits[best]);
  // Eight running sums: independent additions, fixed order.
  std::array<double, 8> sums{};
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sums[i % sums.size()] += std::exp(static_cast<double>(logits[i]) - top);
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  const auto index = static_cast<std::size_t>(target);
  return TokenScore{static_cast<double>(logits[index]) - top - std::log(sum), best == index};
}

}  // namespace crucible::engine
