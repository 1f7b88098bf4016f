#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/tokenizer/text_codec.hpp"

// What a server of completions asks of a model beside LanguageModel: token ids in, and the
// log-probability of every token of a prompt with the most probable ones beside it.
namespace crucible::engine {

struct RankedToken {
  TokenId token = 0;
  double logprob = 0;
};

// What the model says of one place, given all tokens before it.
struct PlaceScore {
  double logprob = 0;            // of the token that stands there
  std::vector<RankedToken> top;  // the most probable, best first; of equal ones the lower id first
};

// places[i] is about token i + 1 of the prompt. The last is about the token behind the prompt: it
// has only `top`.
struct PromptScore {
  std::vector<PlaceScore> places;
};

struct TokenPrompt {
  std::vector<TokenId> tokens;
  GenerationSettings settings;
};
struct TokenGeneration {
  std::vector<TokenId> tokens;  // those that the text is made of, without what ended it
  std::string text;             // without the stop string
  StopReason stop = StopReason::kEndOfText;
};

// Same rules as LanguageModel: results in order, one caller at a time, kCorrupt for logits that are
// not finite. kInvalidArgument: an empty prompt, an id outside the vocabulary, or more tokens than
// the model's context holds. Nothing is cut.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  virtual const tokenizer::TextCodec& codec() const = 0;
  virtual std::span<const TokenId> end_tokens() const = 0;  // those that end a text

  // `top` tokens at each place, at least 1. All prompts are computed together.
  virtual Result<std::vector<PromptScore>> score_prompts(
      std::span<const std::vector<TokenId>> prompts, std::uint32_t top,
      const std::stop_token& stop) = 0;
  virtual Result<std::vector<TokenGeneration>> continue_prompts(
      std::span<const TokenPrompt> prompts, const std::stop_token& stop) = 0;
};

}  // namespace crucible::engine
