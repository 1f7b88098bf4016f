#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/engine/gguf_vocabulary.hpp"
#include "evaluator/engine/language_model.hpp"

// llama.cpp splits text before byte-pair encoding by one of a fixed list of rules, named in the
// file. Which of them, if any, a tokenizer.json follows is found by trying: texts are encoded by
// both.
namespace crucible::engine {

// Texts that tell the rules apart: numbers, contractions, whitespace, scripts, punctuation, code.
std::span<const std::string_view> probe_texts();

// Completes pre and add_space_prefix with the first choice by which llama.cpp encodes every probe,
// and up to two thousand of the vocabulary's own tokens as texts, as `tokenizer` does. kUnsupported
// shows the first difference of the choice that came furthest. What differs around added tokens
// or in text that a normalizer changes becomes a warning. `architecture` is llama.cpp's.
Status fit_vocabulary(GgufVocabulary& vocabulary, std::string_view architecture,
                      const tokenizer::Tokenizer& tokenizer);

// Encodes the same once more with a written file's vocabulary; kInternal where they differ.
Status verify_vocabulary(const std::filesystem::path& gguf, const tokenizer::Tokenizer& tokenizer,
                         const GgufVocabulary& vocabulary);

// The ids that llama.cpp gives each text by a file's vocabulary; special tokens in it are parsed,
// with `add_special` those around it are added.
Result<std::vector<std::vector<TokenId>>> encode_by_gguf(const std::filesystem::path& gguf,
                                                         std::span<const std::string> texts,
                                                         bool add_special);

}  // namespace crucible::engine
