#include "evaluator/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "evaluator/rust/crucible_native.h"
#include "evaluator/rust/owned.hpp"
#include "merger/base/json_text.hpp"
#include "merger/checkpoint/files.hpp"

namespace crucible::tokenizer {
namespace {

using nlohmann::json;

constexpr std::uint64_t kTokenizerLimit = 128ULL << 20;  // Gemma's, with 256k tokens, has 34 MB
constexpr std::uint64_t kConfigLimit = 16ULL << 20;

using native::message_of;
using native::Owned;

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Error missing_tokenizer(const std::string& place, const std::vector<std::string>& files) {
  std::string message = place + " has no tokenizer.json";
  message += files.empty() ? " and no other tokenizer file" : ", only " + join(files);
  message +=
      "; write one with transformers: "
      "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)";
  return {ErrorCode::kInvalidArgument, std::move(message), {}};
}

// An optional JSON object beside the weights; absent, oversized or broken ones count as empty.
json optional_json(const checkpoint::Documents& documents, const char* name) {
  const auto text = documents.read(name, kConfigLimit);
  if (!text) return json::object();
  json value = parse_untrusted_json<json>(*text);
  return value.is_object() ? value : json::object();
}

// A special token's spelling: "<s>", or an object with "content".
std::string spelling(const json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return {};
}

// bos_token_id and the like: an id, or a list of which the first counts.
std::optional<std::int64_t> id_in(const json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end()) return std::nullopt;
  const json& value = found->is_array() && !found->empty() ? found->front() : *found;
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<std::int64_t>();
}

}  // namespace

void Tokenizer::Free::operator()(crucible_tokenizer* handle) const {
  crucible_tokenizer_free(handle);
}

Result<Tokenizer> Tokenizer::load(const checkpoint::Documents& documents, const json& config,
                                  std::uint64_t vocabulary) {
  auto tokenizer = read(documents, vocabulary, config);
  if (!tokenizer && tokenizer.error().code == ErrorCode::kNotFound) {
    std::vector<std::string> others;
    for (const std::string_view name : checkpoint::kTokenizerFiles) {
      if (documents.has(name)) others.emplace_back(name);
    }
    return fail(missing_tokenizer(documents.label(), others));
  }
  return tokenizer;
}

Result<Tokenizer> Tokenizer::load(const checkpoint::Checkpoint& checkpoint,
                                  std::uint64_t vocabulary) {
  return load(checkpoint::FolderDocuments(checkpoint.folder()), checkpoint.config(), vocabulary);
}

Result<Tokenizer> Tokenizer::load_folder(const std::filesystem::path& folder) {
  const auto any = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
  const checkpoint::FolderDocuments documents(folder);
  auto tokenizer = read(documents, any, optional_json(documents, "config.json"));
  if (!tokenizer && tokenizer.error().code == ErrorCode::kNotFound) {
    return fail(missing_tokenizer(folder.string(), {}));
  }
  return tokenizer;
}

// kNotFound: no tokenizer.json.
Result<Tokenizer> Tokenizer::read(const checkpoint::Documents& documents, std::uint64_t vocabulary,
                                  const json& config) {
  constexpr std::string_view kName = "tokenizer.json";
  const auto text = documents.read(kName, kTokenizerLimit);
  if (!text) return fail(Error(text.error()).with_context("reading the tokenizer"));
  Tokenizer tokenizer;
  tokenizer.vocabulary_ = vocabulary;
  char* raw_error = nullptr;
  tokenizer.handle_.reset(crucible_tokenizer_load(text->data(), text->size(), &raw_error));
  const Owned<char> error(raw_error);
  if (!tokenizer.handle_) {
    return fail(ErrorCode::kCorrupt,
                documents.place(kName) + " is no usable tokenizer: " + message_of(error));
  }
  if (auto found = tokenizer.find_special_tokens(documents, config); !found)
    return fail(found.error());
  if (auto found = tokenizer.find_prefix(); !found) return fail(found.error());
  return tokenizer;
}

