#include "evaluator/engine/decoder.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "evaluator/engine/llama_loading.hpp"
#include "llama.h"

// ggml ends the process on misuse, so shapes, ids and sizes are checked before they get here.
namespace crucible::engine {
namespace {

constexpr std::size_t kMostStepTokens = 512;
constexpr std::size_t kLeastStepTokens = 64;
constexpr std::size_t kAttentionBytes = 128U << 20;

bool stop_requested(void* stop) { return static_cast<std::stop_token*>(stop)->stop_requested(); }

// An entry of the model's metadata under its architecture's name; 0 = it has none.
std::size_t metadata(const llama_model* model, const char* key) {
  char text[64] = {};
  if (llama_model_meta_val_str(model, "general.architecture", text, sizeof text) <= 0) return 0;
  const std::string name = std::string(text) + "." + key;
  if (llama_model_meta_val_str(model, name.c_str(), text, sizeof text) <= 0) return 0;
  return std::strtoul(text, nullptr, 10);
}

std::size_t at_least_one(std::int32_t value) {
  return static_cast<std::size_t>(std::max(value, 1));
}

// Tokens in the form that llama.cpp takes.
class BatchArrays {
 public:
  void set(std::span<const BatchToken> tokens) {
    ids_.clear();
    positions_.clear();
    counts_.clear();
    firsts_.clear();
    logits_.clear();
    std::int32_t most = 1;
    for (const BatchToken& token : tokens) {
      most = std::max(most, token.first_sequence + token.sequences);
    }
    for (auto i = static_cast<std::int32_t>(sequences_.size()); i < most; ++i) {
      sequences_.push_back(i);
    }
    for (const BatchToken& token : tokens) {
      ids_.push_back(token.token);
      positions_.push_back(token.position);
      counts_.push_back(token.sequences);
      firsts_.push_back(sequences_.data() + token.first_sequence);
      logits_.push_back(token.wants_logits ? 1 : 0);
    }
  }
  llama_batch view() {
    llama_batch batch = {};
    batch.n_tokens = static_cast<std::int32_t>(ids_.size());
    batch.token = ids_.data();
    batch.pos = positions_.data();
    batch.n_seq_id = counts_.data();
    batch.seq_id = firsts_.data();
    batch.logits = logits_.data();
    return batch;
  }
  bool wants_logits(std::size_t index) const {
    return index < logits_.size() && logits_[index] != 0;
  }

 private:
  std::vector<llama_seq_id> sequences_;  // 0, 1, 2, …: every token's sequences are a range of it
  std::vector<llama_token> ids_;
  std::vector<llama_pos> positions_;
  std::vector<std::int32_t> counts_;
  std::vector<llama_seq_id*> firsts_;
  std::vector<std::int8_t> logits_;
};

class LlamaDecoder final : public Decoder {
 public:
  LlamaDecoder(std::size_t vocabulary, std::stop_token stop)
      : vocabulary_(vocabulary), stop_(std::move(stop)) {}

  Status open(llama_model* model, const Capacity& capacity, unsigned threads) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(capacity.cells);
    params.n_batch = static_cast<std::uint32_t>(capacity.tokens);
    params.n_ubatch = params.n_batch;
    params.n_seq_max = static_cast<std::uint32_t>(capacity.sequences);
    params.n_outputs_max =
        static_cast<std::uint32_t>(std::max(capacity.outputs, capacity.sequences));
    params.kv_unified = true;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.no_perf = true;
    params.n_threads = static_cast<std::int32_t>(threads);
    params.n_threads_batch = params.n_threads;
    params.abort_callback = stop_requested;
    params.abort_callback_data = &stop_;
    forget_complaint();
    context_.reset(llama_init_from_model(model, params));
    if (!context_) {
      return fail(ErrorCode::kIo, with_complaint("llama.cpp cannot prepare the computation"));
    }
    memory_ = llama_get_memory(context_.get());
    return {};
  }

  Status decode(std::span<const BatchToken> tokens) override {
    if (stop_.stop_requested()) return cancelled();
    arrays_.set(tokens);
    forget_complaint();
    const std::int32_t code = llama_decode(context_.get(), arrays_.view());
    if (code == 0) return {};
    if (stop_.stop_requested()) return cancelled();
    return fail(ErrorCode::kInternal,
                with_complaint("llama_decode failed with " + std::to_string(code)));
  }

  std::span<const float> logits(std::size_t index) const override {
    if (!arrays_.wants_logits(index)) return {};
    const float* row = llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(index));
    return row == nullptr ? std::span<const float>() : std::span(row, vocabulary_);
  }

  void clear() override { llama_memory_clear(memory_, false); }
  void keep_only(std::int32_t sequence) override { llama_memory_seq_keep(memory_, sequence); }
  void truncate(std::int32_t sequence, std::size_t length) override {
    llama_memory_seq_rm(memory_, sequence, static_cast<llama_pos>(length), -1);
  }
  void share(std::int32_t from, std::int32_t to, std::size_t length) override {
    llama_memory_seq_cp(memory_, from, to, 0, static_cast<llama_pos>(length));
  }

 private:
  static tl::unexpected<Error> cancelled() {
    return fail(ErrorCode::kCancelled, "evaluation was cancelled");
  }

  std::size_t vocabulary_;
  std::stop_token stop_;
  ContextHandle context_;
  llama_memory_t memory_ = nullptr;
  BatchArrays arrays_;
};

}  // namespace

std::size_t step_tokens(const llama_model* model, std::size_t cells) {
  const std::size_t row = cells * at_least_one(llama_model_n_head(model)) * sizeof(float);
  return std::clamp(kAttentionBytes / std::max<std::size_t>(row, 1), kLeastStepTokens,
                    kMostStepTokens);
}

std::size_t cell_bytes(const llama_model* model) {
  const std::size_t heads = at_least_one(llama_model_n_head(model));
  const std::size_t usual = at_least_one(llama_model_n_embd(model)) / heads;
  const std::size_t key = metadata(model, "attention.key_length");
  const std::size_t value = metadata(model, "attention.value_length");
  return ((key > 0 ? key : usual) + (value > 0 ? value : usual)) *
         at_least_one(llama_model_n_head_kv(model)) * at_least_one(llama_model_n_layer(model)) *
         sizeof(float);
}

Result<std::unique_ptr<Decoder>> make_decoder(llama_model* model, const Capacity& capacity,
                                              unsigned threads, std::stop_token stop) {
  const auto vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
  auto decoder =
      std::make_unique<LlamaDecoder>(static_cast<std::size_t>(vocabulary), std::move(stop));
  if (auto opened = decoder->open(model, capacity, threads); !opened) {
    return fail(std::move(opened.error()));
  }
  return decoder;
}

}  // namespace crucible::engine
