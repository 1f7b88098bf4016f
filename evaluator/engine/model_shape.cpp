#include "evaluator/engine/model_shape.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

namespace crucible::engine {
namespace {

using nlohmann::json;

// Bounds that keep every product below within 64 bits and inside what the engine can hold.
constexpr std::uint32_t kMaxLayers = 512;
constexpr std::uint32_t kMaxHeads = 4096;
constexpr std::uint32_t kMaxHeadSize = 1024;
constexpr std::uint32_t kMaxWidth = 1U << 20;
constexpr std::uint32_t kMaxVocabulary = 1U << 24;
constexpr std::uint32_t kMaxContext = 1U << 28;

// Typed access to config.json that collects faults.
class Config {
 public:
  explicit Config(const json& config) : config_(config) {}

  const json* find(const char* key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }
  std::uint32_t integer(const char* key, std::uint32_t most,
                        std::optional<std::uint32_t> fallback = {}) {
    const json* value = find(key);
    if (value == nullptr) {
      if (!fallback) fault(key, "is missing");
      return fallback.value_or(1);
    }
    if (!value->is_number_integer() || *value < 1 || *value > most) {
      fault(key, shown(*value) + " is not an integer from 1 to " + std::to_string(most));
      return 1;
    }
    return value->get<std::uint32_t>();
  }
  double positive(const json& owner, const std::string& key, double fallback) {
    const auto found = owner.find(key);
    if (found == owner.end() || found->is_null()) return fallback;
    const double value = found->is_number() ? found->get<double>() : 0;
    if (!std::isfinite(value) || value <= 0) {
      fault(key, shown(*found) + " is not a positive number");
      return fallback;
    }
    return value;
  }
  double positive(const char* key, double fallback) { return positive(config_, key, fallback); }
  bool flag(const char* key, bool fallback) {
    const json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) fault(key, shown(*value) + " is not true or false");
    return value->is_boolean() ? value->get<bool>() : fallback;
  }
  void fault(const std::string& key, std::string message) {
    faults_.push_back({"config.json " + key, std::move(message), {}});
  }
  std::vector<Fault>& faults() { return faults_; }

