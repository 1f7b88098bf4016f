#include "merger/lora/module_kind.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace crucible::lora {
namespace {

template <std::size_t Count>
bool is_one_of(std::string_view name, const std::array<std::string_view, Count>& names) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view last_part(std::string_view module) {
  return module.substr(module.rfind('.') + 1);  // npos + 1 is 0
}

}  // namespace

bool is_embedding(std::string_view module) {
  constexpr std::array<std::string_view, 12> kNames = {"embed_tokens",
                                                       "embed_positions",
                                                       "embed_in",
                                                       "wte",
                                                       "wpe",
                                                       "word_embeddings",
                                                       "tok_embeddings",
                                                       "position_embeddings",
                                                       "token_type_embeddings",
                                                       "tokens_embed",
                                                       "embeddings",
                                                       "shared"};
  return is_one_of(last_part(module), kNames);
}

bool is_stored_in_out(const nlohmann::json& config, std::string_view module) {
  constexpr std::array<std::string_view, 4> kModelTypes = {"gpt2", "openai-gpt", "imagegpt",
                                                           "decision_transformer"};
  constexpr std::array<std::string_view, 4> kModules = {"c_attn", "c_proj", "c_fc", "q_attn"};
  const auto type = config.find("model_type");
  if (type == config.end() || !type->is_string()) return false;
  return is_one_of(type->get_ref<const std::string&>(), kModelTypes) &&
         is_one_of(last_part(module), kModules);
}

}  // namespace crucible::lora
