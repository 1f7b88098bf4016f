#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "evaluator/engine/llama_loading.hpp"
#include "evaluator/tokenizer/text_codec.hpp"

namespace crucible::engine {

// A model with everything a run needs to know of it, checked: no id of the codec reaches past the
// logits, no size past what llama.cpp holds.
struct OpenedModel {
  ModelHandle model;
  std::unique_ptr<tokenizer::TextCodec> codec;
  ModelDescription description;
  std::uint32_t vocabulary = 0;  // logits a token
  unsigned threads = 1;
  std::optional<checkpoint::Checkpoint> checkpoint;  // of a folder
  std::string gguf_chat_template;                    // of a .gguf file; "" = none
};

// `path` is a checkpoint folder or a .gguf file. Errors as load_llama_model's.
Result<OpenedModel> open_model(const std::filesystem::path& path, const LlamaOptions& options);

}  // namespace crucible::engine
