#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>

#include "merger/base/error.hpp"

struct llama_model;

// A decoder with its memory of keys and values: what log-likelihoods and generation are computed
// on. A sequence is a number that tokens in memory belong to; tokens may belong to several.
namespace crucible::engine {

using TokenId = std::int32_t;

// One token of a step. It belongs to the sequences [first_sequence, first_sequence + sequences).
struct BatchToken {
  TokenId token = 0;
  std::int32_t position = 0;
  std::int32_t first_sequence = 0;
  std::int32_t sequences = 1;
  bool wants_logits = false;
};

// What a decoder must hold.
struct Capacity {
  std::size_t cells = 1;    // tokens in memory, each counted once however many sequences share it
  std::size_t tokens = 1;   // of one step
  std::size_t outputs = 1;  // tokens of one step that want logits
  std::size_t sequences = 1;
};

// Not thread-safe.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Computes the tokens, each after all that stand before it in the same sequence, and keeps them
  // in memory. kCancelled when asked to stop.
  virtual Status decode(std::span<const BatchToken> tokens) = 0;
  // Logits behind tokens[index] of the last step; valid until the next. Empty: it wanted none.
  virtual std::span<const float> logits(std::size_t index) const = 0;

  virtual void clear() = 0;
  // Empties all sequences but one.
  virtual void keep_only(std::int32_t sequence) = 0;
  // Leaves the first `length` tokens of the sequence.
  virtual void truncate(std::int32_t sequence, std::size_t length) = 0;
  // `to`, which must be empty, begins with the first `length` tokens of `from`. Copies nothing.
  virtual void share(std::int32_t from, std::int32_t to, std::size_t length) = 0;
};

// Tokens that one step can hold so that its attention scores stay within 128 MiB.
std::size_t step_tokens(const llama_model* model, std::size_t cells);
// Bytes of keys and values of one token.
std::size_t cell_bytes(const llama_model* model);

// A decoder of llama.cpp in reference mode: F32 keys and values, no flash attention. The stop token
// is looked at within a step too.
Result<std::unique_ptr<Decoder>> make_decoder(llama_model* model, const Capacity& capacity,
                                              unsigned threads, std::stop_token stop);

}  // namespace crucible::engine
