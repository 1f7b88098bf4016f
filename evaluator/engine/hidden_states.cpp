#include "evaluator/engine/hidden_states.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "evaluator/engine/weight_memory.hpp"
#include "evaluator/tokenizer/tokenizer.hpp"
#include "ggml-backend.h"
#include "llama.h"
#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"
#include "merger/checkpoint/json_file.hpp"

namespace crucible::engine {
namespace {

using moe::LayerStates;
using moe::StatePosition;
using moe::TokenIds;
using nlohmann::json;

constexpr std::uint32_t kMicroBatch = 512;  // tokens of one pass through the graph
constexpr std::uint64_t kTokenizerConfigLimit = 16ULL << 20;

// Special tokens as the tokenizer's files spell them.
class SpecialTokens {
 public:
  explicit SpecialTokens(const std::filesystem::path& folder) {
    for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
      const auto text = io::read_text(folder / name, kTokenizerConfigLimit);
      json value = text ? parse_untrusted_json<json>(*text) : json();
      files_.push_back(value.is_object() ? std::move(value) : json::object());
    }
  }
  // "" without one. A file that names the key decides, even with null.
  std::string spelling(const char* key, std::string_view llama_default) const {
    for (const json& file : files_) {
      const auto found = file.find(key);
      if (found == file.end()) continue;
      if (found->is_string()) return found->get<std::string>();
      if (found->is_object()) return found->value("content", std::string());
      return {};
    }
    const auto type = files_.front().find("tokenizer_class");
    const bool llama = type != files_.front().end() && type->is_string() &&
                       type->get<std::string>().starts_with("LlamaTokenizer");
    return llama ? std::string(llama_default) : std::string();
  }

 private:
  std::vector<json> files_;
};

// Sums or last rows of the states that leave the layers, gathered while the graph is computed.
class StateCapture {
 public:
  StateCapture(const ModelShape& shape, StatePosition position)
      : layers_(shape.layers), hidden_(shape.hidden), position_(position) {}

  void begin(std::size_t tokens) {
    sums_.assign(std::size_t{layers_} * hidden_, 0.0);
    counts_.assign(layers_, 0);
    tokens_ = tokens;
  }
  void add_input(std::span<const float> row) { add(0, row); }
  // Every layer has seen every token.
  bool complete() const {
    return std::ranges::all_of(counts_, [&](std::size_t count) { return count == tokens_; });
  }
  LayerStates states() const { return LayerStates(sums_.begin(), sums_.end()); }

  // llama.cpp names what leaves layer N, and enters layer N + 1, "l_out-N".
  static bool on_node(ggml_tensor* node, bool ask, void* self) {
    return static_cast<StateCapture*>(self)->visit(node, ask);
  }

 private:
  bool visit(const ggml_tensor* node, bool ask) {
    const std::optional<std::uint32_t> layer = entered_layer(node->name);
    if (ask) return layer.has_value();
    if (!layer || node->type != GGML_TYPE_F32 ||
        node->ne[0] != static_cast<std::int64_t>(hidden_)) {
      return true;
    }
    std::vector<float> row(hidden_);
    for (std::int64_t token = 0; token < node->ne[1]; ++token) {
      const auto offset = static_cast<std::size_t>(token) * node->nb[1];
      ggml_backend_tensor_get(node, row.data(), offset, row.size() * sizeof(float));
      add(*layer, row);
    }
    return true;
  }

  std::optional<std::uint32_t> entered_layer(std::string_view name) const {
    constexpr std::string_view kPrefix = "l_out-";
    if (!name.starts_with(kPrefix)) return std::nullopt;
    std::uint32_t layer = 0;
    const char* end = name.data() + name.size();
    const auto read = std::from_chars(name.data() + kPrefix.size(), end, layer);
    if (read.ec != std::errc() || read.ptr != end || layer + 1 >= layers_) return std::nullopt;
    return layer + 1;
  }

