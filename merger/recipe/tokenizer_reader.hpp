#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "merger/recipe/faults.hpp"
#include "merger/recipe/recipe.hpp"
#include "merger/recipe/yaml_tree.hpp"

// The parts of a recipe that say which tokenizer and chat template the merged model gets.
namespace crucible::recipe {

// Chat templates that a recipe may name instead of giving the text.
inline constexpr std::array<std::string_view, 5> kBuiltInChatTemplates{"alpaca", "chatml", "exaone",
                                                                       "llama3", "mistral"};

// `tokenizer_source` or `tokenizer` of the recipe `root`; nullopt when neither is set or one is
// faulty. `tokens` may be a map, or a list of maps with one key each.
std::optional<TokenizerSetting> read_tokenizer(const YamlNode& root, Faults& faults);

// `chat_template`: "auto", one of kBuiltInChatTemplates, or a Jinja text; "" when unset or faulty.
std::string read_chat_template(const YamlNode& root, Faults& faults);

}  // namespace crucible::recipe
