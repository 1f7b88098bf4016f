#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/io.hpp"

// Chat templates: Jinja texts that turn a list of messages into a prompt, kept beside a tokenizer.
namespace crucible::tokenizer {

// The text of a template that recipes may name (recipe::kBuiltInChatTemplates); nullopt for others.
std::optional<std::string_view> built_in_chat_template(std::string_view name);

// The text that a recipe's `chat_template` stands for. "auto": the one that most of the models in
// `folders` have, white space around it left out, the first of those equally frequent; "" when none
// has one. A built-in's name: its text. Else the setting itself. Errors: of reading the files.
Result<std::string> resolve_chat_template(const std::string& setting,
                                          const std::vector<std::filesystem::path>& folders,
                                          io::Syscalls& calls = io::system());

}  // namespace crucible::tokenizer