 private:
  static std::string shown(const json& value) {
    std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    return text.size() <= 40 ? text : text.substr(0, 40) + "…";
  }
  const json& config_;
  std::vector<Fault> faults_;
};

Result<Family> read_family(const checkpoint::Checkpoint& checkpoint) {
  const std::string type = checkpoint.model_type();
  const std::string architecture = checkpoint.architecture();
  struct Known {
    Family family;
    std::string_view architecture;
  };
  static constexpr Known kKnown[] = {{Family::kLlama, "LlamaForCausalLM"},
                                     {Family::kMistral, "MistralForCausalLM"},
                                     {Family::kQwen2, "Qwen2ForCausalLM"},
                                     {Family::kQwen3, "Qwen3ForCausalLM"}};
  for (const Known& known : kKnown) {
    const bool fits = architecture.empty() || architecture == known.architecture;
    if (type == model_type(known.family) && fits) return known.family;
  }
  return fail(
      ErrorCode::kUnsupported,
      "models of type '" + type + "' (architecture '" + architecture +
          "') cannot be evaluated by this engine; it computes llama, mistral, qwen2 and qwen3");
}

// What changes the computation in ways that none of the families' graphs here has.
Status refuse_unsupported(const json& config) {
  const auto text = [&](const char* key, std::string_view expected) {
    const auto found = config.find(key);
    return found == config.end() || found->is_null() || *found == expected;
  };
  if (!text("hidden_act", "silu")) {
    return fail(ErrorCode::kUnsupported, "config.json hidden_act " + config["hidden_act"].dump() +
                                             " is not supported, only silu");
  }
  if (config.contains("quantization_config") && !config["quantization_config"].is_null()) {
    return fail(ErrorCode::kUnsupported,
                "config.json quantization_config: quantised checkpoints are not supported; "
                "use the original floating-point weights");
  }
  return {};
}

Status read_rope(Config& config, ModelShape& shape) {
  const json* scaling = config.find("rope_parameters");
  if (scaling == nullptr) scaling = config.find("rope_scaling");
  shape.rope_theta = config.positive("rope_theta", 10000);
  if (scaling == nullptr) return {};
  if (!scaling->is_object()) {
    config.fault("rope_parameters", "is not an object");
    return {};
  }
  shape.rope_theta = config.positive(*scaling, "rope_theta", shape.rope_theta);
  const auto rotated = scaling->find("partial_rotary_factor");
  if (rotated != scaling->end() && !rotated->is_null() && *rotated != 1.0) {
    return fail(ErrorCode::kUnsupported,
                "config.json partial_rotary_factor " + rotated->dump() + " is not supported");
  }
  const json type = scaling->value("rope_type", scaling->value("type", json("default")));
  RopeScaling& rope = shape.rope;
  if (type == "default") return {};
  if (type == "linear") {
    rope.kind = RopeScaling::Kind::kLinear;
  } else if (type == "llama3" && shape.interleaved_rope()) {
    rope.kind = RopeScaling::Kind::kLlama3;
  } else {
    return fail(ErrorCode::kUnsupported,
                "config.json rope type " + type.dump() + " is not supported for " +
                    std::string(model_type(shape.family)) + "; supported: default, linear" +
                    (shape.interleaved_rope() ? ", llama3" : ""));
  }
  rope.factor = config.positive(*scaling, "factor", 1);
  rope.low_frequency_factor = config.positive(*scaling, "low_freq_factor", 1);
  rope.high_frequency_factor = config.positive(*scaling, "high_freq_factor", 4);
  rope.original_context =
      config.positive(*scaling, "original_max_position_embeddings", shape.context);
  if (rope.kind == RopeScaling::Kind::kLlama3 &&
      rope.high_frequency_factor <= rope.low_frequency_factor) {
    config.fault("high_freq_factor", "is not above low_freq_factor");
  }
  return {};
}

void read_window(Config& config, ModelShape& shape) {
  const bool windowed = shape.family == Family::kMistral ||
                        (!shape.interleaved_rope() && config.flag("use_sliding_window", false));
  if (!windowed || config.find("sliding_window") == nullptr) return;
  shape.sliding_window = config.integer("sliding_window", kMaxContext);
}

Status read_biases(Config& config, ModelShape& shape) {
  if (shape.family == Family::kQwen2) shape.qkv_bias = true;
  if (shape.family == Family::kQwen3 && config.flag("attention_bias", false)) {
    return fail(ErrorCode::kUnsupported,
                "config.json attention_bias is not supported for qwen3 models");
  }
  if (shape.family != Family::kLlama) return {};
  shape.qkv_bias = config.flag("attention_bias", false);
  shape.output_bias = shape.qkv_bias;
  shape.mlp_bias = config.flag("mlp_bias", false);
  return {};
}

void read_sizes(Config& config, ModelShape& shape) {
  shape.vocabulary = config.integer("vocab_size", kMaxVocabulary);
  shape.hidden = config.integer("hidden_size", kMaxWidth);
  shape.layers = config.integer("num_hidden_layers", kMaxLayers);
  shape.heads = config.integer("num_attention_heads", kMaxHeads);
  shape.feed_forward = config.integer("intermediate_size", kMaxWidth);
  shape.context = config.integer("max_position_embeddings", kMaxContext);
  // Defaults of the families' configuration classes in transformers.
  const std::uint32_t default_kv_heads = shape.family == Family::kMistral ? 8
                                         : shape.family == Family::kLlama ? shape.heads
                                                                          : 32;
  shape.kv_heads = config.integer("num_key_value_heads", kMaxHeads, default_kv_heads);
  const bool divides = shape.hidden % shape.heads == 0;
  if (!divides && config.find("head_dim") == nullptr && shape.family != Family::kQwen3) {
    config.fault("num_attention_heads", "does not divide hidden_size, and there is no head_dim");
  }
  const std::uint32_t quotient =
      shape.family == Family::kQwen3 ? 128 : std::max(1U, shape.hidden / shape.heads);
  shape.head_size = config.integer("head_dim", kMaxHeadSize, quotient);
  if (shape.head_size % 2 != 0) config.fault("head_dim", "is odd; rotary embeddings need pairs");
  if (shape.heads % shape.kv_heads != 0) {
    config.fault("num_key_value_heads", "does not divide num_attention_heads");
  }
}

void add_attention(std::vector<TensorPlan>& plans, const ModelShape& shape,
                   const std::string& source, const std::string& target) {
  const std::uint64_t q = std::uint64_t{shape.heads} * shape.head_size;
  const std::uint64_t kv = std::uint64_t{shape.kv_heads} * shape.head_size;
  const bool interleave = shape.interleaved_rope();
  const std::string attention = source + "self_attn.";
  plans.push_back(
      {attention + "q_proj.weight", target + "attn_q.weight", {q, shape.hidden}, interleave});
  plans.push_back(
      {attention + "k_proj.weight", target + "attn_k.weight", {kv, shape.hidden}, interleave});
  plans.push_back(
      {attention + "v_proj.weight", target + "attn_v.weight", {kv, shape.hidden}, false});
  plans.push_back(
      {attention + "o_proj.weight", target + "attn_output.weight", {shape.hidden, q}, false});
  if (shape.qkv_bias) {
    plans.push_back({attention + "q_proj.bias", target + "attn_q.bias", {q}, interleave});
    plans.push_back({attention + "k_proj.bias", target + "attn_k.bias", {kv}, interleave});
    plans.push_back({attention + "v_proj.bias", target + "attn_v.bias", {kv}, false});
  }
  if (shape.qk_norm) {
    plans.push_back(
        {attention + "q_norm.weight", target + "attn_q_norm.weight", {shape.head_size}, false});
    plans.push_back(
        {attention + "k_norm.weight", target + "attn_k_norm.weight", {shape.head_size}, false});
  }
  if (shape.output_bias) {
    plans.push_back(
        {attention + "o_proj.bias", target + "attn_output.bias", {shape.hidden}, false});
  }
}

void add_mlp(std::vector<TensorPlan>& plans, const ModelShape& shape, const std::string& source,
             const std::string& target) {
  const std::uint64_t wide = shape.feed_forward;
  const std::uint64_t hidden = shape.hidden;
  const std::string mlp = source + "mlp.";
  plans.push_back({mlp + "gate_proj.weight", target + "ffn_gate.weight", {wide, hidden}, false});
  plans.push_back({mlp + "up_proj.weight", target + "ffn_up.weight", {wide, hidden}, false});
  plans.push_back({mlp + "down_proj.weight", target + "ffn_down.weight", {hidden, wide}, false});
  if (!shape.mlp_bias) return;
  plans.push_back({mlp + "gate_proj.bias", target + "ffn_gate.bias", {wide}, false});
  plans.push_back({mlp + "up_proj.bias", target + "ffn_up.bias", {wide}, false});
  plans.push_back({mlp + "down_proj.bias", target + "ffn_down.bias", {hidden}, false});
}

}  // namespace

