#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "merger/tokenizer/model_tokenizer.hpp"
#include "nlohmann/json.hpp"

// Writing tokenizer.json. The parsed file is held with sorted keys (a vocabulary in insertion
// order would be found by linear search), so the customary order is restored on writing.
namespace crucible::tokenizer {

nlohmann::ordered_json added_token_json(std::uint32_t id, const AddedToken& token);

// Takes tokens out of `model` of a BPE tokenizer, with the merges that need them.
void remove_tokens(nlohmann::json& model, const std::unordered_set<std::string>& tokens);

// The file's text: keys in the order of the tokenizers library, the vocabulary by id.
std::string tokenizer_text(const nlohmann::json& file);

}  // namespace crucible::tokenizer
