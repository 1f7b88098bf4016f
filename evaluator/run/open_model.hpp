#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "evaluator/engine/llama_model.hpp"
#include "merger/base/digest.hpp"

namespace crucible::run {

// A model by what its name looks like: a checkpoint folder or a .gguf file of this machine. Errors
// as load_llama_model's; kNotFound when there is nothing of that name.
Result<std::unique_ptr<engine::LanguageModel>> open_model(const std::string& name,
                                                          const engine::LlamaOptions& options);

// Who a local model is, for what is kept of it: names, sizes and times of its weights, and the
// contents of its small files. Cheap; a copy with other times counts as another model.
Result<Digest> model_identity(const std::filesystem::path& model,
                              const std::filesystem::path& weights_file = {});

}  // namespace crucible::run
