#!/usr/bin/env python3
"""Makes the golden merges beside this file with mergekit 0.1.5, or compares an engine with them.

    make_goldens.py                                  # inputs and expected outputs, from scratch
    make_goldens.py --compare --engine "crucible merge"
                                                     # table: recipe x (identical | ulp | mismatches)

Needs a virtual environment with mergekit 0.1.5, torch, safetensors and numpy. The goldens are committed,
so neither the build nor the tests need any of these.

models/NAME/            tiny random models (config.json, model.safetensors)
cases/NAME/recipe.yml   the recipe
cases/NAME/expected.safetensors   what mergekit wrote
cases/NAME/expected.json          tensor order, layer count, dtype in config.json, shard map
cases.json              by case: seed, shard size, and what agreement is asked for
                          nothing: every value identical
                          ulp: largest difference, in units in the last place of the tensor's largest
                               value. For slerp in float32: torch takes sines and arc cosines from its own
                               vector library, whose last bit differs from the C library's now and then.
                          ties: largest share of values that may differ at all, where many differences have
                               exactly equal magnitude at a pruning threshold: the lower index is kept here,
                               an order of an unstable sort there.
"""
import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
HIDDEN, INNER, HEADS, KV_HEADS, VOCAB, LAYERS = 12, 17, 2, 1, 41, 4
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "f64": torch.float64}
CLASSES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def config_of(family, dtype, layers, tied):
    config = {
        "architectures": [CLASSES[family]],
        "model_type": family,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "num_hidden_layers": layers,
        "head_dim": HIDDEN // HEADS,
        "vocab_size": VOCAB,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": tied,
        "torch_dtype": str(dtype).removeprefix("torch."),
    }
    if family.startswith("qwen"):
        config["layer_types"] = ["full_attention"] * layers
    return config


def shapes_of(family, layers, tied):
    head = HIDDEN // HEADS
    shapes = {"model.embed_tokens.weight": (VOCAB, HIDDEN), "model.norm.weight": (HIDDEN,)}
    if not tied:
        shapes["lm_head.weight"] = (VOCAB, HIDDEN)
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{prefix}{norm}.weight"] = (HIDDEN,)
        for name, out, into in (
            ("self_attn.q_proj", HEADS * head, HIDDEN),
            ("self_attn.k_proj", KV_HEADS * head, HIDDEN),
            ("self_attn.v_proj", KV_HEADS * head, HIDDEN),
            ("self_attn.o_proj", HIDDEN, HEADS * head),
            ("mlp.gate_proj", INNER, HIDDEN),
            ("mlp.up_proj", INNER, HIDDEN),
            ("mlp.down_proj", HIDDEN, INNER),
        ):
            shapes[f"{prefix}{name}.weight"] = (out, into)
            if family == "qwen2" and name[-6] in "qkv" and name.startswith("self"):
                shapes[f"{prefix}{name}.bias"] = (out,)
        if family == "qwen3":
            shapes[f"{prefix}self_attn.q_norm.weight"] = (head,)
            shapes[f"{prefix}self_attn.k_norm.weight"] = (head,)
    return shapes


def make_model(name, family, kind, seed, layers=LAYERS, tied=False, spread=0.02):
    """Family members share one base of seed 1 and differ by `spread`; seed 1 is the base itself."""
    dtype = DTYPES[kind]
    common, own = np.random.default_rng(1), np.random.default_rng(1000 + seed)
    tensors = {}
    for tensor, shape in shapes_of(family, layers, tied).items():
        values = common.standard_normal(shape) * 0.1
        noise = own.standard_normal(shape) * spread
        tensors[tensor] = torch.from_numpy(values + (noise if seed != 1 else 0)).to(dtype).contiguous()
    folder = HERE / "models" / name
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps(config_of(family, dtype, layers, tied), indent=2)
    (folder / "config.json").write_text(text + "\n")


