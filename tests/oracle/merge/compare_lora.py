#!/usr/bin/env python3
"""Compares adapters with PEFT, in both directions, on tiny models made on the spot.

    compare_lora.py --engine build/release/server/crucible [--only NAME]

Folding: an adapter made by PEFT is folded by the engine (recipe: passthrough of MODEL+LORA) and by
PeftModel.from_pretrained(...).merge_and_unload(); the table shows how many values differ and by how
many units in the last place. Extraction: `extract-lora` on a fine-tuned model, the result loaded and
merged by PEFT, and the error of its difference from the base against what the engine reported.

Needs a virtual environment with torch, transformers, peft and safetensors; neither the build nor the
tests need any of these.
"""
import argparse
import json
import logging
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# Largest difference allowed, in units in the last place of the tensor's largest value; others must be
# identical. Sums are in another order there: of DoRA's norms, and of products so deep that the BLAS
# library splits them.
EXPECTED_ULP = {"dora": 4, "rank-300": 8}


def make_base(folder, family, dtype, tied=False):
    torch.manual_seed(1)
    if family == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(n_embd=48, n_layer=2, n_head=4, vocab_size=101, n_positions=32,
                                           bos_token_id=0, eos_token_id=0))
    else:
        model = LlamaForCausalLM(LlamaConfig(hidden_size=80, intermediate_size=136, num_hidden_layers=3,
                                             num_attention_heads=4, num_key_value_heads=2, vocab_size=131,
                                             attention_bias=True, tie_word_embeddings=tied))
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.1)
    model.to(dtype).save_pretrained(folder)


def make_adapter(base, folder, seed, adapter_dtype=None, **settings):
    """An adapter with random factors, saved by PEFT."""
    torch.manual_seed(seed)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**settings))
    for name, parameter in model.named_parameters():
        if "lora_magnitude" in name:
            parameter.data.mul_(1 + 0.1 * torch.randn_like(parameter))
        elif "lora_" in name or "modules_to_save" in name:
            parameter.data.normal_(0, 0.2)
        elif name.endswith(".bias") and settings.get("bias", "none") != "none":
            parameter.data.normal_(0, 0.2)
    model.save_pretrained(folder)
    if adapter_dtype is not None:
        path = folder / "adapter_model.safetensors"
        save_file({name: value.to(adapter_dtype).contiguous() for name, value in load_file(path).items()}, path)


def merged_by_peft(base, adapter):
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).merge_and_unload()


def largest_difference(found, wanted):
    """In units in the last place of the largest value."""
    exponent = math.frexp(wanted.abs().max().item())[1]
    unit = math.ldexp(torch.finfo(wanted.dtype).eps, exponent - 1)
    return (found.double() - wanted.double()).abs().max().item() / unit


