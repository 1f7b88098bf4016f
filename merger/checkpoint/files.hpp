#pragma once

#include <array>
#include <string_view>

// Names of the files of a model folder.
namespace crucible::checkpoint {

inline constexpr std::string_view kConfigFile = "config.json";
inline constexpr std::string_view kWeightsFile = "model.safetensors";
inline constexpr std::string_view kIndexFile = "model.safetensors.index.json";

// What decides how text becomes tokens and where generation stops; copied with a model, counted in
// its content digest.
inline constexpr std::array<std::string_view, 10> kTokenizerFiles = {
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
};

}  // namespace crucible::checkpoint
