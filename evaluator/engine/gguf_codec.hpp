#pragma once

#include <filesystem>
#include <memory>

#include "evaluator/engine/gguf_file.hpp"
#include "evaluator/tokenizer/text_codec.hpp"

namespace crucible::engine {

// The vocabulary of a GGUF file, by llama.cpp's tokenizer; `facts` are those of the file. Errors:
// kInvalidArgument (the file has none), kUnsupported (llama.cpp refuses it).
Result<std::unique_ptr<tokenizer::TextCodec>> open_gguf_codec(const std::filesystem::path& file,
                                                              const GgufFacts& facts);

}  // namespace crucible::engine
