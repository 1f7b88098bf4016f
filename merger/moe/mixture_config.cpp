#include <array>

#include "merger/base/json_text.hpp"
#include "merger/checkpoint/files.hpp"
#include "merger/checkpoint/json_file.hpp"
#include "merger/moe/layout.hpp"

namespace crucible::moe {
namespace {

using nlohmann::ordered_json;

// What transformers' configuration classes of dense models assume when a key is absent and the
// mixtures' classes assume otherwise.
struct ClassDefaults {
  std::string_view model_type;
  std::uint64_t key_value_heads = 0;  // 0 = as many as attention heads
  std::uint64_t positions = 0;
  bool special_ids = false;  // bos_token_id 1, eos_token_id 2
};
constexpr std::array<ClassDefaults, 4> kDefaults{{{"llama", 0, 2048, true},
                                                  {"mistral", 8, 131072, true},
                                                  {"qwen2", 32, 32768, false},
                                                  {"qwen3", 32, 32768, false}}};

void set_default(ordered_json& config, const char* key, ordered_json value) {
  if (!config.contains(key) || config[key].is_null()) config[key] = std::move(value);
}

void write_out_defaults(ordered_json& config, const SourceModels& sources) {
  const plan::PlannedModel& base = sources.base_model();
  for (const ClassDefaults& defaults : kDefaults) {
    if (defaults.model_type != base.architecture->model_type) continue;
    set_default(config, "num_key_value_heads",
                defaults.key_value_heads != 0 ? ordered_json(defaults.key_value_heads)
                                              : config["num_attention_heads"]);
    set_default(config, "max_position_embeddings", defaults.positions);
    if (defaults.special_ids && !config.contains("bos_token_id")) config["bos_token_id"] = 1;
    if (defaults.special_ids && !config.contains("eos_token_id")) config["eos_token_id"] = 2;
  }
  set_default(config, "rms_norm_eps", 1e-6);
  set_default(config, "hidden_act", "silu");
  const bool has_theta = config.contains("rope_theta") || (config.contains("rope_parameters") &&
                                                           config["rope_parameters"].is_object());
  if (!has_theta) config["rope_theta"] = 10000.0;
  if (config.contains("head_dim") && config["head_dim"].is_null()) config.erase("head_dim");
  if (const auto norm = base.weights->find("model.layers.0.self_attn.q_norm.weight")) {
    config["head_dim"] = norm->shape().front();
  }
  // A checkpoint without an output matrix uses its embeddings.
  const bool tied = config.value("tie_word_embeddings", ordered_json(false)) == true;
  config["tie_word_embeddings"] = tied || base.weights->find("lm_head.weight") == nullptr;
}

void set_dtype(ordered_json& config, tensor::DType dtype) {
  const std::string name(tensor::torch_name(dtype));
  if (config.contains("dtype")) config["dtype"] = name;
  if (config.contains("torch_dtype") || !config.contains("dtype")) config["torch_dtype"] = name;
}

void set_mixtral(ordered_json& config, const MoeRecipe& recipe, const SourceModels& sources) {
  for (const char* key : {"attention_bias", "mlp_bias", "pretraining_tp"}) config.erase(key);
  config["num_local_experts"] = recipe.experts.size();
  config["intermediate_size"] = sources.expert_size;
  config["sliding_window"] = nullptr;
}

// Keys of the model class that DeepSeek published with deepseek-moe-16b; there is no class for it
// inside transformers, so `auto_map` names theirs.
void set_deepseek(ordered_json& config, const MoeRecipe& recipe, const SourceModels& sources) {
  config["n_routed_experts"] = recipe.experts.size();
  config["n_shared_experts"] =
      recipe.shared_experts.empty() ? ordered_json(nullptr) : ordered_json(1);
  config["first_k_dense_replace"] = 0;
  config["moe_layer_freq"] = 1;
  config["scoring_func"] = "softmax";
  config["norm_topk_prob"] = true;
  config["intermediate_size"] = sources.expert_size;
  config["moe_intermediate_size"] = sources.expert_size;
  const std::string code = "deepseek-ai/deepseek-moe-16b-base--";
  config["auto_map"] = {{"AutoConfig", code + "configuration_deepseek.DeepseekConfig"},
                        {"AutoModel", code + "modeling_deepseek.DeepseekModel"},
                        {"AutoModelForCausalLM", code + "modeling_deepseek.DeepseekForCausalLM"}};
}

// The class is a file of the folder. It extends transformers' phi, so that what the base's
// configuration leaves open means the same in both.
void set_phixtral(ordered_json& config, const MoeRecipe& recipe, const SourceModels& sources) {
  config["num_local_experts"] = recipe.experts.size();
  config["intermediate_size"] = sources.expert_size;
  config["auto_map"] = {{"AutoConfig", "modeling_phixtral.PhixtralConfig"},
                        {"AutoModelForCausalLM", "modeling_phixtral.PhixtralForCausalLM"}};
}

void set_qwen2_moe(ordered_json& config, const MoeRecipe& recipe, const SourceModels& sources) {
  for (const char* key : {"attention_bias", "mlp_bias", "pretraining_tp", "layer_types"})
    config.erase(key);
  config["num_experts"] = recipe.experts.size();
  config["decoder_sparse_step"] = 1;
  config["mlp_only_layers"] = ordered_json::array();
  config["norm_topk_prob"] = true;
  config["intermediate_size"] = sources.expert_size;
  config["moe_intermediate_size"] = sources.expert_size;
  config["shared_expert_intermediate_size"] = sources.shared_size;
  config["qkv_bias"] = true;
  config["sliding_window"] = nullptr;
  config["use_sliding_window"] = false;
}

void set_qwen3_moe(ordered_json& config, const MoeRecipe& recipe, const SourceModels& sources) {
  config["num_experts"] = recipe.experts.size();
  config["decoder_sparse_step"] = 1;
  config["mlp_only_layers"] = ordered_json::array();
  config["norm_topk_prob"] = true;
  config["intermediate_size"] = sources.expert_size;
  config["moe_intermediate_size"] = sources.expert_size;
}

}  // namespace

Result<ordered_json> mixture_config(const MoeRecipe& recipe, const SourceModels& sources,
                                    Layout layout, tensor::DType dtype, io::Syscalls& calls) {
  const auto path = sources.base_model().checkpoint->folder() / checkpoint::kConfigFile;
  const auto text = io::read_text(path, checkpoint::kConfigLimitBytes, calls);
  if (!text) return fail(text.error());
  auto config = parse_untrusted_json<ordered_json>(*text);
  if (!config.is_object())
    return fail(ErrorCode::kCorrupt, path.string() + " changed while it was read");
  const LayoutInfo& known = info(layout);
  config["architectures"] = ordered_json::array({std::string(known.model_class)});
  config["model_type"] = std::string(known.name);
  config["num_experts_per_tok"] = recipe.experts_per_token;
  config.erase("auto_map");
  if (layout != Layout::kPhixtral) write_out_defaults(config, sources);
  set_dtype(config, dtype);
  switch (layout) {
    case Layout::kMixtral:
      set_mixtral(config, recipe, sources);
      break;
    case Layout::kDeepseek:
      set_deepseek(config, recipe, sources);
      break;
    case Layout::kQwen2Moe:
      set_qwen2_moe(config, recipe, sources);
      break;
    case Layout::kQwen3Moe:
      set_qwen3_moe(config, recipe, sources);
      break;
    case Layout::kPhixtral:
      set_phixtral(config, recipe, sources);
      break;
  }
  return config;
}

}  // namespace crucible::moe
