#include "evaluator/engine/log_softmax.hpp"

#include <array>
#include <cmath>

namespace crucible::engine {

bool all_finite(std::span<const float> logits) {
  std::array<float, 8> probes{};  // stay 0 exactly when every logit is finite
  std::size_t i = 0;
  for (; i + probes.size() <= logits.size(); i += probes.size()) {
    for (std::size_t k = 0; k < probes.size(); ++k) probes[k] += logits[i + k] * 0.0F;
  }
  for (; i < logits.size(); ++i) probes[0] += logits[i] * 0.0F;
  for (const float probe : probes) {
    if (probe != 0.0F || std::isnan(probe)) return false;
  }
  return true;
}

std::optional<LogitSummary> summarize(std::span<const float> logits) {
  if (logits.empty() || !all_finite(logits)) return std::nullopt;
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
  return LogitSummary{top, std::log(sum), static_cast<std::int32_t>(best)};
}

std::optional<TokenScore> score_token(std::span<const float> logits, std::int32_t target) {
  const auto summary = summarize(logits);
  if (!summary) return std::nullopt;
  return TokenScore{summary->logprob(logits[static_cast<std::size_t>(target)]),
                    summary->argmax == target};
}

}  // namespace crucible::engine
