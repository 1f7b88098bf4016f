#pragma once

#include <filesystem>
#include <memory>

#include "evaluator/engine/llama_model.hpp"
#include "merger/moe/prompt_model.hpp"

namespace crucible::engine {

struct HiddenStateOptions {
  // f32 takes the checkpoint's weights as they are; the others save memory and round activations
  // too.
  WeightType weights = WeightType::kF32;
  unsigned threads = 0;  // as LlamaOptions::threads
};

// The checkpoint's tokenizer, and the states that enter its layers computed by llama.cpp, for
// families that load_llama_model computes. BOS is the one that the tokenizer's own files name
// (tokenizer_config.json, special_tokens_map.json, or the default of its Llama tokenizer class), as
// transformers finds it; config.json's bos_token_id does not count. Errors: kInvalidArgument (no
// usable tokenizer), kUnsupported, kCorrupt.
Result<std::unique_ptr<moe::PromptModel>> open_prompt_model(const std::filesystem::path& folder,
                                                            const HiddenStateOptions& options);

}  // namespace crucible::engine