def make_models():
    shutil.rmtree(HERE / "models", ignore_errors=True)
    for kind in ("bf16", "f32"):
        for number, name in enumerate(("base", "a", "b", "c", "d", "e"), start=1):
            make_model(f"llama-{kind}-{name}", "llama", kind, number)
    for kind in ("f16", "f64"):
        for number, name in enumerate(("base", "a", "b"), start=1):
            make_model(f"llama-{kind}-{name}", "llama", kind, number, layers=2)
    make_model("llama-tied-a", "llama", "bf16", 7, tied=True)
    make_model("llama-tied-b", "llama", "bf16", 8, tied=True)
    make_model("llama-12-a", "llama", "bf16", 9, layers=12)
    for family in ("mistral", "qwen2", "qwen3"):
        for number, name in enumerate(("base", "a", "b"), start=1):
            make_model(f"{family}-{name}", family, "bf16", number, layers=2)


def models(prefix, names, **parameters):
    """models: entries; a tuple or list in a parameter gives each model its own value."""
    entries = []
    for i, name in enumerate(names):
        own = {k: v[i] if isinstance(v, tuple) else v for k, v in parameters.items()}
        entry = {"model": f"models/{prefix}-{name}"}
        if own:
            entry["parameters"] = own
        entries.append(entry)
    return entries


def sources(*items):
    return {"sources": [{"model": f"models/{m}", "layer_range": [s, e], **kw} for m, s, e, kw in items]}


def task_vector(method, kind, names, globals_=None, base=None, dtype=None, out_dtype=None, **parameters):
    recipe = {
        "merge_method": method,
        "base_model": f"models/{base or 'llama-' + kind + '-base'}",
        "models": models(f"llama-{kind}", names, **parameters),
    }
    if globals_:
        recipe["parameters"] = globals_
    if dtype:
        recipe["dtype"] = dtype
    if out_dtype:
        recipe["out_dtype"] = out_dtype
    return recipe


SLERP_T = [
    {"filter": "self_attn", "value": [0, 0.5, 0.3, 0.7, 1]},
    {"filter": "mlp", "value": [1, 0.5, 0.7, 0.3, 0]},
    {"value": 0.5},
]


def linear_cases():
    yield "linear-bf16", {
        "merge_method": "linear",
        "models": models("llama-bf16", "abc", weight=(0.3, 0.5, 0.4)),
    }, {}
    yield "linear-f32-gradient-filter", {
        "merge_method": "linear",
        "models": models("llama-f32", "ab", weight=([0.1, 0.9], [{"filter": "mlp", "value": [1, 0.2, 0.4]},
                                                                 {"value": 0.7}])),
        "parameters": {"normalize": False},
    }, {}
    yield "linear-mixed-dtype", {
        "merge_method": "linear",
        "models": [{"model": "models/llama-bf16-a", "parameters": {"weight": 0.6}},
                   {"model": "models/llama-f32-b", "parameters": {"weight": 0.3}}],
    }, {}
    yield "linear-float32-to-bfloat16", {
        "merge_method": "linear", "dtype": "float32", "out_dtype": "bfloat16",
        "models": models("llama-bf16", ["base", "a", "b", "c", "d", "e"], weight=(0.1, 0.2, 0.3, 0.1, 0.2, 0.35)),
    }, {}
    yield "linear-dtype-bfloat16-from-f32", {
        "merge_method": "linear", "dtype": "bfloat16",
        "models": models("llama-f32", "ab", weight=(1, 0.25)),
    }, {}
    yield "linear-f64", {
        "merge_method": "linear", "models": models("llama-f64", "ab", weight=(0.3, 0.6)),
    }, {}
    yield "linear-tied", {
        "merge_method": "linear", "models": models("llama-tied", "ab", weight=(0.5, 0.5)),
    }, {}
    yield "linear-tied-and-untied", {
        "merge_method": "linear", "base_model": "models/llama-bf16-a",
        "models": [{"model": "models/llama-tied-a", "parameters": {"weight": 0.4}},
                   {"model": "models/llama-bf16-a", "parameters": {"weight": 0.6}}],
    }, {}
    yield "linear-base-counts-as-input", {
        "merge_method": "linear", "base_model": "models/llama-bf16-base",
        "models": models("llama-bf16", "ab"), "parameters": {"weight": 0.5},
    }, {}
    yield "linear-modules", {
        "merge_method": "linear",
        "modules": {"default": {"models": models("llama-bf16", "ab"), "parameters": {"weight": 0.3}}},
    }, {}
    yield "linear-shards", {
        "merge_method": "linear", "models": models("llama-bf16", "ab", weight=(0.5, 0.25)),
    }, {"shard_bytes": 2500}
    yield "linear-qwen3", {
        "merge_method": "linear", "models": models("qwen3", "ab", weight=(0.5, 0.25)),
    }, {}


