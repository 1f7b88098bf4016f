#include "evaluator/chat/chat_template.hpp"

#include <array>
#include <optional>
#include <utility>

#include "evaluator/text/strings.hpp"
#include "merger/base/json_text.hpp"

// The rules are those of transformers 5 (tokenization_utils_base.py, utils/chat_template_utils.py).
namespace crucible::chat {
namespace {

using templating::Json;

constexpr std::uint64_t kFileLimit = 64ULL << 20;  // tokenizer_config.json with 100k added tokens
constexpr std::string_view kTag = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::array<const char*, 7> kSpecialTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

// A file that need not be there; nullopt then.
Result<std::optional<std::string>> optional_text(const checkpoint::Documents& documents,
                                                 std::string_view name) {
  Result<std::string> text = documents.read(name, kFileLimit);
  if (text) return std::optional(std::move(*text));
  if (text.error().code == ErrorCode::kNotFound) return std::optional<std::string>();
  return fail(std::move(text.error()).with_context("reading the chat template"));
}

// The same as a JSON object, empty when there is none.
Result<Json> optional_object(const checkpoint::Documents& documents, std::string_view name) {
  auto text = optional_text(documents, name);
  if (!text) return fail(std::move(text.error()));
  if (!text->has_value()) return Json::object();
  Json value = parse_untrusted_json<Json>(**text);
  if (!value.is_object())
    return fail(ErrorCode::kCorrupt, documents.place(name) + " is no JSON object");
  return value;
}

std::string text_field(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "chat_template" of a JSON file: a string or named ones; nullopt without one.
Result<std::optional<std::string>> template_field(const Json& object, const std::string& file) {
  const auto found = object.find("chat_template");
  if (found == object.end() || found->is_null()) return std::optional<std::string>();
  if (found->is_string()) return std::optional(found->get<std::string>());
  if (found->is_object() && found->contains("default")) {
    return std::optional(text_field(*found, "default"));
  }
  if (found->is_array()) {
    for (const Json& named : *found) {
      if (named.is_object() && text_field(named, "name") == "default") {
        return std::optional(text_field(named, "template"));
      }
    }
  }
  return fail(ErrorCode::kUnsupported,
              file + ": chat_template has several templates and none is named \"default\"");
}

Result<std::string> find_source(const checkpoint::Documents& documents, const Json& config) {
  auto source = optional_text(documents, "chat_template.jinja");
  if (!source) return fail(std::move(source.error()));
  if (!source->has_value()) {
    auto object = optional_object(documents, "chat_template.json");
    if (!object) return fail(std::move(object.error()));
    source = template_field(*object, documents.place("chat_template.json"));
    if (!source) return fail(std::move(source.error()));
  }
  if (!source->has_value()) {
    source = template_field(config, documents.place("tokenizer_config.json"));
    if (!source) return fail(std::move(source.error()));
  }
  if (source->has_value()) return std::move(**source);
  return fail(ErrorCode::kNotFound,
              documents.label() +
                  " has no chat template: neither chat_template.jinja nor a chat_template in "
                  "tokenizer_config.json");
}

// A token's spelling: "<s>", or an object with "content".
std::string spelling(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  return found->is_object() ? text_field(*found, "content") : text_field(object, key);
}

Json special_tokens(const Json& config, const Json& map) {
  Json tokens = Json::object();
  for (const char* name : kSpecialTokens) {
    std::string token = spelling(config, name);
    if (token.empty()) token = spelling(map, name);
    if (!token.empty()) tokens[name] = std::move(token);
  }
  return tokens;
}

// Cuts the text behind the tag that was put at the end of the last message.
Result<std::string> cut_at_tag(std::string rendered, const std::string& last_content) {
  const std::string_view tag = text::strip(kTag);
  const auto at = rendered.rfind(tag);
  if (at == std::string::npos || rendered.find(text::strip(last_content)) == std::string::npos) {
    return fail(ErrorCode::kUnsupported,
                "the chat template changes the last message, so it cannot be continued");
  }
  const bool keeps_spaces = rendered.compare(at, kTag.size(), kTag) == 0;
  rendered.resize(at);
  return keeps_spaces ? rendered : std::string(text::rstrip(rendered));
}

}  // namespace

Result<ChatTemplate> ChatTemplate::load_folder(const std::filesystem::path& folder) {
  return load(checkpoint::FolderDocuments(folder));
}

Result<ChatTemplate> ChatTemplate::load(const checkpoint::Documents& documents) {
  auto config = optional_object(documents, "tokenizer_config.json");
  if (!config) return fail(std::move(config.error()));
  auto map = optional_object(documents, "special_tokens_map.json");
  if (!map) return fail(std::move(map.error()));
  auto source = find_source(documents, *config);
  if (!source) return fail(std::move(source.error()));
  auto compiled = compile(std::move(*source), special_tokens(*config, *map));
  if (!compiled) return fail(std::move(compiled.error()).with_context(documents.label()));
  return compiled;
}

Result<ChatTemplate> ChatTemplate::compile(std::string source, Json special_tokens) {
  auto compiled = templating::Template::compile(source, templating::Dialect::kChat);
  if (!compiled) return fail(std::move(compiled.error()).with_context("chat"));
  ChatTemplate chat;
  chat.source_ = std::move(source);
  chat.special_tokens_ = std::move(special_tokens);
  chat.template_ = std::move(*compiled);
  return chat;
}

Result<std::string> ChatTemplate::apply(std::span<const ChatMessage> messages,
                                        bool add_generation_prompt, bool continue_last) const {
  if (messages.empty()) {
    return fail(ErrorCode::kInvalidArgument, "a chat template needs at least one message");
  }
  if (continue_last && add_generation_prompt) {
    return fail(ErrorCode::kInvalidArgument,
                "a conversation is either continued or given a generation prompt");
  }
  if (continue_last && source_.find("content") == std::string::npos) {
    return fail(ErrorCode::kUnsupported, "the chat template does not read \"content\"");
  }
  Json variables = special_tokens_;
  Json& list = variables["messages"] = Json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  if (continue_last) {
    list.back()["content"] = messages.back().content + std::string(kTag);
  }
  variables["tools"] = nullptr;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = add_generation_prompt;
  auto rendered = template_.render(variables);
  if (!rendered) return fail(std::move(rendered.error()).with_context("chat"));
  if (!continue_last) return rendered;
  return cut_at_tag(std::move(*rendered), messages.back().content);
}

}  // namespace crucible::chat