  void add(std::uint32_t layer, std::span<const float> row) {
    double* sum = sums_.data() + std::size_t{layer} * hidden_;
    ++counts_[layer];
    if (position_ == StatePosition::kLast && counts_[layer] != tokens_) return;
    for (std::size_t i = 0; i < row.size(); ++i) sum[i] += static_cast<double>(row[i]);
  }

  std::uint32_t layers_;
  std::uint32_t hidden_;
  StatePosition position_;
  std::size_t tokens_ = 0;
  std::vector<double> sums_;         // [layers][hidden]
  std::vector<std::size_t> counts_;  // tokens seen, by layer
};

bool stop_requested(void* stop) { return static_cast<std::stop_token*>(stop)->stop_requested(); }

class LlamaPromptModel final : public moe::PromptModel {
 public:
  LlamaPromptModel(checkpoint::StoredModel source, tokenizer::Tokenizer tokenizer,
                   const HiddenStateOptions& options)
      : source_(std::move(source)), tokenizer_(std::move(tokenizer)), options_(options) {
    const SpecialTokens special(source_.checkpoint().folder());
    const std::string bos = special.spelling("bos_token", "<s>");
    const std::string eos = special.spelling("eos_token", "</s>");
    const auto bos_id = tokenizer_.token_to_id(bos);
    if (bos_id) bos_ = bos;
    padding_ = bos_id ? bos_id : tokenizer_.token_to_id(eos);
  }

  Result<std::vector<TokenIds>> encode(std::span<const std::string> prompts) const override {
    std::vector<TokenIds> all;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      auto ids = tokenizer_.encode(bos_ + prompts[i], false);
      if (!ids) return fail(std::move(ids.error()).with_context("prompt " + std::to_string(i)));
      all.push_back(std::move(*ids));
    }
    return all;
  }

  std::optional<std::int32_t> padding_token() const override { return padding_; }

  Result<std::vector<LayerStates>> layer_inputs(std::span<const TokenIds> prompts,
                                                StatePosition position,
                                                const ProgressSink& progress,
                                                std::stop_token stop) override {
    if (auto loaded = load(); !loaded) return fail(std::move(loaded.error()));
    std::size_t longest = 1;
    for (const TokenIds& ids : prompts) longest = std::max(longest, ids.size());
    if (auto fits = context_length(shape_, static_cast<std::uint32_t>(longest)); !fits)
      return fail(std::move(fits.error()).with_context("the longest prompt"));
    StateCapture capture(shape_, position);
    const auto context = make_context(longest, capture, stop);
    if (!context) return fail(context.error());
    std::vector<LayerStates> states;
    for (const TokenIds& ids : prompts) {
      auto computed = compute(context->get(), ids, capture, stop);
      if (!computed) {
        return fail(
            std::move(computed.error()).with_context("prompt " + std::to_string(states.size())));
      }
      states.push_back(std::move(*computed));
      if (progress) progress({"hidden states", states.size(), prompts.size(), "prompts"});
    }
    return states;
  }

 private:
  Status load() {
    if (model_) return {};
    const auto shape = read_shape(source_);
    if (!shape) return fail(shape.error());
    if (!shape->architecture->plain_input) {
      return fail(ErrorCode::kUnsupported, "hidden states of " + model_type(*shape) +
                                               " models are not computed by this engine");
    }
    shape_ = *shape;
    if (auto fits = check_tensors(source_, shape_); !fits) return fits;
    auto model = WeightMemory().load(source_, shape_, options_.weights, 0);
    if (!model) return fail(std::move(model.error()));
    model_ = std::move(*model);
    return {};
  }

