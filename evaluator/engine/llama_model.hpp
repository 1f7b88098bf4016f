#pragma once

#include <filesystem>
#include <memory>

#include "evaluator/engine/language_model.hpp"

namespace crucible::engine {

enum class WeightType { kF32, kBF16, kF16, kQ8_0 };
// Whether a beginning-of-sequence token goes before the context.
enum class BosRule {
  kNever,
  kTokenizer
};  // tokenizer: as tokenizer.json's post-processor adds specials

struct LlamaOptions {
  WeightType weights =
      WeightType::kF32;  // f32 with f32 KV and no flash attention is the reference mode
  // 0 = one per hardware thread, a single one for models under 20 million parameters. Results do
  // not depend on it. More threads than free cores cost far more than they bring: they spin on each
  // other.
  unsigned threads = 0;
  BosRule bos = BosRule::kNever;
  // 0 = the model's own, at most 4096. More than the model's positions or its sliding window, past
  // which this engine would compute something else, is kInvalidArgument.
  std::uint32_t context_length = 0;
  // false computes every request by itself, to measure what sharing prefixes brings.
  bool share_prefixes = true;
  // A GGUF file of the same model, such as export_gguf writes, to take the weights from in place
  // of the folder's; `weights` then counts for nothing. Text is still encoded by tokenizer.json.
  std::filesystem::path weights_file = {};
};

// Loads a Hugging Face checkpoint folder without an intermediate file on disk and computes on the
// CPU by llama.cpp. Errors: kUnsupported (architecture), kCorrupt, kInvalidArgument (no usable
// tokenizer).
Result<std::unique_ptr<LanguageModel>> load_llama_model(const std::filesystem::path& folder,
                                                        const LlamaOptions& options);

}  // namespace crucible::engine
