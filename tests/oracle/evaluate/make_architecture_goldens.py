#!/usr/bin/env python3
"""Makes the reference values of every architecture that the engine computes: tiny random models made by
transformers, their log-likelihoods by lm-evaluation-harness 0.4.13 (HFLM) in float32.

    make_architecture_goldens.py OUT [NAME…]

OUT/<model>/ gets a checkpoint in bfloat16, OUT/<model>.json its requests and what the harness said of them.
transformers 5 has no InternLM2, Exaone and DeepSeek-MoE: the first two are Llama models with other names and another
layout of weights, and are saved as such; the third is computed by the few lines of DeepseekMoE below. Needs torch,
transformers and lm_eval; the tests need only what it writes.
"""

import argparse
import json
import pathlib

import torch
import transformers as hf
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from make_goldens import CORPUS, make_tokenizer, write
from safetensors.torch import save_file

MAX_LENGTH = 192
SIZES = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=256, bos_token_id=0, eos_token_id=1)
GPT2 = dict(n_embd=24, n_layer=2, n_head=3, n_positions=MAX_LENGTH, n_inner=60, bos_token_id=0, eos_token_id=1)
EXPERTS = dict(num_experts=5, num_local_experts=5, num_experts_per_tok=2, moe_intermediate_size=24)


def without(sizes, *keys):
    return {key: value for key, value in sizes.items() if key not in keys}


def rope(kind="default", theta=10000.0, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=theta, **more))


YARN = rope("yarn", factor=4.0, original_max_position_embeddings=64)
LONGROPE = rope("longrope", partial_rotary_factor=0.75, short_factor=[1.0, 1.3, 2.5],
                long_factor=[2.0, 4.0, 9.0], original_max_position_embeddings=MAX_LENGTH)


