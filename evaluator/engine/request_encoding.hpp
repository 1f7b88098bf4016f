#pragma once

#include <span>
#include <string>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/tokenizer/text_codec.hpp"

// From text to what a decoder computes, by the rules of lm-evaluation-harness 0.4 (api/model.py,
// models/huggingface.py): whitespace at the end of the context belongs to the continuation, both
// are encoded as one text, and the continuation is what follows the context's own tokens.
namespace crucible::engine {

// `input` holds context and continuation without its last token. The logits at the last
// targets.size() positions predict `targets`.
struct EncodedRequest {
  std::vector<TokenId> input;
  std::vector<TokenId> targets;  // the continuation, at least one
  bool truncated = false;
  bool encoded_apart = false;

  std::size_t first_scored() const { return input.size() - targets.size(); }
};

// Errors, with the request's number: kInvalidArgument for a continuation that is empty or longer
// than `max_length` tokens, an id outside the vocabulary, or an empty context when the tokenizer
// has neither BOS nor EOS; kUnsupported under BosRule::kTokenizer when the tokenizer adds ids
// behind the text.
Result<std::vector<EncodedRequest>> encode_requests(const tokenizer::TextCodec& tokenizer,
                                                    BosRule bos, std::uint32_t max_length,
                                                    std::span<const LoglikelihoodRequest> requests);

// A whole text: special tokens as `bos` says, an empty one becomes the token that stands for a
// context. Errors as above.
Result<std::vector<TokenId>> encode_prompt(const tokenizer::TextCodec& tokenizer, BosRule bos,
                                           const std::string& text);

// A text in windows by the harness's rule (utils.get_rolling_token_windows with one token of
// context): every token is a target once, the first behind the token that stands for a context,
// every window but the last predicts `max_length` tokens and the last has as much to its left as
// fits. No windows for a text without tokens.
Result<std::vector<EncodedRequest>> encode_windows(const tokenizer::TextCodec& tokenizer,
                                                   BosRule bos, std::uint32_t max_length,
                                                   const std::string& text);

}  // namespace crucible::engine
