#pragma once

#include <span>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/tokenizer/tokenizer.hpp"

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
Result<std::vector<EncodedRequest>> encode_requests(const tokenizer::Tokenizer& tokenizer,
                                                    BosRule bos, std::uint32_t max_length,
                                                    std::span<const LoglikelihoodRequest> requests);

}  // namespace crucible::engine