def models(vocabulary: int):
    """name -> model of transformers, or (model, function that renames its tensors and changes its configuration)"""
    def make(family, sizes=SIZES, config=None, **more):
        config = config or family.replace("ForCausalLM", "") + "Config"
        config = config.replace("LMHeadModel", "")
        return getattr(hf, family)(getattr(hf, config)(vocab_size=vocabulary, **{**sizes, **more}))

    yield "llama-yarn", make("LlamaForCausalLM", **YARN)
    yield "mistral-head-dim", make("MistralForCausalLM", head_dim=12, sliding_window=None)
    yield "qwen2-yarn", make("Qwen2ForCausalLM", **rope("yarn", 1e6, factor=4.0, attention_factor=1.3, beta_fast=16.0,
                                                       original_max_position_embeddings=64))
    yield "qwen3", make("Qwen3ForCausalLM", head_dim=16, num_attention_heads=3, num_key_value_heads=1)
    yield "mixtral", make("MixtralForCausalLM", num_local_experts=5, num_experts_per_tok=2)
    yield "qwen2_moe", make("Qwen2MoeForCausalLM", shared_expert_intermediate_size=40, **EXPERTS)
    yield "qwen3_moe", make("Qwen3MoeForCausalLM", head_dim=16, norm_topk_prob=True, **EXPERTS)
    yield "gemma", make("GemmaForCausalLM", head_dim=16, num_key_value_heads=1)
    yield "gemma2", make("Gemma2ForCausalLM", head_dim=16, query_pre_attn_scalar=20, sliding_window=24)
    yield "gemma3", make("Gemma3ForCausalLM", config="Gemma3TextConfig", head_dim=16, query_pre_attn_scalar=20,
                         sliding_window=24, num_hidden_layers=4,
                         layer_types=["sliding_attention", "full_attention"] * 2)
    yield "phi", make("PhiForCausalLM", num_key_value_heads=6)
    yield "phi3", make("Phi3ForCausalLM", pad_token_id=1)
    yield "phi3-longrope", make("Phi3ForCausalLM", hidden_size=48, pad_token_id=1,
                                original_max_position_embeddings=MAX_LENGTH, **LONGROPE)
    yield "gpt_neox", make("GPTNeoXForCausalLM", without(SIZES, "num_key_value_heads"), num_attention_heads=3)
    yield "gpt_neox-sequential", make("GPTNeoXForCausalLM", without(SIZES, "num_key_value_heads"),
                                      use_parallel_residual=False, num_attention_heads=3)
    yield "gpt2", make("GPT2LMHeadModel", GPT2)
    yield "stablelm", make("StableLmForCausalLM", use_qkv_bias=True, num_attention_heads=3, num_key_value_heads=1)
    yield "stablelm-parallel", make("StableLmForCausalLM", qk_layernorm=True, use_parallel_residual=True,
                                    num_attention_heads=3, num_key_value_heads=3)
    yield "starcoder2", make("Starcoder2ForCausalLM")
    yield "olmo2", make("Olmo2ForCausalLM", pad_token_id=1)
    yield "cohere", make("CohereForCausalLM", logit_scale=0.3)
    yield "granite", make("GraniteForCausalLM", attention_bias=True, embedding_multiplier=3.0, logits_scaling=2.0,
                          residual_multiplier=0.5, attention_multiplier=0.2)
    yield "falcon-7b", make("FalconForCausalLM", without(SIZES, "num_key_value_heads", "intermediate_size"))
    yield "falcon-40b", make("FalconForCausalLM", without(SIZES, "num_key_value_heads", "intermediate_size"),
                             new_decoder_architecture=True, num_kv_heads=2, ffn_hidden_size=60)
    yield "falcon-11b", make("FalconForCausalLM", without(SIZES, "num_key_value_heads", "intermediate_size"),
                             new_decoder_architecture=True, num_kv_heads=3, num_ln_in_parallel_attn=1,
                             tie_word_embeddings=False)
    yield "ministral", make("MinistralForCausalLM", sliding_window=MAX_LENGTH, head_dim=8)
    yield "internlm3", make("LlamaForCausalLM", config="InternLM3Config", head_dim=12)
    yield "arcee", make("ArceeForCausalLM")
    yield "seed_oss", make("SeedOssForCausalLM", head_dim=12)
    yield "nemotron", make("NemotronForCausalLM", num_attention_heads=3, num_key_value_heads=1, **rope(partial_rotary_factor=0.5))
    yield "ernie4_5", make("Ernie4_5ForCausalLM", head_dim=12)
    yield "gpt_bigcode", make("GPTBigCodeForCausalLM", GPT2)
    yield "gpt_bigcode-heads", make("GPTBigCodeForCausalLM", GPT2, multi_query=False)
    yield "bloom", make("BloomForCausalLM", dict(hidden_size=24, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=1))
    yield "olmo", make("OlmoForCausalLM", clip_qkv=1.5, pad_token_id=1)
    yield "olmoe", make("OlmoeForCausalLM", num_key_value_heads=6, num_experts=5, num_experts_per_tok=2, pad_token_id=1)
    yield "olmo3", make("Olmo3ForCausalLM", num_hidden_layers=4, sliding_window=24, pad_token_id=1)
    yield "cohere2", make("Cohere2ForCausalLM", num_hidden_layers=4, sliding_window=24, logit_scale=0.3)
    yield "granitemoe", make("GraniteMoeForCausalLM", num_local_experts=5, num_experts_per_tok=2, embedding_multiplier=3.0,
                             logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2)
    yield "glm4", make("Glm4ForCausalLM", head_dim=16, pad_token_id=1, **rope(partial_rotary_factor=0.5))
    yield "glm", make("GlmForCausalLM", head_dim=4, pad_token_id=1, **rope(partial_rotary_factor=0.5))
    yield "exaone4", make("Exaone4ForCausalLM", sliding_window=None, layer_types=["full_attention"] * 2)
    yield "smollm3", make("SmolLM3ForCausalLM", num_hidden_layers=5, pad_token_id=1)
    yield "internlm2", (make("LlamaForCausalLM"), as_internlm2)
    yield "exaone", (make("LlamaForCausalLM", **rope("llama3", 5e5, factor=8.0, low_freq_factor=1.0,
                                                     high_freq_factor=4.0, original_max_position_embeddings=64)),
                     as_exaone)
    yield "deepseek", (deepseek(make("LlamaForCausalLM", num_hidden_layers=3)), as_deepseek)


class DeepseekMoE(torch.nn.Module):
    """DeepSeekMoE (arXiv:2401.06066), as DeepSeek-MoE-16B has it: softmax over all experts, the best are added with
    their probabilities as they are, shared experts always."""

    def __init__(self, config, experts=5, used=2, shared=2, wide=24):
        super().__init__()
        narrow = hf.LlamaConfig(**{**config.to_dict(), "intermediate_size": wide})
        shared_config = hf.LlamaConfig(**{**config.to_dict(), "intermediate_size": wide * shared})
        mlp = hf.models.llama.modeling_llama.LlamaMLP
        self.used = used
        self.gate = torch.nn.Linear(config.hidden_size, experts, bias=False)
        self.experts = torch.nn.ModuleList(mlp(narrow) for _ in range(experts))
        self.shared_experts = mlp(shared_config)

    def forward(self, states):
        weights, chosen = self.gate(states).softmax(-1).topk(self.used, dim=-1)
        all_outputs = torch.stack([expert(states) for expert in self.experts], dim=-2)
        index = chosen.unsqueeze(-1).expand(*chosen.shape, states.shape[-1])
        return (all_outputs.gather(-2, index) * weights.unsqueeze(-1)).sum(-2) + self.shared_experts(states)


def deepseek(model):
    for layer in model.model.layers[1:]:
        layer.mlp = DeepseekMoE(model.config)
    return model


def as_deepseek(config, tensors):
    config |= dict(model_type="deepseek", architectures=["DeepseekForCausalLM"], n_routed_experts=5, num_experts_per_tok=2,
                   n_shared_experts=2, moe_intermediate_size=24, first_k_dense_replace=1, moe_layer_freq=1,
                   norm_topk_prob=False, scoring_func="softmax")
    return config, tensors


