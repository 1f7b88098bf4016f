#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "evaluator/chat/chat_message.hpp"
#include "evaluator/template/template.hpp"
#include "merger/checkpoint/documents.hpp"

// A checkpoint's chat template, as transformers' apply_chat_template renders it. Templates can ask
// for the date (strftime_now): it is that of the machine, or SOURCE_DATE_EPOCH where that is set.
namespace crucible::chat {

// Const methods are safe from several threads.
class ChatTemplate {
 public:
  // From chat_template.jinja, chat_template.json or tokenizer_config.json ("chat_template": a
  // string, or a list of named ones, of which "default" counts); special tokens from
  // tokenizer_config.json and special_tokens_map.json. kNotFound: there is none.
  static Result<ChatTemplate> load(const checkpoint::Documents& documents);
  // The same of a folder that need not hold weights, for a model that is computed elsewhere.
  static Result<ChatTemplate> load_folder(const std::filesystem::path& folder);
  // For tests and GGUF files.
  static Result<ChatTemplate> compile(std::string source, templating::Json special_tokens);

  // With `add_generation_prompt` false the last message is left open to be continued
  // (continue_final_message) when `continue_last`.
  Result<std::string> apply(std::span<const ChatMessage> messages, bool add_generation_prompt,
                            bool continue_last = false) const;
  const std::string& source() const { return source_; }

 private:
  std::string source_;
  templating::Json special_tokens_;
  templating::Template template_;
};

}  // namespace crucible::chat
