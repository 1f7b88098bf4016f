#include "evaluator/engine/gguf_vocabulary.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"

namespace crucible::engine {
namespace {

using nlohmann::json;

constexpr std::uint64_t kTokenizerLimit = 128ULL << 20;
constexpr std::uint64_t kConfigLimit = 16ULL << 20;

tl::unexpected<Error> unsupported(const std::string& reason) {
  return fail(ErrorCode::kUnsupported, "tokenizer.json cannot be written as GGUF: " + reason);
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Whether a component of that type is there, by itself or in a sequence.
bool has_component(const json& component, std::string_view type) {
  if (component.is_array()) {
    return std::any_of(component.begin(), component.end(),
                       [&](const json& part) { return has_component(part, type); });
  }
  if (!component.is_object()) return false;
  if (text_in(component, "type") == type) return true;
  for (const char* list : {"pretokenizers", "decoders", "normalizers"}) {
    if (component.contains(list) && has_component(component[list], type)) return true;
  }
  return false;
}

Result<std::string> kind_of(const json& whole, const json& model) {
  const std::string type = text_in(model, "type");
  if (type != "BPE" && !(type.empty() && model.contains("merges"))) {
    return unsupported("its model is of type " + (type.empty() ? "unknown" : type) +
                       "; only BPE can be");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!text_in(model, key).empty()) {
      return unsupported(std::string("its BPE model has a ") + key + ", which llama.cpp lacks");
    }
  }
  const json pre_tokenizer = whole.value("pre_tokenizer", json());
  if (has_component(pre_tokenizer, "ByteLevel")) return std::string("gpt2");
  if (model.value("byte_fallback", json(false)) == true) return std::string("llama");
  return unsupported("its BPE model has neither a byte-level pre-tokenizer nor byte fallback");
}

bool is_byte_token(std::string_view text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return text.size() == 6 && text.starts_with("<0x") && text.back() == '>' && digit(text[3]) &&
         digit(text[4]);
}

GgufTokenType added_type(const json& token) {
  return token.value("special", json(false)) == true ? GgufTokenType::kControl
                                                     : GgufTokenType::kUserDefined;
}

std::unordered_map<std::int64_t, GgufTokenType> added_types(const json& whole) {
  std::unordered_map<std::int64_t, GgufTokenType> types;
  const json added = whole.value("added_tokens", json::array());
  if (!added.is_array()) return types;
  for (const json& token : added) {
    if (!token.is_object() || !token.contains("id") || !token["id"].is_number_integer()) continue;
    types[token["id"].get<std::int64_t>()] = added_type(token);
  }
  return types;
}

// Every token once: llama.cpp ends the process where two are the same.
Status read_tokens(const json& whole, const tokenizer::Tokenizer& tokenizer, std::uint64_t rows,
                   GgufVocabulary& vocabulary) {
  const auto added = added_types(whole);
  std::unordered_set<std::string> seen;
  std::vector<std::size_t> padding;
  for (std::uint64_t id = 0; id < rows; ++id) {
    auto text = tokenizer.token(static_cast<std::int32_t>(id));
    GgufTokenType type = GgufTokenType::kNormal;
    if (const auto found = added.find(static_cast<std::int64_t>(id)); found != added.end()) {
      type = found->second;
    } else if (text && vocabulary.model == "llama" && is_byte_token(*text)) {
      type = GgufTokenType::kByte;
    }
    if (text && text->find('\0') != std::string::npos) {
      return unsupported("token " + std::to_string(id) + " contains a NUL character");
    }
    if (!text || text->empty() || !seen.insert(*text).second) {
      padding.push_back(id);
      text.emplace();
      type = GgufTokenType::kUnused;
    }
    vocabulary.tokens.push_back(std::move(*text));
    vocabulary.types.push_back(static_cast<std::int32_t>(type));
  }
  for (const std::size_t id : padding) {
    std::string name = "[PAD" + std::to_string(id) + "]";
    while (!seen.insert(name).second) name += "_";
    vocabulary.tokens[id] = std::move(name);
  }
  for (const auto& [id, type] : added) {
    if (id < 0 || static_cast<std::uint64_t>(id) < rows) continue;
    vocabulary.warnings.push_back("token " + std::to_string(id) +
                                  " has no embedding row and is left out");
  }
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> read_merges(const json& model) {
  std::vector<std::pair<std::string, std::string>> merges;
  const json list = model.value("merges", json::array());
  for (const json& merge : list) {
    std::string left, right;
    if (merge.is_string()) {
      const auto text = merge.get<std::string>();
      const std::size_t space = text.find(' ', 1);
      left = text.substr(0, space);
      if (space != std::string::npos) right = text.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    if (left.empty() || right.empty() || (left + right).find(' ') != std::string::npos) {
      return unsupported("merge " + std::to_string(merges.size()) +
                         " is no pair of tokens without spaces");
    }
    merges.emplace_back(std::move(left), std::move(right));
  }
  return merges;
}

// llama.cpp merges the pair whose whole has the highest score, HF the pair of the lowest rank: the
// score is the negated rank of the first merge that yields the token.
std::vector<float> scores_of(const std::vector<std::string>& tokens,
                             const std::vector<std::pair<std::string, std::string>>& merges) {
  std::unordered_map<std::string, std::size_t> ranks;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    ranks.emplace(merges[i].first + merges[i].second, i);
  }
  std::vector<float> scores;
  scores.reserve(tokens.size());
  for (const std::string& token : tokens) {
    const auto found = ranks.find(token);
    const std::size_t rank = found == ranks.end() ? merges.size() : found->second;
    scores.push_back(-static_cast<float>(rank));
  }
  return scores;
}

Status require_bytes(GgufVocabulary& vocabulary) {
  const std::unordered_set<std::string_view> tokens(vocabulary.tokens.begin(),
                                                    vocabulary.tokens.end());
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    if (!tokens.contains(std::string_view(text))) {
      return unsupported(std::string("it has byte fallback but no token ") + text);
    }
  }
  return {};
}

void mark_unknown(const json& model, const tokenizer::Tokenizer& tokenizer,
                  GgufVocabulary& vocabulary) {
  const std::string spelling = text_in(model, "unk_token");
  if (spelling.empty()) return;
  vocabulary.unknown = tokenizer.token_to_id(spelling);
  if (!vocabulary.unknown || vocabulary.model != "llama") return;
  vocabulary.types[static_cast<std::size_t>(*vocabulary.unknown)] =
      static_cast<std::int32_t>(GgufTokenType::kUnknown);
}

// GGUF knows a beginning and an end token around a text, nothing else.
Status read_surroundings(const tokenizer::Tokenizer& tokenizer, GgufVocabulary& vocabulary) {
  auto plain = tokenizer.encode("a", false);
  const auto whole = tokenizer.encode("a", true);
  if (!plain) return fail(plain.error());
  if (!whole) return fail(whole.error());
  for (const bool bos : {false, true}) {
    for (const bool eos : {false, true}) {
      if ((bos && !tokenizer.bos()) || (eos && !tokenizer.eos())) continue;
      std::vector<std::int32_t> expected;
      if (bos) expected.push_back(*tokenizer.bos());
      expected.insert(expected.end(), plain->begin(), plain->end());
      if (eos) expected.push_back(*tokenizer.eos());
      if (expected != *whole) continue;
      vocabulary.add_bos = bos;
      vocabulary.add_eos = eos;
      return {};
    }
  }
  return unsupported(
      "its post-processor puts more around a text than a beginning and an end token");
}

// As transformers chooses it: the file, else the configuration's; of several the one named default.
std::string read_chat_template(const std::filesystem::path& folder) {
  if (auto text = io::read_text(folder / "chat_template.jinja", kConfigLimit)) return *text;
  const auto text = io::read_text(folder / "tokenizer_config.json", kConfigLimit);
  const json config = parse_untrusted_json<json>(text ? *text : "{}");
  if (!config.is_object() || !config.contains("chat_template")) return {};
  const json& found = config["chat_template"];
  if (found.is_string()) return found.get<std::string>();
  if (!found.is_array()) return {};
  for (const json& named : found) {
    if (named.is_object() && text_in(named, "name") == "default") return text_in(named, "template");
  }
  return {};
}

void set_id(GgufHeader& header, std::string_view key, std::optional<std::int32_t> id) {
  if (id) header.set(key, static_cast<std::uint32_t>(*id));
}

}  // namespace

Result<GgufVocabulary> read_vocabulary(const checkpoint::Checkpoint& checkpoint,
                                       const tokenizer::Tokenizer& tokenizer, std::uint64_t rows) {
  const auto text = io::read_text(checkpoint.folder() / "tokenizer.json", kTokenizerLimit);
  if (!text) return fail(text.error());
  const json whole = parse_untrusted_json<json>(*text);
  if (!whole.is_object() || !whole.contains("model") || !whole["model"].is_object()) {
    return fail(ErrorCode::kCorrupt, "tokenizer.json has no model");
  }
  const json& model = whole["model"];
  const auto kind = kind_of(whole, model);
  if (!kind) return fail(kind.error());
  GgufVocabulary vocabulary;
  vocabulary.model = *kind;
  if (auto read = read_tokens(whole, tokenizer, rows, vocabulary); !read) return fail(read.error());
  auto merges = read_merges(model);
  if (!merges) return fail(merges.error());
  if (vocabulary.model == "llama") {
    if (auto bytes = require_bytes(vocabulary); !bytes) return fail(bytes.error());
    vocabulary.scores = scores_of(vocabulary.tokens, *merges);
  } else {
    for (auto& [left, right] : *merges) vocabulary.merges.push_back(left + " " + right);
  }
  mark_unknown(model, tokenizer, vocabulary);
  vocabulary.bos = tokenizer.bos();
  vocabulary.eos = tokenizer.eos();
  vocabulary.pad = tokenizer.pad();
  if (auto around = read_surroundings(tokenizer, vocabulary); !around) return fail(around.error());
  vocabulary.chat_template = read_chat_template(checkpoint.folder());
  return vocabulary;
}

void set_vocabulary(GgufHeader& header, const GgufVocabulary& vocabulary) {
  header.set("tokenizer.ggml.model", std::string_view(vocabulary.model));
  header.set("tokenizer.ggml.pre", std::string_view(vocabulary.pre));
  header.set_array("tokenizer.ggml.tokens", vocabulary.tokens);
  header.set_array("tokenizer.ggml.token_type", vocabulary.types);
  if (!vocabulary.scores.empty()) header.set_array("tokenizer.ggml.scores", vocabulary.scores);
  if (vocabulary.model == "gpt2") header.set_array("tokenizer.ggml.merges", vocabulary.merges);
  set_id(header, "tokenizer.ggml.bos_token_id", vocabulary.bos);
  set_id(header, "tokenizer.ggml.eos_token_id", vocabulary.eos);
  set_id(header, "tokenizer.ggml.unknown_token_id", vocabulary.unknown);
  set_id(header, "tokenizer.ggml.padding_token_id", vocabulary.pad);
  header.set_flag("tokenizer.ggml.add_bos_token", vocabulary.add_bos);
  header.set_flag("tokenizer.ggml.add_eos_token", vocabulary.add_eos);
  if (vocabulary.add_space_prefix) {
    header.set_flag("tokenizer.ggml.add_space_prefix", *vocabulary.add_space_prefix);
  }
  if (!vocabulary.chat_template.empty()) {
    header.set("tokenizer.chat_template", std::string_view(vocabulary.chat_template));
  }
}

}  // namespace crucible::engine
