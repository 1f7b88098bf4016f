#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/engine/gguf.hpp"
#include "evaluator/tokenizer/tokenizer.hpp"
#include "merger/checkpoint/checkpoint.hpp"

// A checkpoint's tokenizer in the terms of GGUF (ggml/docs/gguf.md, "Tokenizer").
namespace crucible::engine {

// Token types as GGUF numbers them.
enum class GgufTokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // special added tokens
  kUserDefined = 4,  // other added tokens: found in text before anything else
  kUnused = 5,       // embedding rows without a token
  kByte = 6,         // <0x0A>
};

struct GgufVocabulary {
  std::string model;                     // "gpt2": byte-level BPE; "llama": with byte fallback
  std::string pre;                       // pre-tokenizer, by llama.cpp's name
  std::optional<bool> add_space_prefix;  // model llama only
  std::vector<std::string> tokens;       // one for each embedding row, all different
  std::vector<std::int32_t> types;       // GgufTokenType
  std::vector<float> scores;             // model llama only: higher is merged first
  std::vector<std::string> merges;       // model gpt2 only: "left right"
  std::optional<std::int32_t> bos, eos, unknown, pad;
  bool add_bos = false;
  bool add_eos = false;
  std::string chat_template;          // "" = none
  std::vector<std::string> warnings;  // what GGUF cannot say, one sentence each
};

// From tokenizer.json, of which `tokenizer` was loaded, and the files beside it; `rows` is the
// number of embedding rows. The pre-tokenizer and add_space_prefix stay open: fit_vocabulary finds
// them. kUnsupported, with the reason: a tokenizer that is no BPE, or BPE of another kind.
Result<GgufVocabulary> read_vocabulary(const checkpoint::Checkpoint& checkpoint,
                                       const tokenizer::Tokenizer& tokenizer, std::uint64_t rows);

// Adds the tokenizer.* keys.
void set_vocabulary(GgufHeader& header, const GgufVocabulary& vocabulary);

}  // namespace crucible::engine
