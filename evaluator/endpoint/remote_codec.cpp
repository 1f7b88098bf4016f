#include "evaluator/endpoint/remote_codec.hpp"

#include <algorithm>
#include <limits>

namespace crucible::endpoint {
namespace {

std::string memory_key(std::string_view text, bool add_special) {
  return (add_special ? "1" : "0") + std::string(text);
}

Result<std::vector<std::int32_t>> read_ids(const Json& answer) {
  const auto corrupt = [] {
    return fail(ErrorCode::kCorrupt, "the endpoint's /tokenize gives no list of token ids");
  };
  if (!answer.is_object() || !answer.contains("tokens") || !answer["tokens"].is_array()) {
    return corrupt();
  }
  std::vector<std::int32_t> ids;
  for (const Json& id : answer["tokens"]) {
    if (!id.is_number_unsigned() ||
        id.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()) {
      return corrupt();
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

// A token's spelling in /tokenizer_info: a string, or an object with "content".
std::string spelling(const Json& info, const char* key) {
  if (!info.is_object() || !info.contains(key)) return {};
  const Json& value = info[key];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    return value["content"].get<std::string>();
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<RemoteCodec>> RemoteCodec::open(EndpointClient& client,
                                                       std::string model_name,
                                                       const std::stop_token& stop) {
  std::unique_ptr<RemoteCodec> codec(new RemoteCodec(client, std::move(model_name)));
  codec->root_ = client.url().path;
  if (codec->root_.ends_with("/v1")) codec->root_.resize(codec->root_.size() - 3);
  if (auto found = codec->find_prefix(); !found) return fail(std::move(found.error()));
  // Optional: vLLM has it behind a flag.
  if (const auto info = client.ask({codec->root_ + "/tokenizer_info", Json(), {}}, stop)) {
    codec->read_info(*info);
  }
  if (!codec->bos_ && codec->prefix_.size() == 1) {
    codec->bos_ = codec->prefix_.front();
    if (const auto text = codec->decode(codec->prefix_, false)) codec->bos_text_ = *text;
  }
  return codec;
}

void RemoteCodec::read_info(const Json& info) {
  bos_text_ = spelling(info, "bos_token");
  eos_text_ = spelling(info, "eos_token");
  chat_template_ = spelling(info, "chat_template");
  if (!bos_text_.empty()) bos_ = token_to_id(bos_text_);
  if (!eos_text_.empty()) eos_ = token_to_id(eos_text_);
}

Status RemoteCodec::find_prefix() {
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

Query RemoteCodec::tokenize_query(std::string_view text, bool add_special) const {
  return {root_ + "/tokenize",
          {{"model", model_name_}, {"prompt", text}, {"add_special_tokens", add_special}},
          {},
          false};
}

Status RemoteCodec::prefetch(const std::vector<std::string>& texts, const std::stop_token& stop) {
  std::vector<Query> queries;
  std::vector<std::string> keys;
  memory_.with([&](Memory& memory) {
    for (const std::string& text : texts) {
      std::string key = memory_key(text, false);
      if (!memory.try_emplace(key).second) continue;
      queries.push_back(tokenize_query(text, false));
      keys.push_back(std::move(key));
    }
  });
  engine::Call call;
  call.stop = stop;
  auto asked = client_.ask_all(
      queries,
      [&](std::size_t i, const Json& answer) -> Status {
        auto ids = read_ids(answer);
        if (!ids) return fail(std::move(ids.error()));
        memory_.with([&](Memory& memory) { memory[keys[i]] = std::move(*ids); });
        return {};
      },
      call);
  if (!asked) forget();
  return asked;
}

void RemoteCodec::forget() {
  memory_.with([](Memory& memory) { memory.clear(); });
}

Result<std::vector<std::int32_t>> RemoteCodec::encode(std::string_view text,
                                                      bool add_special) const {
  const std::string key = memory_key(text, add_special);
  const auto known = memory_.with([&](const Memory& memory) {
    const auto found = memory.find(key);
    return found == memory.end() ? std::nullopt : std::optional(found->second);
  });
  if (known) return *known;
  const auto answer = client_.ask(tokenize_query(text, add_special), {});
  if (!answer) return fail(answer.error());
  return read_ids(*answer);
}

Result<std::string> RemoteCodec::decode(std::span<const std::int32_t> ids,
                                        bool /*skip_special*/) const {
  const auto answer = client_.ask(
      {root_ + "/detokenize", {{"model", model_name_}, {"tokens", ids}}, {}, false}, {});
  if (!answer) return fail(answer.error());
  if (!answer->is_object() || !answer->contains("prompt") || !(*answer)["prompt"].is_string()) {
    return fail(ErrorCode::kCorrupt, "the endpoint's /detokenize gives no text");
  }
  return (*answer)["prompt"].get<std::string>();
}

std::optional<std::int32_t> RemoteCodec::token_to_id(std::string_view token) const {
  const auto ids = encode(token, false);
  if (!ids || ids->size() != 1) return std::nullopt;
  return ids->front();
}

}  // namespace crucible::endpoint
