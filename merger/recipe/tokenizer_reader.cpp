#include "merger/recipe/tokenizer_reader.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <span>

#include "merger/recipe/model_reference.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::recipe {
namespace {

constexpr std::array<std::string_view, 3> kTokenizerKeys{"source", "tokens", "pad_to_multiple_of"};
constexpr std::array<std::string_view, 2> kTokenKeys{"source", "force"};
constexpr std::array<std::string_view, 4> kSourceKeys{"kind", "model", "token", "token_id"};
constexpr std::array<std::string_view, 3> kReferenceKeys{"model", "lora", "override_architecture"};
constexpr std::array<std::string_view, 2> kKinds{"model_token", "zero"};
constexpr std::size_t kShortestTemplate = 20;  // bytes; less is a mistyped name
constexpr std::uint64_t kMostPadding = 1U << 20;

const YamlNode* present(const YamlNode& map, std::string_view key) {
  const YamlNode* node = map.find(key);
  return node != nullptr && !node->is_null() ? node : nullptr;
}

std::optional<std::uint64_t> whole_number(const YamlNode& node) {
  std::uint64_t number = 0;
  const char* end = node.scalar.data() + node.scalar.size();
  const auto [stop, error] = std::from_chars(node.scalar.data(), end, number);
  if (!node.is_scalar() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

class TokenizerReader {
 public:
  explicit TokenizerReader(Faults& faults) : faults_(faults) {}

  std::optional<TokenizerSetting> read(const YamlNode& root) {
    const YamlNode* source = present(root, "tokenizer_source");
    const YamlNode* tokenizer = present(root, "tokenizer");
    if (source != nullptr && tokenizer != nullptr) {
      faults_.add("tokenizer", "`tokenizer` and `tokenizer_source` exclude each other",
                  "keep `tokenizer` and write the source there: `source: …`");
      return std::nullopt;
    }
    if (source == nullptr && tokenizer == nullptr) return std::nullopt;
    TokenizerSetting setting;
    if (source != nullptr) {
      read_choice(*source, "tokenizer_source", setting);
      return setting;
    }
    if (!tokenizer->is_map()) {
      faults_.add("tokenizer", "must be a map with `source`, `tokens`, `pad_to_multiple_of`",
                  "for the source alone write `tokenizer_source: …`");
      return std::nullopt;
    }
    check_keys(*tokenizer, "tokenizer", kTokenizerKeys);
    if (const YamlNode* node = present(*tokenizer, "source"))
      read_choice(*node, "tokenizer.source", setting);
    if (const YamlNode* node = present(*tokenizer, "tokens")) read_tokens(*node, setting);
    if (const YamlNode* node = present(*tokenizer, "pad_to_multiple_of")) {
      const auto number = whole_number(*node);
      if (!number || *number == 0 || *number > kMostPadding) {
        faults_.add("tokenizer.pad_to_multiple_of",
                    "must be a whole number from 1 to " + std::to_string(kMostPadding));
      }
      setting.pad_to_multiple_of = number.value_or(0);
    }
    return setting;
  }

 private:
  void check_keys(const YamlNode& map, const std::string& path,
                  std::span<const std::string_view> known) {
    for (const auto& [key, value] : map.entries) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      std::string suggestion = did_you_mean(key, known);
      if (suggestion.empty()) suggestion = "known here: " + join(known);
      faults_.add(child_path(path, key), "unknown key `" + printable(key) + "`",
                  std::move(suggestion));
    }
  }

  void read_choice(const YamlNode& node, const std::string& path, TokenizerSetting& setting) {
    if (node.is_scalar() && node.scalar == "union") {
      setting.choice = TokenizerChoice::kUnion;
    } else if (node.is_scalar() && node.scalar == "base") {
      setting.choice = TokenizerChoice::kBase;
    } else if (node.is_sequence()) {
      faults_.add(path, "must be `union`, `base` or a model, not a list");
    } else if (auto model = read_model_reference(node, path, faults_)) {
      setting.choice = TokenizerChoice::kModel;
      setting.model = std::move(*model);
    }
  }

  void read_tokens(const YamlNode& node, TokenizerSetting& setting) {
    const std::string path = "tokenizer.tokens";
    std::set<std::string> seen;
    const auto read = [&](const std::string& text, const YamlNode& entry, const std::string& at) {
      if (text.empty()) faults_.add(at, "a token must not be empty");
      if (!seen.insert(text).second) faults_.add(at, "the token stands twice");
      setting.tokens.push_back(read_token(text, entry, at));
    };
    if (node.is_map()) {
      for (const auto& [text, entry] : node.entries) read(text, entry, child_path(path, text));
      return;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      if (item.is_map() && item.entries.size() == 1) {
        read(item.entries[0].key, item.entries[0].value,
             child_path(child_path(path, i), item.entries[0].key));
      } else {
        faults_.add(child_path(path, i), "must be one token: `TEXT: {source: …}`");
      }
    }
    if (!node.is_sequence()) {
      faults_.add(path, "must be a map of tokens", "`tokens: {\"<|im_start|>\": {source: …}}`");
    }
  }

  TokenSetting read_token(const std::string& text, const YamlNode& node, const std::string& path) {
    TokenSetting token{text, {}, false};
    if (node.is_null()) return token;
    if (!node.is_map()) {
      faults_.add(path, "must be a map with `source` and `force`");
      return token;
    }
    check_keys(node, path, kTokenKeys);
    if (const YamlNode* source = present(node, "source"))
      token.source = read_source(*source, child_path(path, "source"));
    if (const YamlNode* force = present(node, "force")) {
      const auto value = force->is_scalar() ? parse_boolean(force->scalar) : std::nullopt;
      if (!value) faults_.add(child_path(path, "force"), "must be true or false");
      token.force = value.value_or(false);
    }
    return token;
  }

  TokenSource read_source(const YamlNode& node, const std::string& path) {
    TokenSource source;
    const bool is_reference =
        node.is_map() && node.find("kind") == nullptr &&
        std::all_of(node.entries.begin(), node.entries.end(), [](const YamlNode::Entry& entry) {
          return std::find(kReferenceKeys.begin(), kReferenceKeys.end(), entry.key) !=
                 kReferenceKeys.end();
        });
    if (!node.is_map() || is_reference) {
      if (auto model = read_model_reference(node, path, faults_)) {
        source.kind = TokenSource::Kind::kModel;
        source.model = std::move(*model);
      }
      return source;
    }
    check_keys(node, path, kSourceKeys);
    const YamlNode* kind = present(node, "kind");
    if (kind != nullptr && kind->scalar == "zero") {
      source.kind = TokenSource::Kind::kZero;
    } else if (kind != nullptr && kind->scalar == "model_token") {
      read_model_token(node, path, source);
    } else {
      faults_.add(child_path(path, "kind"),
                  kind == nullptr ? "is missing" : "`" + printable(kind->scalar) + "` is unknown",
                  "a model's name, {kind: zero} or {kind: model_token, model: …, token: …}");
    }
    return source;
  }

  void read_model_token(const YamlNode& node, const std::string& path, TokenSource& source) {
    source.kind = TokenSource::Kind::kModelToken;
    const YamlNode* model = present(node, "model");
    if (model == nullptr) faults_.add(path, "`model` is missing");
    if (model != nullptr)
      source.model = read_model_reference(*model, child_path(path, "model"), faults_)
                         .value_or(ModelReference{});
    const YamlNode* token = present(node, "token");
    const YamlNode* number = present(node, "token_id");
    if ((token == nullptr) == (number == nullptr)) {
      faults_.add(path, "give exactly one of `token` and `token_id`");
      return;
    }
    if (token != nullptr && !token->is_scalar()) faults_.add(child_path(path, "token"), "no text");
    if (token != nullptr) source.token = token->scalar;
    if (number == nullptr) return;
    source.token_id = whole_number(*number);
    if (!source.token_id)
      faults_.add(child_path(path, "token_id"), "must be a whole number from 0");
  }

  Faults& faults_;
};

}  // namespace

std::optional<TokenizerSetting> read_tokenizer(const YamlNode& root, Faults& faults) {
  return TokenizerReader(faults).read(root);
}

std::string read_chat_template(const YamlNode& root, Faults& faults) {
  const YamlNode* node = present(root, "chat_template");
  if (node == nullptr) return {};
  if (!node->is_scalar()) {
    faults.add("chat_template", "must be text, not a list or a map");
    return {};
  }
  const std::string& text = node->scalar;
  const bool is_name =
      text == "auto" || std::find(kBuiltInChatTemplates.begin(), kBuiltInChatTemplates.end(),
                                  text) != kBuiltInChatTemplates.end();
  if (is_name || (text.size() >= kShortestTemplate && text.find('{') != std::string::npos))
    return text;
  std::string suggestion = did_you_mean(text, kBuiltInChatTemplates);
  if (!suggestion.empty()) suggestion += " ";
  faults.add("chat_template",
             "`" + printable(text) + "` is neither a built-in template nor a Jinja text",
             suggestion + "auto, " + join(kBuiltInChatTemplates) + ", or a template's text");
  return {};
}

}  // namespace crucible::recipe