def compare_fold(engine, base, adapter, work):
    recipe = work / "recipe.yml"
    recipe.write_text(f"merge_method: passthrough\nmodels:\n- model: {base.name}+{adapter.name}\n")
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([engine, "merge", recipe, out, "--json"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)
    found = load_file(out / "model.safetensors")
    wanted = merged_by_peft(base, adapter).state_dict()
    values = mismatches = 0
    ulp = 0.0
    for name, tensor in found.items():
        reference = wanted[name if name in wanted else "transformer." + name]
        assert tensor.dtype == reference.dtype and tensor.shape == reference.shape, name
        values += tensor.numel()
        mismatches += int((tensor != reference).sum())
        ulp = max(ulp, largest_difference(tensor, reference))
    return values, mismatches, ulp


LINEAR = ["q_proj", "k_proj", "o_proj", "down_proj"]
FOLDS = {
    # name: (family, settings, base types)
    "lora": ("llama", dict(r=8, lora_alpha=13, target_modules=LINEAR), ("f32", "bf16", "f16")),
    "all-linear": ("llama", dict(r=16, lora_alpha=32, target_modules="all-linear"), ("bf16",)),
    "rslora": ("llama", dict(r=6, lora_alpha=5, use_rslora=True, target_modules=LINEAR), ("f32", "bf16")),
    "patterns": ("llama", dict(r=8, lora_alpha=16, target_modules=LINEAR,
                               rank_pattern={"^model.layers.0.self_attn.q_proj": 3, r"layers\.[12]\.mlp\.\w+": 12},
                               alpha_pattern={"k_proj": 7, "down_proj": 40}), ("f32", "bf16")),
    "embeddings": ("llama", dict(r=4, lora_alpha=9, target_modules=["embed_tokens", "lm_head", "v_proj"]),
                   ("f32", "bf16", "f16")),
    "modules-to-save": ("llama", dict(r=4, target_modules=["v_proj"], modules_to_save=["lm_head", "norm"]),
                        ("f32", "bf16")),
    "lora-bias": ("llama", dict(r=4, target_modules=["q_proj"], lora_bias=True), ("f32", "bf16")),
    "bias-all": ("llama", dict(r=4, target_modules=["q_proj"], bias="all"), ("bf16",)),
    "bias-lora-only": ("llama", dict(r=4, target_modules=["q_proj"], bias="lora_only"), ("bf16",)),
    "layers": ("llama", dict(r=4, target_modules=LINEAR, layers_to_transform=[1]), ("bf16",)),
    "rank-300": ("llama", dict(r=300, lora_alpha=30, target_modules=["down_proj"]), ("f32", "bf16")),
    "bf16-factors": ("llama", dict(r=8, target_modules=LINEAR, adapter_dtype=torch.bfloat16), ("f32", "bf16")),
    "f16-factors": ("llama", dict(r=8, target_modules=LINEAR, adapter_dtype=torch.float16), ("f32", "bf16")),
    "tied": ("llama-tied", dict(r=4, target_modules=["embed_tokens", "up_proj"]), ("bf16",)),
    "conv1d": ("gpt2", dict(r=4, lora_alpha=10, target_modules=["c_attn", "c_proj", "c_fc"]), ("f32", "bf16")),
    "conv1d-embeddings": ("gpt2", dict(r=4, target_modules=["c_attn", "wte", "wpe"]), ("f32",)),
    "dora": ("llama", dict(r=8, lora_alpha=13, use_dora=True, target_modules=LINEAR), ("f32", "bf16", "f16")),
    "dora-embeddings": ("llama", dict(r=4, use_dora=True, target_modules=["embed_tokens", "v_proj"]), ("bf16",)),
    "dora-conv1d": ("gpt2", dict(r=4, use_dora=True, target_modules=["c_attn", "c_proj"]), ("f32",)),
}


def run_folds(engine, work, only):
    failures = 0
    print(f"{'fold':<28}{'values':>9}{'mismatches':>12}{'max ulp':>9}")
    for number, (name, (family, settings, types)) in enumerate(FOLDS.items()):
        if only and only not in name:
            continue
        for kind in types:
            base, adapter = work / f"{family}-{kind}", work / f"{name}-{kind}"
            if not base.exists():
                make_base(base, family.removesuffix("-tied"), TYPES[kind], tied=family.endswith("-tied"))
            make_adapter(base, adapter, seed=number, **settings)
            try:
                values, mismatches, ulp = compare_fold(engine, base, adapter, work)
            except subprocess.CalledProcessError as error:
                failures += 1
                print(f"{name + ' ' + kind:<28}FAILED\n{error.stderr.decode()}")
                continue
            allowed = next((bound for part, bound in EXPECTED_ULP.items() if part in name), 0)
            ok = mismatches == 0 or ulp <= allowed
            failures += not ok
            print(f"{name + ' ' + kind:<28}{values:>9}{mismatches:>12}{ulp:>9.2f}{'' if ok else '  UNEXPECTED'}")
    return failures


def difference_error(base, tuned, found):
    """Largest relative error of a tensor's difference from the base, and over all."""
    worst = whole = rest = 0.0
    for name, reference in tuned.items():
        origin = base[name].double()
        delta = ((reference.double() - origin) ** 2).sum().item()
        error = ((reference.double() - found[name].double()) ** 2).sum().item()
        if delta > 0:
            worst = max(worst, (error / delta) ** 0.5)
        whole, rest = whole + delta, rest + error
    return worst, (rest / whole) ** 0.5


EXTRACTS = {
    # name: (family, adapter settings or None for a dense change, flags, largest error allowed)
    "low rank": ("llama", dict(r=4, target_modules=LINEAR), [], 1e-5),
    "low rank, exact": ("llama", dict(r=4, target_modules=LINEAR), ["--exact"], 1e-5),
    "embeddings, head": ("llama", dict(r=4, target_modules=["embed_tokens", "lm_head", "q_proj"]), [], 1e-5),
    "ranks differ": ("llama", dict(r=4, target_modules=LINEAR, rank_pattern={"layers.1.self_attn.q_proj": 9,
                                                                            "k_proj": 2}), [], 1e-5),
    "norms kept whole": ("llama", dict(r=4, target_modules=LINEAR, modules_to_save=["norm", "input_layernorm"]),
                         ["--save-modules"], 1e-5),
    "conv1d": ("gpt2", dict(r=4, target_modules=["c_attn", "c_proj", "wte"]), [], 1e-5),
    "dense, rank 16": ("llama", None, ["--rank", "16", "--save-modules"], None),
    "dense, bf16": ("llama", None, ["--rank", "16", "--dtype", "bfloat16", "--save-modules"], None),
}


def run_extracts(engine, work, only):
    failures = 0
    print(f"\n{'extract':<28}{'modules':>8}{'reported':>11}{'by PEFT':>11}{'worst':>11}")
    for number, (name, (family, settings, flags, bound)) in enumerate(EXTRACTS.items()):
        if only and only not in name:
            continue
        base, tuned = work / f"{family}-f32", work / f"tuned-{number}"
        out = work / f"extracted-{number}"
        if not base.exists():
            make_base(base, family, torch.float32)
        if settings is None:
            torch.manual_seed(number)
            model = AutoModelForCausalLM.from_pretrained(base)
            for parameter in model.parameters():
                parameter.data.add_(torch.randn_like(parameter), alpha=0.01)
        else:
            make_adapter(base, work / f"made-{number}", seed=50 + number, **settings)
            model = merged_by_peft(base, work / f"made-{number}")
        model.save_pretrained(tuned)
        result = subprocess.run([engine, "extract-lora", "--base", base, tuned, out, "--json",
                                 "--energy", "0.999999999999", *flags], check=True, capture_output=True)
        report = json.loads(result.stdout)
        states = [AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (base, tuned)]
        worst, overall = difference_error(*states, merged_by_peft(base, out).state_dict())
        skipped = report["skipped"]
        # Whole tensors count in what PEFT gives and not in the report.
        ok = not skipped and overall <= (bound or 1.02 * report["relative_error"])
        failures += not ok
        print(f"{name:<28}{len(report['modules']):>8}{report['relative_error']:>11.2e}{overall:>11.2e}"
              f"{worst:>11.2e}{'' if ok else f'  UNEXPECTED {skipped}'}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--only", help="cases in whose names this occurs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        failures = run_folds(arguments.engine, work, arguments.only)
        failures += run_extracts(arguments.engine, work, arguments.only)
    print(f"\n{failures} unexpected" if failures else "\nall as expected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
