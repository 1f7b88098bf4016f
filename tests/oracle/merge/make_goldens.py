#!/usr/bin/env python3
"""Makes the golden merges beside this file with mergekit 0.1.5, or compares an engine with them.

    make_goldens.py                                  # inputs and expected outputs, from scratch
    make_goldens.py --missing                        # only the cases that are not there
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
                          ties: largest share of values that may differ at all, where many differences have
                               exactly equal magnitude at a pruning threshold: the lower index is ranked
                               first here, an order of an unstable sort there. With --compatibility mergekit
                               every value is identical.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

import yaml

from toy_models import ODD, compare_folders, header, make_model, read_tensors, run_mergekit, write_tensors

HERE = pathlib.Path(__file__).resolve().parent
TWO_LAYERS = dataclasses.replace(ODD, layers=2)
TWELVE_LAYERS = dataclasses.replace(ODD, layers=12)


def make_models():
    shutil.rmtree(HERE / "models", ignore_errors=True)

    def make(name, family, kind, number, **settings):
        make_model(HERE / "models" / name, family, kind, number, **settings)

    for kind in ("bf16", "f32"):
        for number, name in enumerate(("base", "a", "b", "c", "d", "e"), start=1):
            make(f"llama-{kind}-{name}", "llama", kind, number)
    for kind in ("f16", "f64"):
        for number, name in enumerate(("base", "a", "b"), start=1):
            make(f"llama-{kind}-{name}", "llama", kind, number, size=TWO_LAYERS)
    make("llama-tied-a", "llama", "bf16", 7, tied=True)
    make("llama-tied-b", "llama", "bf16", 8, tied=True)
    make("llama-12-a", "llama", "bf16", 9, size=TWELVE_LAYERS)
    for family in ("mistral", "qwen2", "qwen3"):
        for number, name in enumerate(("base", "a", "b"), start=1):
            make(f"{family}-{name}", family, "bf16", number, size=TWO_LAYERS)


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
        }, {}
    yield "slerp-base-second", {
        "merge_method": "slerp", "base_model": "models/mistral-b", "dtype": "float32",
        "models": models("mistral", "ab"), "parameters": {"t": 0.35},
    }, {}
    yield "slerp-slices-qwen2", {
        "merge_method": "slerp", "base_model": "models/qwen2-a", "dtype": "bfloat16",
        "slices": [sources(("qwen2-a", 0, 2, {}), ("qwen2-b", 0, 2, {}))], "parameters": {"t": SLERP_T},
    }, {}
    yield "slerp-tied-and-untied", {
        "merge_method": "slerp", "base_model": "models/llama-tied-a", "dtype": "float32",
        "models": [{"model": "models/llama-tied-a"}, {"model": "models/llama-bf16-a"}], "parameters": {"t": 0.25},
    }, {}


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
    yield "dare_linear-f64-rescaled", task_vector("dare_linear", "f64", "ab", weight=(0.9, 0.5),
                                                  density=0.37), {"seed": 4}
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


def della_cases():
    weights = {"weight": (0.9, 0.5, 0.3), "density": (0.5, 0.3, 0.7)}
    yield "della-bf16", task_vector("della", "bf16", "abc", **weights), {"seed": 21, "ties": 0.05}
    yield "della-f32", task_vector("della", "f32", "abc", {"lambda": 0.8, "epsilon": 0.25}, **weights), {"seed": 22}
    yield "della_linear-f16", task_vector("della_linear", "f16", "ab", {"normalize": True}, weight=(0.9, -0.5),
                                          density=(0.0, 0.6), epsilon=0.05), {"seed": 23, "ties": 0.05}
    yield "della_linear-f64", task_vector("della_linear", "f64", "ab", weight=0.4, density=0.5), {"seed": 24}


def breadcrumbs_cases():
    weights = {"weight": (0.9, 0.5, 0.3), "density": (0.5, 0.9, 0.7)}
    yield "breadcrumbs-bf16", task_vector("breadcrumbs", "bf16", "abc", {"gamma": 0.1}, **weights), {"ties": 0.05}
    yield "breadcrumbs-f32", task_vector("breadcrumbs", "f32", "abc", {"rescale": True}, **weights), {}
    yield "breadcrumbs_ties-f32", task_vector("breadcrumbs_ties", "f32", "ab", weight=0.5, density=(0.6, 0.995),
                                              gamma=(0.0, 0.3)), {}
    yield "breadcrumbs_ties-float32-from-bf16", task_vector(
        "breadcrumbs_ties", "bf16", "abc", {"normalize": True}, dtype="float32", out_dtype="bfloat16",
        **weights), {"ties": 0.05}


def difference_cases():
    yield "sce-bf16", task_vector("sce", "bf16", "abc", {"select_topk": 0.4}), {"ties": 0.05}
    yield "sce-f32-five", task_vector("sce", "f32", "abcde", {"select_topk": [0.1, 0.7], "int8_mask": True}), {}
    yield "sce-f64", task_vector("sce", "f64", "ab"), {}
    yield "ram-bf16", task_vector("ram", "bf16", "abc", {"epsilon": 0.01}), {}
    yield "ram-f32-five", task_vector("ram", "f32", "abcde", {"epsilon": 0.02}), {}
    yield "ramplus_tl-bf16", task_vector("ramplus_tl", "bf16", "abc", {"epsilon": 0.01, "r": 0.3}), {}
    yield "ramplus_tl-f16", task_vector("ramplus_tl", "f16", "ab", {"epsilon": 0.01}, out_dtype="float16"), {}


def spherical_cases():
    yield "nuslerp-bf16", task_vector("nuslerp", "bf16", "ab", weight=(0.6, 0.3)), {}
    yield "nuslerp-f32-rows", task_vector("nuslerp", "f32", "ab", {"nuslerp_flatten": False}, weight=(0.6, 0.3)), {}
    yield "nuslerp-f16-columns", {
        "merge_method": "nuslerp", "models": models("llama-f16", "ab", weight=(0.6, 0.3)),
        "parameters": {"nuslerp_flatten": False, "nuslerp_row_wise": True}}, {}
    yield "multislerp-bf16", task_vector("multislerp", "bf16", "abc", weight=(0.9, 0.5, 0.3)), {}
    yield "multislerp-f32", {
        "merge_method": "multislerp", "models": models("llama-f32", "ab", weight=(0.6, 0.3)),
        "parameters": {"normalize_weights": False}}, {}
    yield "karcher-bf16", {"merge_method": "karcher", "models": models("llama-bf16", "abc")}, {}
    yield "karcher-f32", task_vector("karcher", "f32", "ab", {"max_iter": 3}), {}


def towards_other_cases():
    yield "model_stock-bf16", task_vector("model_stock", "bf16", "abc"), {}
    yield "model_stock-f32-rows", task_vector("model_stock", "f32", "abcd", {"filter_wise": True}), {}
    yield "model_stock-f16", task_vector("model_stock", "f16", "ab"), {}
    yield "nearswap-bf16", task_vector("nearswap", "bf16", "a", {"t": [0.001, 0.02]}), {}
    yield "nearswap-f16", task_vector("nearswap", "f16", "b", {"t": 0.01}), {}
    yield "arcee_fusion-bf16", task_vector("arcee_fusion", "bf16", "a"), {}
    yield "arcee_fusion-f32", task_vector("arcee_fusion", "f32", "b"), {}
    yield "arcee_fusion-f16", task_vector("arcee_fusion", "f16", "a", out_dtype="float16"), {}
    yield "consensus_ta-bf16", task_vector("consensus_ta", "bf16", "abc", {"lambda": 0.7}), {}
    yield "slerp-beyond", {"merge_method": "slerp", "base_model": "models/llama-bf16-a",
                           "models": models("llama-bf16", "ab"), "parameters": {"t": [-0.25, 1.3]}}, {}


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
    for make in (linear_cases, slerp_cases, task_arithmetic_cases, ties_cases, dare_cases, della_cases,
                 breadcrumbs_cases, difference_cases, spherical_cases, towards_other_cases, passthrough_cases):
        yield from make()


def shard_map(folder):
    index = folder / "model.safetensors.index.json"
    return json.loads(index.read_text())["weight_map"] if index.exists() else {}


def make_cases(only_missing):
    if not only_missing:
        shutil.rmtree(HERE / "cases", ignore_errors=True)
    listing = {}
    for name, recipe, extra in all_cases():
        folder = HERE / "cases" / name
        listing[name] = {"seed": 0, "shard_bytes": 5_000_000_000, **extra}
        if (folder / "expected.json").exists():
            continue
        folder.mkdir(parents=True)
        text = yaml.safe_dump(recipe, sort_keys=False, default_flow_style=None, width=100)
        (folder / "recipe.yml").write_text(text)
        with tempfile.TemporaryDirectory() as scratch:
            out = pathlib.Path(scratch) / "out"
            run_mergekit(recipe, out, listing[name]["seed"], listing[name]["shard_bytes"])
            files = sorted(out.glob("*.safetensors"))
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
                write_tensors(folder / "expected.safetensors", read_tensors(out))
        (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        print("made", name, flush=True)
    (HERE / "cases.json").write_text(json.dumps(listing, indent=1) + "\n")


def compare(engine):
    print(f"{'recipe':36} {'values':>8} {'differ':>7} {'max ulp':>8}  header, shards")
    for name, settings in json.loads((HERE / "cases.json").read_text()).items():
        folder = HERE / "cases" / name
        with tempfile.TemporaryDirectory() as scratch:
            out = pathlib.Path(scratch) / "out"
            command = [*shlex.split(engine), str(folder / "recipe.yml"), str(out), "--seed", str(settings["seed"]),
                       "--shard-size", str(settings["shard_bytes"])]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            expected = json.loads((folder / "expected.json").read_text())
            written = {file.name: list(header(file)) for file in sorted(out.glob("*.safetensors"))}
            same_files = "same" if expected["files"] == written else "DIFFERENT"
            found, _ = compare_folders(out, folder)
        if found.fault:
            print(f"{name:36} {found.fault}")
        else:
            print(f"{name:36} {found.values:8} {found.differ:7} {found.tensor_ulp:8.2f}  {same_files}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--engine", default="crucible merge")
    arguments = parser.parse_args()
    os.chdir(HERE)
    if arguments.compare:
        compare(arguments.engine)
    else:
        if not arguments.missing:
            make_models()
        make_cases(arguments.missing)


if __name__ == "__main__":
    sys.exit(main())
