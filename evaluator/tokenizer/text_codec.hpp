#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"

// Text to token ids and back, whichever file the vocabulary comes from: a checkpoint's
// tokenizer.json (tokenizer.hpp) or the metadata of a GGUF file (engine/gguf_codec.hpp).
namespace crucible::tokenizer {

// Const methods are safe from several threads.
class TextCodec {
 public:
  virtual ~TextCodec() = default;

  // Special tokens that are spelled in the text are recognised; with `add_special` those that
  // belong around a text are added. kInvalidArgument: an id that the model has no embedding row
  // for.
  virtual Result<std::vector<std::int32_t>> encode(std::string_view text,
                                                   bool add_special) const = 0;
  virtual Result<std::string> decode(std::span<const std::int32_t> ids,
                                     bool skip_special) const = 0;
  virtual std::optional<std::int32_t> token_to_id(std::string_view token) const = 0;

  virtual std::optional<std::int32_t> bos() const = 0;
  virtual std::optional<std::int32_t> eos() const = 0;
  virtual const std::string& bos_text() const = 0;  // "" without BOS
  virtual const std::string& eos_text() const = 0;  // "" without EOS
  // Ids that `add_special` puts in front of every text; usually nothing or BOS.
  virtual const std::vector<std::int32_t>& prefix() const = 0;
  // Whether it also puts ids behind (or changes those of the text): unfit for continuing a text.
  virtual bool adds_behind() const = 0;
  // Ids that end a generated text by the vocabulary's own word: EOS, and others that mean it.
  virtual std::vector<std::int32_t> ends() const {
    return eos() ? std::vector<std::int32_t>{*eos()} : std::vector<std::int32_t>();
  }
};

}  // namespace crucible::tokenizer