Status Tokenizer::find_special_tokens(const checkpoint::Documents& documents, const json& config) {
  const std::array<json, 2> texts = {optional_json(documents, "tokenizer_config.json"),
                                     optional_json(documents, "special_tokens_map.json")};
  const auto resolve = [&](const char* text_key, const char* id_key) {
    for (const json& fields : texts) {
      const std::string token = spelling(fields, text_key);
      if (!token.empty()) {
        if (const auto id = token_to_id(token)) return id;
      }
    }
    const auto id = id_in(config, id_key);
    if (!id || *id < 0 || static_cast<std::uint64_t>(*id) >= vocabulary_) {
      return std::optional<std::int32_t>();
    }
    return std::optional(static_cast<std::int32_t>(*id));
  };
  bos_ = resolve("bos_token", "bos_token_id");
  eos_ = resolve("eos_token", "eos_token_id");
  pad_ = resolve("pad_token", "pad_token_id");
  if (bos_) bos_text_ = token(*bos_).value_or("");
  if (eos_) eos_text_ = token(*eos_).value_or("");
  return {};
}

Status Tokenizer::find_prefix() {
  const auto plain = encode("a", false);
  const auto with_special = encode("a", true);
  if (!plain) return fail(plain.error());
  if (!with_special) return fail(with_special.error());
  const std::size_t added = with_special->size() - std::min(with_special->size(), plain->size());
  const auto middle = with_special->begin() + static_cast<std::ptrdiff_t>(added);
  adds_behind_ = !std::equal(middle, with_special->end(), plain->begin(), plain->end());
  if (!adds_behind_) prefix_.assign(with_special->begin(), middle);
  return {};
}

Result<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text, bool add_special) const {
  std::uint32_t* raw_ids = nullptr;
  std::size_t count = 0;
  char* raw_error = nullptr;
  const bool encoded = crucible_tokenizer_encode(handle_.get(), text.data(), text.size(),
                                                 add_special, &raw_ids, &count, &raw_error);
  const Owned<std::uint32_t> ids(raw_ids);
  const Owned<char> error(raw_error);
  if (!encoded) {
    return fail(ErrorCode::kInvalidArgument, "text cannot be encoded: " + message_of(error));
  }
  std::vector<std::int32_t> result;
  result.reserve(count);
  for (const std::uint32_t id : std::span(ids.get(), count)) {
    if (id >= vocabulary_) {
      return fail(ErrorCode::kInvalidArgument, "the tokenizer gives id " + std::to_string(id) +
                                                   ", but the model has only " +
                                                   std::to_string(vocabulary_) + " embedding rows");
    }
    result.push_back(static_cast<std::int32_t>(id));
  }
  return result;
}

Result<std::string> Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::uint32_t> plain;
  for (const std::int32_t id : ids) plain.push_back(static_cast<std::uint32_t>(id));
  std::size_t length = 0;
  char* raw_error = nullptr;
  const Owned<char> text(crucible_tokenizer_decode(handle_.get(), plain.data(), plain.size(),
                                                   skip_special, &length, &raw_error));
  const Owned<char> error(raw_error);
  if (!text)
    return fail(ErrorCode::kInvalidArgument, "ids cannot be decoded: " + message_of(error));
  return std::string(text.get(), length);
}

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  const std::int64_t id = crucible_tokenizer_token_to_id(handle_.get(), token.data(), token.size());
  if (id < 0 || static_cast<std::uint64_t>(id) >= vocabulary_) return std::nullopt;
  return static_cast<std::int32_t>(id);
}

std::optional<std::string> Tokenizer::token(std::int32_t id) const {
  std::size_t length = 0;
  const Owned<char> text(
      crucible_tokenizer_id_to_token(handle_.get(), static_cast<std::uint32_t>(id), &length));
  if (!text) return std::nullopt;
  return std::string(text.get(), length);
}

}  // namespace crucible::tokenizer
