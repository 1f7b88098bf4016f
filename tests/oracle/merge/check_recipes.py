#!/usr/bin/env python3
"""Runs the recipes of recipes/ (but mixtures of experts) on tiny models and loads the results.

    check_recipes.py --engine "crucible merge" [NAME ...]

For each result: AutoModelForCausalLM loads it without missing, unexpected or mismatched weights, its matrices
have a row for every token of AutoTokenizer's vocabulary, logits of a prompt are finite, and the chat template,
where there is one, can be applied. Needs a virtual environment with torch, transformers 5 and tokenizers.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

import yaml
from tokenizers import AddedToken

from toy_models import Size, make_model
from toy_tokenizers import CHATML, OTHER_TEMPLATE, byte_level

HERE = pathlib.Path(__file__).resolve().parent
IM = [AddedToken(f"<|im_{end}|>", special=True, normalized=False) for end in ("start", "end")]
SIZE = Size(hidden=32, inner=48, heads=4, kv_heads=2, vocab=0, layers=6)
# name: family, seed, added tokens, rows beyond the tokens, chat template
MODELS = {
    "mistral-beagle": ("mistral", 1, [], 0, ""),
    "mistral-marcoro": ("mistral", 2, [], 0, ""),
    "mistral-chat": ("mistral", 3, [], 0, OTHER_TEMPLATE),
    "mistral-chatml": ("mistral", 4, IM, 0, CHATML),
    "llama-base": ("llama", 1, [], 0, ""),
    "llama-hermes": ("llama", 5, [], 0, CHATML),
    "llama-instruct": ("llama", 6, [], 0, OTHER_TEMPLATE),
    "llama-code": ("llama", 7, [], 0, CHATML),
    "qwen-base": ("qwen2", 1, [], 20, ""),
    "qwen-instruct": ("qwen2", 8, IM, 18, CHATML),
    "qwen-coder": ("qwen2", 9, [], 20, ""),
}


def make_models(folder):
    for name, (family, seed, added, spare, template) in MODELS.items():
        tokenizer = byte_level("verse", 290, added)
        size = dataclasses.replace(SIZE, vocab=tokenizer.get_vocab_size() + spare)
        make_model(folder / name, family, "bf16", seed, size=size)
        tokenizer.save(str(folder / name / "tokenizer.json"))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "bos_token": "<s>",
                  "eos_token": "</s>"} | ({"chat_template": template} if template else {})
        (folder / name / "tokenizer_config.json").write_text(json.dumps(config))


def check(folder):
    """What is wrong with a result; empty: nothing."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    faults = [f"{kind}: {sorted(info[kind])[:3]}"
              for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[kind]]
    if model.get_input_embeddings().weight.shape[0] <= max(tokenizer.get_vocab().values()):
        faults.append("tokens beyond the embedding")
    prompt = "the rose is red"
    if tokenizer.chat_template:
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False)
        if "the rose" not in prompt:
            faults.append(f"the chat template gives {prompt!r}")
    with torch.no_grad():
        logits = model(**tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)).logits
    if not torch.isfinite(logits).all():
        faults.append("logits are not finite")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    engine = shlex.split(arguments.engine)
    engine[0] = str(pathlib.Path(engine[0]).absolute()) if "/" in engine[0] else engine[0]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        make_models(work)
        os.chdir(work)
        for path in sorted((HERE / "recipes").glob("*.yml")):
            documents = list(yaml.safe_load_all(path.read_text()))
            if "experts" in documents[0] or (arguments.names and path.stem not in arguments.names):
                continue
            run = subprocess.run([*engine, path, work / f"{path.stem}.out"], capture_output=True, text=True)
            faults = [run.stderr.strip()] if run.returncode else check(work / f"{path.stem}.out")
            failed += bool(faults)
            print(f"{'fails' if faults else 'loads':6}{path.stem}", *faults, sep="\n      ", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