std::string_view model_type(Family family) {
  switch (family) {
    case Family::kLlama:
      return "llama";
    case Family::kMistral:
      return "mistral";
    case Family::kQwen2:
      return "qwen2";
    case Family::kQwen3:
      return "qwen3";
  }
  return "";
}

Result<ModelShape> read_shape(const checkpoint::Checkpoint& checkpoint) {
  const json& whole = checkpoint.config();
  const auto family = read_family(checkpoint);
  if (!family) return fail(family.error());
  if (auto supported = refuse_unsupported(whole); !supported) return fail(supported.error());
  ModelShape shape;
  shape.family = *family;
  Config config(whole);
  read_sizes(config, shape);
  shape.norm_epsilon = config.positive("rms_norm_eps", 1e-6);
  shape.tied_embeddings = config.flag("tie_word_embeddings", false);
  shape.qk_norm = shape.family == Family::kQwen3;
  if (auto biases = read_biases(config, shape); !biases) return fail(biases.error());
  read_window(config, shape);
  if (auto rope = read_rope(config, shape); !rope) return fail(rope.error());
  if (config.faults().empty()) return shape;
  return fail(Error{ErrorCode::kInvalidArgument,
                    checkpoint.folder().string() + ": config.json describes no possible model",
                    std::move(config.faults())});
}

std::vector<TensorPlan> tensor_plans(const ModelShape& shape) {
  const tensor::Shape table = {shape.vocabulary, shape.hidden};
  const tensor::Shape norm = {shape.hidden};
  std::vector<TensorPlan> plans;
  plans.push_back({"model.embed_tokens.weight", "token_embd.weight", table, false});
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const std::string source = "model.layers." + std::to_string(layer) + ".";
    const std::string target = "blk." + std::to_string(layer) + ".";
    plans.push_back({source + "input_layernorm.weight", target + "attn_norm.weight", norm, false});
    add_attention(plans, shape, source, target);
    plans.push_back(
        {source + "post_attention_layernorm.weight", target + "ffn_norm.weight", norm, false});
    add_mlp(plans, shape, source, target);
  }
  plans.push_back({"model.norm.weight", "output_norm.weight", norm, false});
  if (!shape.tied_embeddings) plans.push_back({"lm_head.weight", "output.weight", table, false});
  return plans;
}

std::vector<float> rope_divisors(const ModelShape& shape) {
  if (shape.rope.kind != RopeScaling::Kind::kLlama3) return {};
  const RopeScaling& rope = shape.rope;
  const double longest = rope.original_context / rope.low_frequency_factor;
  const double shortest = rope.original_context / rope.high_frequency_factor;
  std::vector<float> divisors;
  for (std::uint32_t i = 0; i < shape.head_size; i += 2) {
    const double exponent = static_cast<double>(i) / shape.head_size;
    const double wavelength = 2 * std::numbers::pi * std::pow(shape.rope_theta, exponent);
    double divisor = 1;
    if (wavelength > longest) {
      divisor = rope.factor;
    } else if (wavelength >= shortest) {
      const double smooth = (rope.original_context / wavelength - rope.low_frequency_factor) /
                            (rope.high_frequency_factor - rope.low_frequency_factor);
      divisor = 1 / ((1 - smooth) / rope.factor + smooth);
    }
    divisors.push_back(static_cast<float>(divisor));
  }
  return divisors;
}

}  // namespace crucible::engine
