#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "evaluator/engine/language_model.hpp"

// Which token comes next. Draws are numbers of a position, not of a stream: they depend on the
// seed, the request and the token's place only, whatever else is computed beside it.
namespace crucible::engine {

// kInvalidArgument: a temperature, top_p or number that makes no sense.
Status check_settings(const GenerationSettings& settings);

// Uniform in [0, 1), by SplitMix64 (Steele, Lea, Flood 2014) over the seed, the repeat and the
// request's text.
class DrawStream {
 public:
  DrawStream(std::uint64_t seed, std::uint32_t repeat, std::string_view context);
  double at(std::uint64_t step) const;

 private:
  std::uint64_t key_;
};

// The argmax, the first of equal ones; or under do_sample a token drawn after temperature, top_k
// and top_p, in that order and by the rules of transformers' logits processors. A temperature of 0
// is the argmax. The logits must be finite.
TokenId choose_token(std::span<const float> logits, const GenerationSettings& settings,
                     double uniform);

}  // namespace crucible::engine
