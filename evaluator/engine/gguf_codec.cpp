#include "evaluator/engine/gguf_codec.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "evaluator/engine/llama_loading.hpp"
#include "llama.h"

namespace crucible::engine {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::size_t kMaxText = 1ULL << 30;  // bytes; llama.cpp counts in 32 bits

class GgufCodec final : public tokenizer::TextCodec {
 public:
  GgufCodec(ModelHandle model, const GgufFacts& facts)
      : model_(std::move(model)),
        vocabulary_(llama_model_get_vocab(model_.get())),
        bos_(facts.bos),
        eos_(facts.eos) {
    const std::int32_t count = llama_vocab_n_tokens(vocabulary_);
    for (std::int32_t id = 0; id < count; ++id) {
      ids_.emplace(llama_vocab_get_text(vocabulary_, id), id);
      if (llama_vocab_is_eog(vocabulary_, id)) ends_.push_back(id);
    }
    if (bos_) bos_text_ = llama_vocab_get_text(vocabulary_, *bos_);
    if (eos_) eos_text_ = llama_vocab_get_text(vocabulary_, *eos_);
  }

  Status find_prefix() {
    const auto plain = encode("a", false);
    const auto whole = encode("a", true);
    if (!plain) return fail(plain.error());
    if (!whole) return fail(whole.error());
    const std::size_t added = whole->size() - std::min(whole->size(), plain->size());
    const auto middle = whole->begin() + static_cast<std::ptrdiff_t>(added);
    adds_behind_ = !std::equal(middle, whole->end(), plain->begin(), plain->end());
    if (!adds_behind_) prefix_.assign(whole->begin(), middle);
    return {};
  }

  // llama.cpp throws where a rule's regular expression or a byte's token fails it.
  Result<Ids> encode(std::string_view text, bool add_special) const override {
    if (text.size() > kMaxText) return fail(ErrorCode::kInvalidArgument, "the text is too long");
    Ids ids(text.size() + 8);
    try {
      const std::int32_t count =
          llama_tokenize(vocabulary_, text.data(), static_cast<std::int32_t>(text.size()),
                         ids.data(), static_cast<std::int32_t>(ids.size()), add_special, true);
      if (count < 0) return fail(ErrorCode::kInternal, "llama.cpp gives more tokens than bytes");
      ids.resize(static_cast<std::size_t>(count));
    } catch (const std::exception& error) {
      return fail(ErrorCode::kInvalidArgument,
                  std::string("llama.cpp cannot encode the text: ") + error.what());
    }
    return ids;
  }

  Result<std::string> decode(std::span<const std::int32_t> ids, bool skip_special) const override {
    const std::int32_t count = llama_vocab_n_tokens(vocabulary_);
    for (const std::int32_t id : ids) {
      if (id >= 0 && id < count) continue;
      return fail(ErrorCode::kInvalidArgument, "there is no token " + std::to_string(id));
    }
    const auto into = [&](std::string& text) {
      return llama_detokenize(vocabulary_, ids.data(), static_cast<std::int32_t>(ids.size()),
                              text.data(), static_cast<std::int32_t>(text.size()), false,
                              !skip_special);
    };
    std::string text(ids.size() * 8 + 16, '\0');
    std::int32_t length = into(text);
    if (length < 0) {
      text.resize(static_cast<std::size_t>(-static_cast<std::int64_t>(length)));
      length = into(text);
    }
    if (length < 0) return fail(ErrorCode::kInternal, "llama.cpp cannot decode the ids");
    text.resize(static_cast<std::size_t>(length));
    return text;
  }

  std::optional<std::int32_t> token_to_id(std::string_view token) const override {
    const auto found = ids_.find(std::string(token));
    if (found == ids_.end()) return std::nullopt;
    return found->second;
  }
  std::optional<std::int32_t> bos() const override { return bos_; }
  std::optional<std::int32_t> eos() const override { return eos_; }
  const std::string& bos_text() const override { return bos_text_; }
  const std::string& eos_text() const override { return eos_text_; }
  const Ids& prefix() const override { return prefix_; }
  bool adds_behind() const override { return adds_behind_; }
  Ids ends() const override { return ends_; }

 private:
  ModelHandle model_;  // of the vocabulary alone
  const llama_vocab* vocabulary_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::optional<std::int32_t> bos_, eos_;
  std::string bos_text_, eos_text_;
  Ids prefix_, ends_;
  bool adds_behind_ = false;
};

}  // namespace

Result<std::unique_ptr<tokenizer::TextCodec>> open_gguf_codec(const std::filesystem::path& file,
                                                              const GgufFacts& facts) {
  if (!facts.has_vocabulary) {
    return fail(
        ErrorCode::kInvalidArgument,
        file.string() +
            " has no vocabulary; evaluate the model's folder with this file as its weights");
  }
  start_llama();
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  params.n_gpu_layers = 0;
  forget_complaint();
  ModelHandle model(llama_model_load_from_file(file.c_str(), params));
  if (!model) {
    return fail(ErrorCode::kUnsupported,
                with_complaint("llama.cpp refuses the vocabulary of " + file.string()));
  }
  const llama_vocab* vocabulary = llama_model_get_vocab(model.get());
  const std::int32_t tokens = llama_vocab_n_tokens(vocabulary);
  // Other flags than the file's own: some pre-tokenizers of llama.cpp set them.
  const bool unknown_bos = llama_vocab_get_add_bos(vocabulary) && llama_vocab_bos(vocabulary) < 0;
  const bool unknown_eos = llama_vocab_get_add_eos(vocabulary) && llama_vocab_eos(vocabulary) < 0;
  if (tokens <= 0 || unknown_bos || unknown_eos) {
    return fail(ErrorCode::kInvalidArgument,
                file.string() + " adds a special token to texts, but does not say which");
  }
  auto codec = std::make_unique<GgufCodec>(std::move(model), facts);
  if (auto found = codec->find_prefix(); !found) return fail(found.error());
  return codec;
}

}  // namespace crucible::engine
