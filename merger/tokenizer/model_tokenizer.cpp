#include "merger/tokenizer/model_tokenizer.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>

#include "merger/base/json_text.hpp"
#include "merger/checkpoint/json_file.hpp"
#include "merger/tokenizer/tokenizer_text.hpp"

namespace crucible::tokenizer {
namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

constexpr std::uint64_t kTokenizerLimitBytes = 256ULL << 20;
constexpr std::uint64_t kConfigLimitBytes = 16ULL << 20;
constexpr std::uint32_t kLargestId = 1U << 30;

// In the order in which transformers adds them when the vocabulary lacks them.
constexpr std::array<std::string_view, 7> kSpecialKeys{
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
constexpr std::array<std::string_view, 2> kSpecialLists{"extra_special_tokens",
                                                        "additional_special_tokens"};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool flag(const auto& token, std::string_view name, bool otherwise) {
  const auto found = token.find(name);
  return found != token.end() && found->is_boolean() ? found->template get<bool>() : otherwise;
}

// A token as tokenizer.json and added_tokens_decoder write it; nullopt when it has no text.
std::optional<AddedToken> token_from(const auto& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto content = entry.find("content");
  if (content == entry.end() || !content->is_string()) return std::nullopt;
  AddedToken token{content->template get<std::string>()};
  token.special = flag(entry, "special", false);
  token.single_word = flag(entry, "single_word", false);
  token.lstrip = flag(entry, "lstrip", false);
  token.rstrip = flag(entry, "rstrip", false);
  token.normalized = flag(entry, "normalized", !token.special);
  return token;
}

// A special token of tokenizer_config.json: its text, or a map.
std::optional<AddedToken> special_from(const auto& value) {
  if (value.is_string()) {
    AddedToken token{value.template get<std::string>()};
    token.special = true;
    token.normalized = false;
    return token;
  }
  auto token = token_from(value);
  if (token) token->special = true;
  return token;
}

Result<ordered_json> read_small(const fs::path& path, io::Syscalls& calls) {
  if (!is_file(path)) return ordered_json::object();
  const auto text = io::read_text(path, kConfigLimitBytes, calls);
  if (!text) return fail(text.error());
  auto value = parse_untrusted_json<ordered_json>(*text);
  if (!value.is_object())
    return fail(ErrorCode::kCorrupt, path.string() + ": must be a JSON object");
  return value;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 10 &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

std::set<std::string> named_tokens(const ordered_json& special) {
  std::set<std::string> texts;
  for (const std::string_view key : kSpecialKeys) {
    const auto found = special.find(key);
    if (found == special.end()) continue;
    if (const auto token = special_from(*found)) texts.insert(token->content);
  }
  return texts;
}

tl::unexpected<Error> no_tokenizer(const fs::path& folder) {
  for (const std::string_view name : {"tokenizer.model", "vocab.json", "vocab.txt", "spiece.model",
                                      "tekken.json", "tokenizer_config.json"}) {
    if (!is_file(folder / name)) continue;
    return fail(ErrorCode::kUnsupported,
                folder.string() + " has " + std::string(name) +
                    " but no tokenizer.json; convert it with transformers: "
                    "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)");
  }
  return fail(ErrorCode::kNotFound, folder.string() + " has no tokenizer files");
}

}  // namespace

Result<ModelTokenizer> ModelTokenizer::open(const fs::path& folder, io::Syscalls& calls) {
  const fs::path path = folder / "tokenizer.json";
  if (!is_file(path)) return no_tokenizer(folder);
  ModelTokenizer tokenizer;
  tokenizer.folder_ = folder;
  {
    const auto file = checkpoint::read_json_object(path, kTokenizerLimitBytes, calls);
    if (!file) return fail(file.error());
    if (auto status = tokenizer.read_model(*file); !status) return fail(std::move(status.error()));
    if (auto status = tokenizer.read_added(*file); !status) return fail(std::move(status.error()));
  }
  auto config = read_small(folder / "tokenizer_config.json", calls);
  if (!config) return fail(std::move(config.error()));
  tokenizer.config_ = std::move(*config);
  if (auto status = tokenizer.read_config_tokens(calls); !status)
    return fail(std::move(status.error()));
  return tokenizer;
}

Status ModelTokenizer::read_model(const json& file) {
  const auto corrupt = [this](const std::string& message) {
    return fail(ErrorCode::kCorrupt, (folder_ / "tokenizer.json").string() + ": " + message);
  };
  const auto model = file.find("model");
  if (model == file.end() || !model->is_object()) return corrupt("model must be an object");
  const auto kind = model->find("type");
  if (kind != model->end() && kind->is_string()) kind_ = kind->get<std::string>();
  const auto vocabulary = model->find("vocab");
  if (vocabulary == model->end()) return corrupt("model.vocab is missing");
  if (vocabulary->is_array()) {  // unigram: [text, score], numbered as they stand
    for (const json& entry : *vocabulary) {
      if (!entry.is_array() || entry.empty() || !entry[0].is_string())
        return corrupt("model.vocab must hold [text, score] pairs");
      model_.insert_or_assign(entry[0].get<std::string>(),
                              static_cast<std::uint32_t>(&entry - &vocabulary->front()));
    }
    return {};
  }
  if (!vocabulary->is_object()) return corrupt("model.vocab must be an object or a list");
  model_.reserve(vocabulary->size());
  for (const auto& [text, id] : vocabulary->items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > kLargestId)
      return corrupt("model.vocab: the id of a token must be a whole number");
    model_.emplace(text, id.get<std::uint32_t>());
  }
  return {};
}

// The library numbers added tokens anew, in the list's order; the ids written there do not count.
Status ModelTokenizer::read_added(const json& file) {
  const auto list = file.find("added_tokens");
  if (list == file.end() || list->is_null()) return {};
  const std::string path = (folder_ / "tokenizer.json").string();
  if (!list->is_array()) return fail(ErrorCode::kCorrupt, path + ": added_tokens must be a list");
  for (const json& entry : *list) {
    const auto token = token_from(entry);
    if (!token) return fail(ErrorCode::kCorrupt, path + ": an added token has no content");
    add(*token);
  }
  changed_ = false;
  return {};
}

// Tokens of tokenizer_config.json or, where it lists none, of the files of older releases.
Status ModelTokenizer::read_config_tokens(io::Syscalls& calls) {
  auto map = read_small(folder_ / "special_tokens_map.json", calls);
  if (!map) return fail(std::move(map.error()));
  special_map_ = std::move(*map);
  special_ = config_;
  const auto decoder = config_.find("added_tokens_decoder");
  const bool current = decoder != config_.end() && decoder->is_object();
  if (!current) special_.update(special_map_);
  const std::set<std::string> named = named_tokens(special_);
  std::map<std::uint64_t, AddedToken> listed;
  if (current) {
    for (const auto& [id, entry] : decoder->items()) {
      const auto token = token_from(entry);
      if (token && is_number(id)) listed.emplace(std::stoull(id), *token);
    }
  } else {
    const auto extra = read_small(folder_ / "added_tokens.json", calls);
    if (!extra) return fail(extra.error());
    for (const auto& [text, id] : extra->items()) {
      if (!id.is_number_unsigned()) continue;
      AddedToken token{text};
      token.special = named.contains(text);
      token.normalized = !token.special;
      listed.emplace(id.get<std::uint64_t>(), std::move(token));
    }
    for (const auto& [id, token] : added_) listed.insert_or_assign(id, token);
  }
  for (auto& [id, token] : listed) {
    token.special = token.special || named.contains(token.content);
    add(token);
  }
  add_special_tokens();
  return {};
}

void ModelTokenizer::add_special_tokens() {
  for (const std::string_view key : kSpecialKeys) {
    const auto found = special_.find(key);
    if (found == special_.end()) continue;
    if (const auto token = special_from(*found)) add_unless_present(*token);
  }
  for (const std::string_view key : kSpecialLists) {
    const auto found = special_.find(key);
    if (found == special_.end() || !found->is_array()) continue;
    for (const ordered_json& value : *found) {
      if (const auto token = special_from(value)) add_unless_present(*token);
    }
  }
}

void ModelTokenizer::add_unless_present(const AddedToken& token) {
  if (!is_added(token.content)) add(token);
}

void ModelTokenizer::add(const AddedToken& token) {
  if (token.content.empty()) return;
  const auto known = find(token.content);
  std::uint32_t id = 0;
  if (known) {
    id = *known;
    const auto present = added_.find(id);
    if (present != added_.end() && present->second == token) return;
  } else {
    const auto after_model = static_cast<std::uint32_t>(model_.size());
    id = last_added_ && *last_added_ >= after_model ? *last_added_ + 1 : after_model;
  }
  added_ids_[token.content] = id;
  added_.insert_or_assign(id, token);
  last_added_ = std::max(last_added_.value_or(0), id);
  changed_ = true;
}

std::optional<std::uint32_t> ModelTokenizer::find(const std::string& text) const {
  if (const auto found = added_ids_.find(text); found != added_ids_.end()) return found->second;
  if (const auto found = model_.find(text); found != model_.end()) return found->second;
  return std::nullopt;
}

std::size_t ModelTokenizer::size() const {
  const auto beyond = std::ranges::count_if(
      added_ids_, [this](const auto& item) { return !model_.contains(item.first); });
  return model_.size() + static_cast<std::size_t>(beyond);
}

std::vector<std::pair<std::uint32_t, std::string>> ModelTokenizer::tokens() const {
  std::vector<std::pair<std::uint32_t, std::string>> all;
  all.reserve(size());
  for (const auto& [text, id] : model_) {
    if (!added_ids_.contains(text)) all.emplace_back(id, text);
  }
  for (const auto& [text, id] : added_ids_) all.emplace_back(id, text);
  std::ranges::sort(all);
  return all;
}

Status ModelTokenizer::strip(std::uint64_t rows) {
  for (const auto& [id, text] : tokens()) {
    if (id >= rows) removed_.push_back(text);
  }
  if (removed_.empty()) return {};
  if (kind_ != "BPE") {
    return fail(ErrorCode::kUnsupported,
                folder_.string() + ": the tokenizer has " + std::to_string(removed_.size()) +
                    " tokens beyond the model's vocabulary of " + std::to_string(rows) +
                    " rows, which can be taken out of BPE tokenizers only; this one is " + kind_);
  }
  const std::map<std::uint32_t, AddedToken> before = std::move(added_);
  added_.clear();
  added_ids_.clear();
  last_added_.reset();
  for (const std::string& text : removed_) model_.erase(text);
  for (const auto& [id, token] : before) {
    if (id < rows) add(token);
  }
  changed_ = true;
  return {};
}

Result<std::string> ModelTokenizer::tokenizer_json(io::Syscalls& calls) const {
  const fs::path path = folder_ / "tokenizer.json";
  if (!changed_) return io::read_text(path, kTokenizerLimitBytes, calls);
  auto file = checkpoint::read_json_object(path, kTokenizerLimitBytes, calls);
  if (!file) return fail(std::move(file.error()));
  json list = json::array();
  for (const auto& [id, token] : added_) list.push_back(json(added_token_json(id, token)));
  (*file)["added_tokens"] = std::move(list);
  if (!removed_.empty()) remove_tokens((*file)["model"], {removed_.begin(), removed_.end()});
  return tokenizer_text(*file);
}

ordered_json ModelTokenizer::tokenizer_config() const {
  ordered_json config = config_;
  if (!changed_) return config;
  if (config.contains("added_tokens_decoder")) {
    ordered_json decoder = ordered_json::object();
    for (const auto& [id, token] : added_) {
      auto entry = added_token_json(id, token);
      entry.erase("id");
      decoder[std::to_string(id)] = std::move(entry);
    }
    config["added_tokens_decoder"] = std::move(decoder);
  }
  drop_missing(config);
  return config;
}

ordered_json ModelTokenizer::special_tokens_map() const {
  ordered_json map = special_map_;
  if (changed_) drop_missing(map);
  return map;
}

// A special token that the vocabulary lacks would be added on loading, beyond the matrices.
void ModelTokenizer::drop_missing(ordered_json& settings) const {
  for (const std::string_view key : kSpecialKeys) {
    const auto found = settings.find(key);
    if (found == settings.end()) continue;
    const auto token = special_from(*found);
    if (token && !find(token->content)) settings.erase(std::string(key));
  }
  for (const std::string_view key : kSpecialLists) {
    const auto found = settings.find(key);
    if (found == settings.end() || !found->is_array()) continue;
    ordered_json kept = ordered_json::array();
    for (const ordered_json& value : *found) {
      const auto token = special_from(value);
      if (!token || find(token->content)) kept.push_back(value);
    }
    *found = std::move(kept);
  }
}

Result<std::string> read_chat_template(const fs::path& folder, io::Syscalls& calls) {
  if (is_file(folder / "chat_template.jinja"))
    return io::read_text(folder / "chat_template.jinja", kConfigLimitBytes, calls);
  const auto config = read_small(folder / "tokenizer_config.json", calls);
  if (!config) return fail(config.error());
  const auto found = config->find("chat_template");
  if (found == config->end()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return std::string();
  for (const ordered_json& entry : *found) {
    if (!entry.is_object() || entry.value("name", ordered_json()) != "default") continue;
    const ordered_json text = entry.value("template", ordered_json());
    return text.is_string() ? text.get<std::string>() : std::string();
  }
  return std::string();
}

}  // namespace crucible::tokenizer