  // `capture` and `stop` must outlive the context.
  Result<ContextHandle> make_context(std::size_t longest, StateCapture& capture,
                                     std::stop_token& stop) const {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(std::max<std::size_t>(longest, kMicroBatch));
    params.n_batch = params.n_ctx;
    params.n_ubatch = kMicroBatch;
    params.n_seq_max = 1;
    params.kv_unified = true;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.no_perf = true;
    params.n_threads =
        static_cast<std::int32_t>(thread_count(options_.threads, source_.parameter_count()));
    params.n_threads_batch = params.n_threads;
    params.abort_callback = stop_requested;
    params.abort_callback_data = &stop;
    params.cb_eval = StateCapture::on_node;
    params.cb_eval_user_data = &capture;
    forget_complaint();
    ContextHandle context(llama_init_from_model(model_.get(), params));
    if (!context)
      return fail(ErrorCode::kIo, with_complaint("llama.cpp cannot prepare the computation"));
    return context;
  }

  Result<LayerStates> compute(llama_context* context, TokenIds ids, StateCapture& capture,
                              const std::stop_token& stop) const {
    const auto cancelled = [] {
      return fail(ErrorCode::kCancelled, "computing hidden states was cancelled");
    };
    if (stop.stop_requested()) return cancelled();
    capture.begin(ids.size());
    if (auto added = add_embeddings(ids, capture); !added) return fail(std::move(added.error()));
    llama_memory_clear(llama_get_memory(context), false);
    forget_complaint();
    // Without positions and output flags: from 0 on, logits of the last token only.
    const std::int32_t code = llama_decode(
        context, llama_batch_get_one(ids.data(), static_cast<std::int32_t>(ids.size())));
    if (code != 0 && stop.stop_requested()) return cancelled();
    if (code != 0) {
      return fail(ErrorCode::kInternal,
                  with_complaint("llama_decode failed with " + std::to_string(code)));
    }
    if (!capture.complete())
      return fail(ErrorCode::kInternal, "llama.cpp's graph has no node for some layer's output");
    LayerStates states = capture.states();
    if (!std::ranges::all_of(states, [](float value) { return std::isfinite(value); }))
      return fail(ErrorCode::kCorrupt, "the model yields NaN or infinite states");
    return states;
  }

  // What enters the first layer: rows of the embedding, as stored.
  Status add_embeddings(const TokenIds& ids, StateCapture& capture) const {
    const checkpoint::TensorLocation found = source_.checkpoint().find("model.embed_tokens.weight");
    const std::size_t element = tensor::byte_size(found.entry->dtype);
    std::vector<std::byte> raw(shape_.hidden * element);
    std::vector<float> row(shape_.hidden);
    for (const std::int32_t id : ids) {
      const std::uint64_t offset = static_cast<std::uint64_t>(id) * raw.size();
      if (auto read = found.shard->read(*found.entry, offset, raw); !read) return read;
      tensor::to_float32(found.entry->dtype, raw, row);
      capture.add_input(row);
    }
    return {};
  }

  checkpoint::StoredModel source_;
  ModelShape shape_;  // once the model is loaded
  tokenizer::Tokenizer tokenizer_;
  HiddenStateOptions options_;
  std::string bos_;  // "" without one
  std::optional<std::int32_t> padding_;
  std::shared_ptr<llama_model> model_;  // empty until states are asked for
};

}  // namespace

Result<std::unique_ptr<moe::PromptModel>> open_prompt_model(const std::filesystem::path& folder,
                                                            const HiddenStateOptions& options) {
  auto source = checkpoint::StoredModel::open(folder);
  if (!source) return fail(std::move(source.error()));
  const checkpoint::TensorLocation embedding =
      source->checkpoint().find("model.embed_tokens.weight");
  if (embedding.shard == nullptr || embedding.entry->shape.size() != 2) {
    return fail(ErrorCode::kUnsupported,
                folder.string() + " has no embedding matrix model.embed_tokens.weight");
  }
  auto tokenizer = tokenizer::Tokenizer::load(source->checkpoint(), embedding.entry->shape[0]);
  if (!tokenizer) return fail(std::move(tokenizer.error()));
  return std::make_unique<LlamaPromptModel>(std::move(*source), std::move(*tokenizer), options);
}

}  // namespace crucible::engine
