#pragma once

#include <filesystem>
#include <memory>

#include "evaluator/engine/language_model.hpp"

namespace crucible::engine {

enum class WeightType { kF32, kBF16, kF16, kQ8_0, kQ4K };
struct LlamaOptions {
  WeightType weights =
      WeightType::kF32;  // f32 with f32 KV and no flash attention is the reference mode
  // 0 = one per hardware thread, a single one for models under 20 million parameters. Results do
  // not depend on it. More threads than free cores cost far more than they bring: they spin on each
  // other.
  unsigned threads = 0;
  // 0 = the model's own. Memory follows what requests need, not this. More than the model's
  // positions or its sliding window, past which this engine would compute something else, is
  // kInvalidArgument.
  std::uint32_t context_length = 0;
  // false computes every request by itself, to measure what sharing prefixes brings.
  bool share_prefixes = true;
  // New tokens a batch of log-likelihoods, 0 = as measured best. Results differ by rounding.
  std::uint32_t batch_tokens = 0;
  // A GGUF file of the same model, such as export_gguf writes, to take the weights from in place
  // of the folder's; `weights` then counts for nothing. Text is still encoded by tokenizer.json.
  std::filesystem::path weights_file = {};
  // Layers computed on a graphics card, in builds of llama.cpp with such a back end; others take no
  // notice.
  std::uint32_t gpu_layers = 0;
};

// Loads a Hugging Face checkpoint folder without an intermediate file on disk, or a .gguf file with
// the vocabulary and chat template in it, and computes on the CPU by llama.cpp. Errors:
// kUnsupported (architecture), kCorrupt, kInvalidArgument (no usable tokenizer).
Result<std::unique_ptr<LanguageModel>> load_llama_model(const std::filesystem::path& path,
                                                        const LlamaOptions& options);

}  // namespace crucible::engine
