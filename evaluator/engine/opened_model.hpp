#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "evaluator/chat/chat_template.hpp"
#include "evaluator/engine/decoder.hpp"
#include "evaluator/engine/weight_memory.hpp"
#include "evaluator/tokenizer/text_codec.hpp"

namespace crucible::engine {

// A model with everything a run needs to know of it, checked: no id of the codec reaches past the
// logits, no size past what llama.cpp holds.
struct OpenedModel {
  std::shared_ptr<llama_model> model;
  std::unique_ptr<tokenizer::TextCodec> codec;
  ModelDescription description;
  std::uint32_t vocabulary = 0;  // logits a token
  unsigned threads = 1;
  std::vector<TokenId> end_tokens;  // that end a generated text
  Result<chat::ChatTemplate> chat_template = fail(ErrorCode::kNotFound, "");  // kNotFound: none
};

// `path` is a checkpoint folder or a .gguf file. Errors as load_llama_model's.
Result<OpenedModel> open_model(const std::filesystem::path& path, const LlamaOptions& options);
// The same of a source.
Result<OpenedModel> open_model(checkpoint::ModelSource& source, const LlamaOptions& options,
                               const LoadContext& context);

}  // namespace crucible::engine
