#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/checkpoint/checkpoint.hpp"

struct crucible_tokenizer;

// Text to token ids and back, exactly as the Hugging Face `tokenizers` library does it: this wraps
// that library (rust/) around a checkpoint's tokenizer.json.
namespace crucible::tokenizer {

// Move-only; const methods are safe from several threads.
class Tokenizer {
 public:
  // `vocabulary` is the number of embedding rows: text that gets an id at or above it cannot be
  // encoded (kInvalidArgument). A folder without tokenizer.json is kInvalidArgument too, naming the
  // tokenizer files it has; a file that the library refuses is kCorrupt.
  static Result<Tokenizer> load(const checkpoint::Checkpoint& checkpoint, std::uint64_t vocabulary);

  Result<std::vector<std::int32_t>> encode(std::string_view text, bool add_special) const;
  Result<std::string> decode(std::span<const std::int32_t> ids, bool skip_special) const;
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  // The spelling of an id as tokenizer.json has it ("Ġthe"); nullopt for ids that nothing has.
  std::optional<std::string> token(std::int32_t id) const;

  // From tokenizer_config.json or special_tokens_map.json (a spelling), else config.json (an id).
  std::optional<std::int32_t> bos() const { return bos_; }
  std::optional<std::int32_t> eos() const { return eos_; }
  std::optional<std::int32_t> pad() const { return pad_; }
  const std::string& bos_text() const { return bos_text_; }  // "" without BOS
  // Ids that the post-processor puts in front of every text; usually nothing or BOS.
  const std::vector<std::int32_t>& prefix() const { return prefix_; }
  // Whether it also puts ids behind (or changes those of the text): unfit for continuing a text.
  bool adds_behind() const { return adds_behind_; }

 private:
  struct Free {
    void operator()(crucible_tokenizer* handle) const;
  };
  Status find_special_tokens(const checkpoint::Checkpoint& checkpoint);
  Status find_prefix();

  std::unique_ptr<crucible_tokenizer, Free> handle_;
  std::uint64_t vocabulary_ = 0;
  std::optional<std::int32_t> bos_;
  std::optional<std::int32_t> eos_;
  std::optional<std::int32_t> pad_;
  std::string bos_text_;
  std::vector<std::int32_t> prefix_;
  bool adds_behind_ = false;
};

}  // namespace crucible::tokenizer
