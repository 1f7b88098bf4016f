#pragma once

#include <string_view>

#include "nlohmann/json.hpp"

// What kind of module a weight belongs to, from the names that transformers uses.
namespace crucible::lora {

// "model.embed_tokens", "transformer.wte", …: a table of rows by token or position.
bool is_embedding(std::string_view module);

// Stored [in, out] (transformers' Conv1D, in the GPT-2 family) rather than [out, in]. `config` is
// the base model's config.json.
bool is_stored_in_out(const nlohmann::json& config, std::string_view module);

}  // namespace crucible::lora