def as_internlm2(config, tensors):
    config |= dict(model_type="internlm2", architectures=["InternLM2ForCausalLM"], bias=False)
    groups, size = config["num_key_value_heads"], config["hidden_size"] // config["num_attention_heads"]
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in (("embed_tokens", "tok_embeddings"), ("lm_head", "output"), ("self_attn.o_proj", "attention.wo"),
                         ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "ffn_norm"),
                         ("mlp.gate_proj", "feed_forward.w1"), ("mlp.up_proj", "feed_forward.w3"),
                         ("mlp.down_proj", "feed_forward.w2")):
            name = name.replace(old, new)
        if ".self_attn." not in name:
            renamed[name] = tensor
    for layer in range(config["num_hidden_layers"]):
        q, k, v = (tensors[f"model.layers.{layer}.self_attn.{part}_proj.weight"] for part in "qkv")
        parts = (q.view(groups, -1, size, q.shape[-1]), k.view(groups, 1, size, q.shape[-1]),
                 v.view(groups, 1, size, q.shape[-1]))
        renamed[f"model.layers.{layer}.attention.wqkv.weight"] = torch.cat(parts, 1).reshape(-1, q.shape[-1])
    return config, renamed


def as_exaone(config, tensors):
    config |= dict(model_type="exaone", architectures=["ExaoneForCausalLM"], num_layers=config.pop("num_hidden_layers"),
                   layer_norm_epsilon=config.pop("rms_norm_eps"), activation_function=config.pop("hidden_act"))
    scaling = config.pop("rope_parameters")  # as files of its time have it
    config |= dict(rope_theta=scaling.pop("rope_theta"), rope_scaling=scaling)
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in (("model.embed_tokens", "transformer.wte"), ("model.norm", "transformer.ln_f"),
                         ("model.layers", "transformer.h"), ("self_attn.o_proj", "attn.attention.out_proj"),
                         ("self_attn", "attn.attention"), ("input_layernorm", "ln_1"),
                         ("post_attention_layernorm", "ln_2"), ("gate_proj", "c_fc_0"), ("up_proj", "c_fc_1"),
                         ("down_proj", "c_proj")):
            name = name.replace(old, new)
        renamed[name] = tensor
    return config, renamed


def randomise(model) -> None:
    """Everything, also what starts at 0 and 1: otherwise nothing would depend on it."""
    gemma = model.config.model_type.startswith("gemma")
    with torch.no_grad():
        for name, weights in model.named_parameters():
            noise = torch.randn_like(weights)
            if name.endswith("bias"):
                weights.copy_(0.4 * noise)
            elif weights.dim() == 1 or "layernorm.norms" in name:
                weights.copy_(0.2 * noise if gemma else 1 + 0.2 * noise)
            else:
                weights.copy_(noise * (0.7 if "embed" in name or "wte" in name else 0.25))


def requests() -> list[tuple[str, str]]:
    pairs = []
    for context in (CORPUS[0][:-6], "Question: Which animal barks?\nAnswer:", CORPUS[2] * 4 + "\nAnswer:"):
        pairs += [(context, choice) for choice in (" A", " the dog", " the cat.", " Paris", " 345 times")]
    pairs += [("The", " quick brown fox jumps"), ("数学 — 🙂", CORPUS[3]), ("", "Paris"), ("x", CORPUS[3] + CORPUS[2]),
              (CORPUS[1] * 3, CORPUS[2])]  # the last one is cut
    return pairs


def save(model, rename, folder: pathlib.Path, tokenizer) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if rename is None:
        return
    config = json.loads((folder / "config.json").read_text())
    config, tensors = rename(config, dict(model.state_dict()))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()},
              folder / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    torch.manual_seed(5)
    for name, model in models(len(tokenizer)):
        if arguments.names and name not in arguments.names:
            continue
        model, rename = model if isinstance(model, tuple) else (model, None)
        torch.manual_seed(sum(name.encode()))
        randomise(model)
        model = model.to(torch.bfloat16)
        folder = arguments.out / name
        save(model, rename, folder, tokenizer)
        # What is in the files, computed in float32; buffers as a float32 model makes them.
        exact = model.__class__(model.config).eval()
        if rename is as_deepseek:
            exact = deepseek(exact)
        exact.load_state_dict({key: value.float() for key, value in model.state_dict().items()})
        harness = HFLM(pretrained=exact, tokenizer=tokenizer, batch_size=1, max_length=MAX_LENGTH, add_bos_token=False)
        instances = [Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=i)
                     for i, pair in enumerate(requests())]
        write(arguments.out / f"{name}.json", MAX_LENGTH,
              [("never", requests(), harness.loglikelihood(instances, disable_tqdm=True))])
        print(name, flush=True)


if __name__ == "__main__":
    main()