def slerp_cases():
    for kind in ("bf16", "f32", "f16", "f64"):
        yield f"slerp-{kind}", {
            "merge_method": "slerp", "base_model": f"models/llama-{kind}-a",
            "models": models(f"llama-{kind}", "ab"), "parameters": {"t": SLERP_T},
        }, {"ulp": 2} if kind == "f32" else {}
    yield "slerp-base-second", {
        "merge_method": "slerp", "base_model": "models/mistral-b", "dtype": "float32",
        "models": models("mistral", "ab"), "parameters": {"t": 0.35},
    }, {"ulp": 2}
    yield "slerp-slices-qwen2", {
        "merge_method": "slerp", "base_model": "models/qwen2-a", "dtype": "bfloat16",
        "slices": [sources(("qwen2-a", 0, 2, {}), ("qwen2-b", 0, 2, {}))], "parameters": {"t": SLERP_T},
    }, {}
    yield "slerp-tied-and-untied", {
        "merge_method": "slerp", "base_model": "models/llama-tied-a", "dtype": "float32",
        "models": [{"model": "models/llama-tied-a"}, {"model": "models/llama-bf16-a"}], "parameters": {"t": 0.25},
    }, {"ulp": 2}


def task_arithmetic_cases():
    yield "task_arithmetic-bf16", task_vector("task_arithmetic", "bf16", "abc", {"lambda": 0.7},
                                              weight=(0.9, 0.5, 0.3)), {}
    yield "task_arithmetic-f32-five", task_vector("task_arithmetic", "f32", "abcde", {"normalize": True},
                                                  weight=(0.9, 0.5, 0.3, 0.7, 0.1)), {}
    yield "task_arithmetic-f16", task_vector("task_arithmetic", "f16", "ab", {"lambda": 1.3}, weight=0.4), {}
    yield "task_arithmetic-f64", task_vector("task_arithmetic", "f64", "ab", {"lambda": 1.3}, weight=0.4), {}
    yield "task_arithmetic-negative", task_vector("task_arithmetic", "bf16", "ab", {"normalize": True},
                                                  weight=(0.5, -0.5), dtype="float32", out_dtype="float16"), {}
    yield "task_arithmetic-slices", {
        "merge_method": "task_arithmetic", "base_model": "models/llama-f32-base",
        "slices": [
            {**sources(("llama-f32-base", 0, 2, {}), ("llama-f32-a", 1, 3, {"parameters": {"weight": [0.1, 0.9]}})),
             "parameters": {"lambda": [0.5, 0.9]}},
            sources(("llama-f32-b", 3, 4, {}), ("llama-f32-base", 2, 3, {})),
        ],
        "parameters": {"weight": 0.6, "lambda": 1.1},
    }, {}


def ties_cases():
    yield "ties-f32", task_vector("ties", "f32", "abc", weight=(0.9, 0.5, 0.3), density=(0.29, [0.2, 0.8], 0.6)), {}
    yield "ties-f32-five-rescale", task_vector("ties", "f32", "abcde", {"normalize": False, "rescale": True},
                                               weight=(0.9, 0.5, -0.3, 0.7, 0.2), density=0.4), {}
    yield "ties-f32-five", task_vector("ties", "f32", "abcde", {"int8_mask": True, "lambda": 0.9},
                                       weight=(0.9, 0.5, -0.3, 0.7, 0.2), density=(0.4, 1.0, 0.001, 0.0, 0.9)), {}
    yield "ties-f64", task_vector("ties", "f64", "ab", weight=(0.9, 0.5), density=0.5), {}
    yield "ties-f16", task_vector("ties", "f16", "ab", weight=(0.9, 0.5), density=1.0), {}
    yield "ties-bf16-dense", task_vector("ties", "bf16", "abc", weight=(0.9, 0.5, 0.3)), {}
    yield "ties-bf16", task_vector("ties", "bf16", "abc", weight=(0.9, 0.5, 0.3), density=0.5), {"ties": 0.05}
    yield "ties-float32-from-bf16", task_vector("ties", "bf16", "abc", weight=(0.9, 0.5, 0.3), density=0.5,
                                                dtype="float32", out_dtype="bfloat16"), {"ties": 0.05}
    yield "ties-qwen2", {
        "merge_method": "ties", "base_model": "models/qwen2-base", "dtype": "float32",
        "models": models("qwen2", "ab", weight=0.5),
    }, {}


