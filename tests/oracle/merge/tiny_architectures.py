"""Tiny random models of many architectures, as transformers makes and saves them."""
import contextlib
import io
import json
import re

LAYERS = 4
COMMON = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": LAYERS,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}
HEAD = {"head_dim": 8}
GPT = {"vocab_size": 64, "n_embd": 32, "n_layer": LAYERS, "n_head": 4, "n_positions": 128,
       "bos_token_id": 1, "eos_token_id": 2}
FALCON = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
          "bos_token_id": 1, "eos_token_id": 2}
QWEN_MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
            "shared_expert_intermediate_size": 40}
DEEPSEEK = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "n_shared_experts": 1,
            "first_k_dense_replace": 1, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1, "q_lora_rank": 16, "kv_lora_rank": 12,
            "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "head_dim": 8, "v_head_dim": 8}

# Name in the table: (model_type, configuration).
MODELS = {
    "llama": ("llama", COMMON),
    "llama, tied": ("llama", COMMON | {"tie_word_embeddings": True}),
    "llama, biases": ("llama", COMMON | {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("mistral", COMMON),
    "qwen2": ("qwen2", COMMON),
    "qwen3": ("qwen3", COMMON | HEAD),
    "gemma": ("gemma", COMMON | HEAD),
    "gemma2": ("gemma2", COMMON | HEAD),
    "gemma3_text": ("gemma3_text", COMMON | HEAD),
    "phi": ("phi", COMMON),
    "phi, qk_layernorm": ("phi", COMMON | {"qk_layernorm": True}),
    "phi3": ("phi3", COMMON),
    "gpt_neox": ("gpt_neox", {k: v for k, v in COMMON.items() if k != "num_key_value_heads"}),
    "gpt2": ("gpt2", GPT),
    "stablelm": ("stablelm", COMMON),
    "stablelm, qk_layernorm": ("stablelm", COMMON | {"qk_layernorm": True, "use_qkv_bias": True}),
    "starcoder2": ("starcoder2", COMMON),
    "olmo": ("olmo", COMMON),
    "olmo2": ("olmo2", COMMON),
    "olmo3": ("olmo3", COMMON),
    "cohere": ("cohere", COMMON),
    "cohere, qk norm": ("cohere", COMMON | {"use_qk_norm": True}),
    "cohere2": ("cohere2", COMMON),
    "granite": ("granite", COMMON),
    "exaone": ("exaone", COMMON),
    "exaone4": ("exaone4", COMMON),
    "internlm3": ("internlm3", COMMON | HEAD),
    "falcon 7b": ("falcon", FALCON | {"multi_query": True, "parallel_attn": True, "bias": False}),
    "falcon 40b": ("falcon", FALCON | {"new_decoder_architecture": True, "num_kv_heads": 2, "bias": False}),
    "falcon rw": ("falcon", FALCON | {"multi_query": False, "parallel_attn": False, "bias": True, "alibi": True}),
    "glm": ("glm", COMMON | HEAD),
    "glm4": ("glm4", COMMON | HEAD),
    "smollm3": ("smollm3", COMMON),
    "arcee": ("arcee", COMMON),
    "seed_oss": ("seed_oss", COMMON | HEAD),
    "ernie4_5": ("ernie4_5", COMMON | HEAD),
    "ministral": ("ministral", COMMON | HEAD),
    "hunyuan_v1_dense": ("hunyuan_v1_dense", COMMON | HEAD),
    "nemotron": ("nemotron", COMMON),
    "gpt_bigcode": ("gpt_bigcode", GPT),
    "gptj": ("gptj", GPT | {"rotary_dim": 4}),
    "bloom": ("bloom", {"vocab_size": 64, "hidden_size": 32, "n_layer": LAYERS, "n_head": 4}),
    "opt": ("opt", COMMON | {"ffn_dim": 48, "word_embed_proj_dim": 16}),
    "mixtral": ("mixtral", COMMON | {"num_local_experts": 4}),
    "phimoe": ("phimoe", COMMON | {"num_local_experts": 4}),
    "qwen2_moe": ("qwen2_moe", COMMON | QWEN_MOE),
    "qwen2_moe, dense layers": ("qwen2_moe", COMMON | QWEN_MOE | {"decoder_sparse_step": 2}),
    "qwen3_moe": ("qwen3_moe", COMMON | HEAD | QWEN_MOE),
    "qwen3_moe, dense layers": ("qwen3_moe", COMMON | HEAD | QWEN_MOE | {"mlp_only_layers": [1]}),
    "olmoe": ("olmoe", COMMON | {"num_experts": 4, "num_experts_per_tok": 2}),
    "granitemoe": ("granitemoe", COMMON | {"num_local_experts": 4}),
    "deepseek_v2": ("deepseek_v2", COMMON | DEEPSEEK),
    "deepseek_v3": ("deepseek_v3", COMMON | DEEPSEEK),
    "glm4_moe": ("glm4_moe", COMMON | HEAD | {k: v for k, v in DEEPSEEK.items() if "lora" not in k and "qk_" not in k}),
    # No table: inferred from the names.
    "apertus": ("apertus", COMMON),
    "diffllama": ("diffllama", COMMON),
    "bitnet": ("bitnet", COMMON),
    "lfm2": ("lfm2", COMMON | {"layer_types": ["conv", "full_attention"] * (LAYERS // 2)}),
    "mpt": ("mpt", {"vocab_size": 64, "d_model": 32, "n_layers": LAYERS, "n_heads": 4, "max_seq_len": 128}),
    "mamba": ("mamba", {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": LAYERS, "state_size": 8}),
    "persimmon": ("persimmon", COMMON),
    "codegen": ("codegen", GPT | {"rotary_dim": 4}),
    "biogpt": ("biogpt", COMMON),
    "helium": ("helium", COMMON | HEAD),
}
PACKED = ("mixtral", "phimoe", "qwen2_moe", "qwen3_moe", "olmoe", "deepseek_v2", "deepseek_v3", "glm4_moe")
VARIANTS = {f"{name}, {form}": (name, form) for name in PACKED for form in ("packed", "packed and per expert")}
VARIANTS["gpt2, no prefix"] = ("gpt2", "no prefix")
VARIANTS["gpt2, one without prefix"] = ("gpt2", "one without prefix")


def names():
    return [*MODELS, *VARIANTS]


def make(name, seed, folder):
    """Writes random model `seed` (1, 2) of an architecture to a folder; weights are of float32."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    name, form = VARIANTS.get(name, (name, ""))
    model_type, settings = MODELS[name]
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[model_type](**settings))
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():  # norms and biases begin as constants, which tests nothing
                tensor.add_(torch.randn_like(tensor) * 0.05)
    packed = form == "packed" or form == "packed and per expert" and seed == 1
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder, save_original_format=not packed)
    if form == "no prefix" or form == "one without prefix" and seed == 2:
        rename(folder, r"^transformer\.", "")
    return model


def rename(folder, pattern, by):
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file({re.sub(pattern, by, name): tensor for name, tensor in load_file(path).items()}, path, {"format": "pt"})


def has_table(name, tables):
    model_type = MODELS[VARIANTS.get(name, (name, ""))[0]][0]
    return any(json.loads(table.read_text())["model_type"] == model_type for table in tables.glob("*.json"))
