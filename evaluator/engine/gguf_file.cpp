#include "evaluator/engine/gguf_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "evaluator/engine/llama_loading.hpp"
#include "gguf.h"

namespace crucible::engine {
namespace {

constexpr std::uint32_t kMaxLayers = 512;
constexpr std::uint32_t kMaxExperts = 512;
constexpr std::uint32_t kMaxHeads = 4096;
constexpr std::uint32_t kMaxHeadSize = 1024;
constexpr std::uint32_t kMaxWidth = 1U << 20;
constexpr std::uint32_t kMaxContext = 1U << 28;

struct FreeGguf {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
using GgufHandle = std::unique_ptr<gguf_context, FreeGguf>;

// Typed access to metadata that collects faults.
class Metadata {
 public:
  explicit Metadata(GgufHandle handle) : handle_(std::move(handle)) {}

  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  std::string own(const char* key) const { return prefix_ + key; }
  bool has(const std::string& key) const { return find(key) >= 0; }

  std::string text(const std::string& key) const {
    const std::int64_t id = find(key);
    if (id < 0 || gguf_get_kv_type(get(), id) != GGUF_TYPE_STRING) return {};
    return gguf_get_val_str(get(), id);
  }

  std::optional<std::uint32_t> integer(const std::string& key, std::uint32_t least,
                                       std::uint32_t most) {
    const std::int64_t id = find(key);
    if (id < 0) return std::nullopt;
    std::int64_t value = -1;
    switch (gguf_get_kv_type(get(), id)) {
      case GGUF_TYPE_UINT32:
        value = gguf_get_val_u32(get(), id);
        break;
      case GGUF_TYPE_INT32:
        value = gguf_get_val_i32(get(), id);
        break;
      default:
        fault(key, "is no 32-bit integer");
        return least;
    }
    if (value < least || value > most) {
      fault(key, std::to_string(value) + " is not from " + std::to_string(least) + " to " +
                     std::to_string(most));
      return least;
    }
    return static_cast<std::uint32_t>(value);
  }
  std::uint32_t required(const std::string& key, std::uint32_t most) {
    const auto value = integer(key, 1, most);
    if (!value) fault(key, "is missing");
    return value.value_or(1);
  }
  // Numbers that the graph multiplies or divides by.
  void check_positive(const std::string& key) {
    const std::int64_t id = find(key);
    if (id < 0) return;
    const bool real = gguf_get_kv_type(get(), id) == GGUF_TYPE_FLOAT32;
    const float value = real ? gguf_get_val_f32(get(), id) : 0;
    if (!std::isfinite(value) || value <= 0) fault(key, "is no positive number");
  }
  bool flag(const std::string& key) const {
    const std::int64_t id = find(key);
    return id >= 0 && gguf_get_kv_type(get(), id) == GGUF_TYPE_BOOL && gguf_get_val_bool(get(), id);
  }
  std::optional<std::size_t> array(const std::string& key, gguf_type type) {
    const std::int64_t id = find(key);
    if (id < 0) return std::nullopt;
    if (gguf_get_kv_type(get(), id) != GGUF_TYPE_ARRAY || gguf_get_arr_type(get(), id) != type) {
      fault(key, "is no array of the right type");
      return std::nullopt;
    }
    return gguf_get_arr_n(get(), id);
  }
  std::string_view element(const std::string& key, std::size_t i) const {
    return gguf_get_arr_str(get(), find(key), i);
  }

  void fault(const std::string& key, std::string message) {
    faults_.push_back({key, std::move(message), {}});
  }
  std::vector<Fault>& faults() { return faults_; }

 private:
  const gguf_context* get() const { return handle_.get(); }
  std::int64_t find(const std::string& key) const { return gguf_find_key(get(), key.c_str()); }