def dare_cases():
    yield "dare_ties-f32", task_vector("dare_ties", "f32", "abc", weight=(0.9, 0.5, 0.3),
                                       density=(0.5, [0.2, 0.8], 0.6)), {"seed": 42}
    yield "dare_ties-f32-plain", task_vector("dare_ties", "f32", "abc", {"rescale": False}, weight=(0.9, 0.5, 0.3),
                                             density=(0.5, 1.0, 0.6)), {"seed": 7}
    yield "dare_linear-f32-plain", task_vector("dare_linear", "f32", "ab", {"rescale": False, "normalize": True},
                                               weight=(0.9, 0.5), density=0.53), {"seed": 123456789}
    yield "dare_ties-bf16", task_vector("dare_ties", "bf16", "abc", weight=(0.9, 0.5, 0.3), density=0.53), {"seed": 1}
    yield "dare_linear-bf16", task_vector("dare_linear", "bf16", "ab", {"lambda": 0.8}, weight=(0.9, 0.5),
                                          density=(0.3, 0.999)), {"seed": 0}
    yield "dare_linear-f16", task_vector("dare_linear", "f16", "ab", weight=(0.9, 0.5), density=0.37), {"seed": 3}
    yield "dare_ties-f64", task_vector("dare_ties", "f64", "ab", {"rescale": False}, weight=(0.9, 0.5),
                                       density=0.37), {"seed": 3}
    yield "dare_ties-repeated-layer", {
        "merge_method": "dare_ties", "base_model": "models/llama-f32-base",
        "slices": [sources(("llama-f32-base", 0, 2, {}), ("llama-f32-a", 0, 2, {})),
                   sources(("llama-f32-base", 1, 3, {}), ("llama-f32-a", 1, 3, {}))],
        "parameters": {"weight": 0.6, "density": 0.5, "rescale": False},
    }, {"seed": 11}
    yield "dare_linear-twelve-layers", {
        "merge_method": "dare_linear", "base_model": "models/llama-12-a", "dtype": "float32",
        "slices": [sources(("llama-12-a", 0, 4, {}), ("llama-bf16-b", 0, 4, {})),
                   sources(("llama-12-a", 8, 12, {}), ("llama-bf16-b", 0, 4, {}))],
        "parameters": {"weight": 0.6, "density": 0.5, "rescale": False},
    }, {"seed": 5}


def passthrough_cases():
    yield "passthrough-frankenmerge", {
        "merge_method": "passthrough", "dtype": "bfloat16",
        "slices": [sources(("llama-bf16-a", 0, 3, {})), sources(("llama-bf16-b", 1, 4, {}))],
    }, {}
    scale = {"parameters": {"scale": [{"filter": "o_proj", "value": 0.0}, {"filter": "down_proj", "value": 0.3},
                                      {"value": 1.0}]}}
    yield "passthrough-depth-upscaling", {
        "merge_method": "passthrough", "base_model": "models/mistral-a",
        "slices": [sources(("mistral-a", 0, 1, {})), sources(("mistral-a", 0, 1, scale)), sources(("mistral-a", 1, 2, {}))],
    }, {}
    yield "passthrough-head-of-other-model", {
        "merge_method": "passthrough", "base_model": "models/llama-f32-a", "out_dtype": "float16",
        "slices": [sources(("llama-f32-a", 0, 4, {})), sources(("llama-f32-b", 0, 0, {}))],
    }, {}
    yield "passthrough-twelve-layers", {
        "merge_method": "passthrough",
        "slices": [sources(("llama-12-a", 0, 12, {})), sources(("llama-12-a", 4, 6, {}))],
    }, {"shard_bytes": 16000}


def all_cases():
    for make in (linear_cases, slerp_cases, task_arithmetic_cases, ties_cases, dare_cases, passthrough_cases):
        yield from make()


