#pragma once

#include <span>
#include <string>
#include <vector>

#include "evaluator/engine/language_model.hpp"
#include "evaluator/tokenizer/text_codec.hpp"

// Where generated text ends, by the rules of lm-evaluation-harness's generate_until
// (models/utils_hf.py, models/utils.py): generation ends with the token that completes a stop
// string, in text that spells special tokens out; the answer leaves special tokens out and is cut
// before the first place of each stop string in turn.
namespace crucible::engine {

class StopStrings {
 public:
  // The codec's EOS, as text, is a stop string too. Empty strings are none.
  StopStrings(const tokenizer::TextCodec& codec, std::vector<std::string> until);

  // Whether a stop string ends in the last of these tokens, wherever the tokens' borders lie. To be
  // asked after each token.
  Result<bool> reached(std::span<const TokenId> generated) const;
  // Whether that one is the codec's EOS rather than one of `until`.
  Result<bool> is_end_of_text(std::span<const TokenId> generated) const;
  Result<std::string> text(std::span<const TokenId> generated) const;

 private:
  Result<std::string> tail(std::span<const TokenId> generated) const;

  const tokenizer::TextCodec& codec_;
  std::vector<std::string> stops_;
  bool eos_is_last_ = false;  // EOS was added to what the caller gave
  std::size_t longest_ = 0;   // bytes
};

}  // namespace crucible::engine