  GgufHandle handle_;
  std::string prefix_;
  std::vector<Fault> faults_;
};

std::uint64_t bytes_needed(const gguf_context& context) {
  const std::uint64_t start = gguf_get_data_offset(&context);
  std::uint64_t end = start;
  for (std::int64_t i = 0; i < gguf_get_n_tensors(&context); ++i) {
    const std::uint64_t size = gguf_get_tensor_size(&context, i);
    end = std::max(end, start + gguf_get_tensor_offset(&context, i) + size);
  }
  return end;
}

Result<const ArchitectureTable*> find_graph(const std::string& name) {
  const ArchitectureTable* best = nullptr;
  for (const ArchitectureTable& table : architecture_tables()) {
    if (table.gguf != name) continue;
    if (best == nullptr || table.model_type == name) best = &table;
  }
  if (best != nullptr) return best;
  std::string known;
  for (const ArchitectureTable& table : architecture_tables()) {
    if (known.find(table.gguf) == std::string::npos) {
      known += (known.empty() ? "" : ", ") + table.gguf;
    }
  }
  return fail(ErrorCode::kUnsupported, "GGUF models of architecture '" + name +
                                           "' cannot be evaluated by this engine; it computes " +
                                           known);
}

// Of one graph in llama.cpp several tables may be right; it rotates parts of heads if any does.
bool rotates_parts(const std::string& graph) {
  return std::ranges::any_of(architecture_tables(), [&](const ArchitectureTable& table) {
    return table.gguf == graph && (!table.partial_rotary_keys.empty() || !table.rotary);
  });
}

void read_sizes(Metadata& metadata, ModelShape& shape) {
  const auto own = [&](const char* key) { return metadata.own(key); };
  shape.context = metadata.required(own("context_length"), kMaxContext);
  shape.hidden = metadata.required(own("embedding_length"), kMaxWidth);
  shape.layers = metadata.required(own("block_count"), kMaxLayers);
  shape.feed_forward = metadata.required(own("feed_forward_length"), kMaxWidth);
  shape.heads = metadata.required(own("attention.head_count"), kMaxHeads);
  shape.kv_heads =
      metadata.integer(own("attention.head_count_kv"), 1, kMaxHeads).value_or(shape.heads);
  const std::uint32_t share = std::max(1U, shape.hidden / shape.heads);
  shape.head_size = metadata.integer(own("attention.key_length"), 1, kMaxHeadSize).value_or(share);
  const auto values = metadata.integer(own("attention.value_length"), 1, kMaxHeadSize);
  if (values.value_or(share) != shape.head_size) {
    metadata.fault(own("attention.value_length"), "differs from the length of keys");
  }
  if (shape.heads % shape.kv_heads != 0) {
    metadata.fault(own("attention.head_count_kv"), "does not divide attention.head_count");
  }
  const auto rotated = metadata.integer(own("rope.dimension_count"), 1, kMaxHeadSize);
  const std::uint32_t dimensions = rotated.value_or(shape.head_size);
  const bool whole = dimensions == shape.head_size;
  if (dimensions > shape.head_size || dimensions % 2 != 0 ||
      (!whole && !rotates_parts(shape.architecture->gguf))) {
    metadata.fault(
        own("rope.dimension_count"),
        std::to_string(dimensions) + " does not fit heads of " + std::to_string(shape.head_size));
  }
}

void read_experts(Metadata& metadata) {
  const auto experts = metadata.integer(metadata.own("expert_count"), 0, kMaxExperts);
  const auto used = metadata.integer(metadata.own("expert_used_count"), 0, kMaxExperts);
  const std::uint32_t count = experts.value_or(0);
  const std::uint32_t active = used.value_or(0);
  if (active > count || (count > 0 && active == 0)) {
    metadata.fault(metadata.own("expert_used_count"),
                   std::to_string(active) + " of " + std::to_string(count) + " experts");
  }
}

// Keys that other graphs of llama.cpp use and the known ones would end the process on.
void refuse_foreign_keys(Metadata& metadata) {
  for (const char* key :
       {"nextn_predict_layers", "expert_group_count", "deepstack_mapping", "embedding_length_out",
        "attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count_swa"}) {
    if (metadata.has(metadata.own(key))) {
      metadata.fault(metadata.own(key), "is nothing that this architecture has");
    }
  }
  if (metadata.has(metadata.own("attention.causal")) &&
      !metadata.flag(metadata.own("attention.causal"))) {
    metadata.fault(metadata.own("attention.causal"), "is not true: no language model");
  }
}

void read_context_limits(Metadata& metadata, ModelShape& shape) {
  const auto own = [&](const char* key) { return metadata.own(key); };
  const auto window = metadata.integer(own("attention.sliding_window"), 0, kMaxContext);
  const bool in_graph = shape.architecture->window_layers.has_value();
  if (!in_graph) shape.sliding_window = window.value_or(0);
  if (metadata.has(own("rope.scaling.type"))) {
    const std::string type = metadata.text(own("rope.scaling.type"));
    constexpr std::array kTypes = {"none", "linear", "yarn", "longrope"};
    if (std::ranges::find(kTypes, type) == kTypes.end()) {
      metadata.fault(own("rope.scaling.type"), "'" + type + "' is unknown");
    }
    if (type == "longrope") shape.rope.scaling.kind = RopeScaling::Kind::kLongRope;
  }
  const auto original =
      metadata.integer(own("rope.scaling.original_context_length"), 1, kMaxContext);
  shape.rope.scaling.original_context = original.value_or(shape.context);
  for (const char* key :
       {"attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon", "rope.freq_base",
        "rope.freq_base_swa", "rope.scaling.factor", "rope.scaling.attn_factor", "logit_scale",
        "residual_scale", "embedding_scale", "attention.scale", "attn_logit_softcapping",
        "final_logit_softcapping", "expert_weights_scale"}) {
    metadata.check_positive(own(key));
  }
}

std::optional<std::int32_t> special_id(Metadata& metadata, const char* key, std::size_t tokens) {
  const auto most = static_cast<std::uint32_t>(std::max<std::size_t>(tokens, 1) - 1);
  const auto id = metadata.integer(key, 0, most);
  if (!id) return std::nullopt;
  return static_cast<std::int32_t>(*id);
}

Status read_tokens(Metadata& metadata, GgufFacts& facts) {
  const std::string model = metadata.text("tokenizer.ggml.model");
  if (model.empty() || model == "none" || model == "no_vocab") return {};
  if (model != "gpt2" && model != "llama") {
    return fail(ErrorCode::kUnsupported,
                "tokenizer.ggml.model '" + model + "' is not supported; supported: gpt2, llama");
  }
  const std::string list = "tokenizer.ggml.tokens";
  const std::size_t tokens = metadata.array(list, GGUF_TYPE_STRING).value_or(0);
  if (tokens == 0) metadata.fault(list, "is missing or empty");
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < tokens; ++i) {
    if (seen.insert(metadata.element(list, i)).second) continue;
    metadata.fault(list, "has the token '" + std::string(metadata.element(list, i)) + "' twice");
    break;
  }
  const auto same_length = [&](const char* key, gguf_type type) {
    const auto count = metadata.array(key, type);
    if (count && *count != tokens) metadata.fault(key, "is not as long as the list of tokens");
  };
  same_length("tokenizer.ggml.token_type", GGUF_TYPE_INT32);
  same_length("tokenizer.ggml.scores", GGUF_TYPE_FLOAT32);
  facts.bos = special_id(metadata, "tokenizer.ggml.bos_token_id", tokens);
  facts.eos = special_id(metadata, "tokenizer.ggml.eos_token_id", tokens);
  if (metadata.flag("tokenizer.ggml.add_bos_token") && !facts.bos) {
    metadata.fault("tokenizer.ggml.bos_token_id", "is missing, but is to be added");
  }
  if (metadata.flag("tokenizer.ggml.add_eos_token") && !facts.eos) {
    metadata.fault("tokenizer.ggml.eos_token_id", "is missing, but is to be added");
  }
  facts.has_vocabulary = true;
  facts.shape.vocabulary = static_cast<std::uint32_t>(tokens);
  return {};
}

}  // namespace

Result<GgufFacts> read_gguf_facts(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return fail(ErrorCode::kNotFound, "there is no file " + file.string());
  }
  start_llama();
  forget_complaint();
  GgufHandle handle(gguf_init_from_file(file.c_str(), {true, nullptr}));
  if (!handle) {
    return fail(ErrorCode::kCorrupt, with_complaint(file.string() + " is no readable GGUF file"));
  }
  const std::uint64_t bytes = std::filesystem::file_size(file, error);
  if (error || bytes_needed(*handle) > bytes) {
    return fail(ErrorCode::kCorrupt, file.string() + " is truncated: its tensors end at byte " +
                                         std::to_string(bytes_needed(*handle)) + " of " +
                                         std::to_string(bytes));
  }
  Metadata metadata(std::move(handle));
  const auto graph = find_graph(metadata.text("general.architecture"));
  if (!graph) return fail(graph.error());
  GgufFacts facts;
  facts.shape.architecture = *graph;
  metadata.set_prefix((*graph)->gguf + ".");
  if (auto tokens = read_tokens(metadata, facts); !tokens) return fail(tokens.error());
  read_sizes(metadata, facts.shape);
  read_experts(metadata);
  read_context_limits(metadata, facts.shape);
  refuse_foreign_keys(metadata);
  facts.chat_template = metadata.text("tokenizer.chat_template");
  if (metadata.faults().empty()) return facts;
  return fail(Error{ErrorCode::kInvalidArgument, file.string() + " describes no possible model",
                    std::move(metadata.faults())});
}

}  // namespace crucible::engine