def run_mergekit(recipe, out, seed, shard_bytes):
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    options = MergeOptions(random_seed=seed, out_shard_size=shard_bytes, copy_tokenizer=False, write_model_card=False)
    run_merge(MergeConfiguration.model_validate(recipe), str(out), options)


def shard_map(folder):
    index = folder / "model.safetensors.index.json"
    return json.loads(index.read_text())["weight_map"] if index.exists() else {}


def file_order(path):
    with safe_open(path, "pt") as file:
        return sorted(file.keys(), key=lambda name: header_offset(path, name))


def header(path):
    data = path.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])


def header_offset(path, name):
    return header(path)[name]["data_offsets"][0]


def make_cases():
    shutil.rmtree(HERE / "cases", ignore_errors=True)
    listing = {}
    for name, recipe, extra in all_cases():
        folder = HERE / "cases" / name
        folder.mkdir(parents=True)
        text = yaml.safe_dump(recipe, sort_keys=False, default_flow_style=None, width=100)
        (folder / "recipe.yml").write_text(text)
        seed, shard_bytes = extra.get("seed", 0), extra.get("shard_bytes", 5_000_000_000)
        with tempfile.TemporaryDirectory() as scratch:
            out = pathlib.Path(scratch) / "out"
            run_mergekit(recipe, out, seed, shard_bytes)
            files = sorted(out.glob("*.safetensors"))
            tensors = {}
            for file in files:
                tensors.update(load_file(file))
            config = json.loads((out / "config.json").read_text())
            expected = {
                "files": {file.name: list(header(file)) for file in files},
                "layers": config["num_hidden_layers"],
                "dtype": config.get("dtype", config.get("torch_dtype")),
                "weight_map": shard_map(out),
            }
            if len(files) == 1:
                shutil.copy(files[0], folder / "expected.safetensors")
            else:
                save_file(tensors, folder / "expected.safetensors")
        (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        listing[name] = {"seed": seed, "shard_bytes": shard_bytes, **extra}
        print("made", name, flush=True)
    (HERE / "cases.json").write_text(json.dumps(listing, indent=1) + "\n")


def distance_in_ulp(got, want):
    """Largest difference in units in the last place of the largest value wanted."""
    largest = want.double().abs().max().item()
    unit = 2.0 ** np.floor(np.log2(largest)) * torch.finfo(want.dtype).eps
    return float((got.double() - want.double()).abs().max()) / unit


def compare(engine):
    print(f"{'recipe':36} {'values':>8} {'differ':>7} {'max ulp':>8}  header, shards")
    for name, settings in json.loads((HERE / "cases.json").read_text()).items():
        folder = HERE / "cases" / name
        with tempfile.TemporaryDirectory() as scratch:
            out = pathlib.Path(scratch) / "out"
            command = [*shlex.split(engine), str(folder / "recipe.yml"), str(out), "--seed", str(settings["seed"]),
                       "--shard-size", str(settings["shard_bytes"])]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            files = sorted(out.glob("*.safetensors"))
            got = {}
            for file in files:
                got.update(load_file(file))
            want = load_file(folder / "expected.safetensors")
            expected = json.loads((folder / "expected.json").read_text())
            same_files = expected["files"] == {file.name: list(header(file)) for file in files}
            if got.keys() != want.keys():
                print(f"{name:36} tensor names differ: {sorted(got.keys() ^ want.keys())[:3]}")
                continue
            total = differ = 0
            worst = 0.0
            for key, value in want.items():
                if got[key].dtype != value.dtype or got[key].shape != value.shape:
                    print(f"{name:36} {key}: {got[key].dtype} {tuple(got[key].shape)}, "
                          f"wanted {value.dtype} {tuple(value.shape)}")
                    break
                unequal = got[key] != value
                total += value.numel()
                differ += int(unequal.sum())
                if unequal.any():
                    worst = max(worst, distance_in_ulp(got[key], value))
            print(f"{name:36} {total:8} {differ:7} {worst:8.2f}  {'same' if same_files else 'DIFFERENT'}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--engine", default="crucible merge")
    arguments = parser.parse_args()
    os.chdir(HERE)
    if arguments.compare:
        compare(arguments.engine)
    else:
        make_models()
        make_cases()


if __name__ == "__main__":
    sys.exit(main())
