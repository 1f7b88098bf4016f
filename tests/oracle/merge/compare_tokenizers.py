#!/usr/bin/env python3
"""Compares tokenizers, chat templates and aligned vocabularies of merges with mergekit 0.1.5.

    compare_tokenizers.py --engine "crucible merge" [--keep DIR] [NAME ...]

Makes tiny models with tokenizers (byte-level BPE, BPE with byte fallback, unigram; other vocabularies, added
tokens, other numbering, padded matrices), runs each recipe in both engines, loads both outputs with
transformers and compares: the set of tokens, tokens and ids of the base, encodings, the chat template applied,
vocab_size, every tensor. Tokens that a union adds may be numbered differently (mergekit's own order differs
from run to run), so vocabulary tensors are compared by token, and padding rows closely instead of exactly
where the numbering differs. Ends with 1 if a recipe differs.

Needs a virtual environment with mergekit 0.1.5, torch and transformers 5.
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import yaml

from toy_models import ITEM_BYTES, decode, read_tensors, run_mergekit
from toy_tokenizers import CHATML, SAMPLES, write_toys

MESSAGES = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "there"}]
LITERAL = "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"


def linear(*models, base=None, **settings):
    recipe = {"merge_method": "linear", "parameters": {"normalize": True},
              "models": [{"model": m, "parameters": {"weight": 0.3 + 0.2 * i}} for i, m in enumerate(models)]}
    return recipe | ({"base_model": base} if base else {}) | settings


def ties(base, *models, **settings):
    return {"merge_method": "ties", "base_model": base, "parameters": {"density": 0.6, "weight": 0.7},
            "models": [{"model": m} for m in models]} | settings


def arithmetic(base, *models, **settings):
    return ties(base, *models, merge_method="task_arithmetic") | settings


def token_recipes():
    start = {"source": {"kind": "model_token", "model": "base", "token": "</s>"}, "force": True}
    return {
        "tokens-zero": linear("base", "chat", base="base", tokenizer={
            "source": "union", "tokens": {"<|im_start|>": {"source": {"kind": "zero"}, "force": True}}}),
        "tokens-model-token": linear("base", "chat", base="base", tokenizer={
            "source": "union", "tokens": {"<|im_start|>": start, "<|im_end|>": {"source": "chat", "force": True}}}),
        "tokens-not-forced": linear("base", "chat", "code", base="base", tokenizer={
            "tokens": {"<|im_end|>": {"source": "code"}, "rose": {"source": {"kind": "zero"}}}}),
        "tokens-new": arithmetic("base", "verse2", tokenizer={"source": "union", "tokens": {
            "<new>": {"source": {"kind": "model_token", "model": "verse2", "token_id": 7}},
            "<newer>": {"source": {"kind": "zero"}}}}),
        "tokens-new-on-padded-base": arithmetic("config-pad", "verse2", tokenizer={"source": "base", "tokens": {
            "<new>": {"source": {"kind": "model_token", "model": "verse2", "token_id": 7}}}}),
        "tokens-unset": linear("base", "verse2", base="base", tokenizer={"source": "base", "tokens": {"<s>": {}}}),
        "tokens-by-id": linear("base", "reordered", base="base", tokenizer={"source": "base", "tokens": {
            "<s>": {"source": {"kind": "model_token", "model": "reordered", "token_id": 1}, "force": True}}}),
        "pad-8": linear("base", "chat", base="base", tokenizer={"source": "union", "pad_to_multiple_of": 8}),
        "pad-64": linear("base", "verse2", base="base", tokenizer={"source": "base", "pad_to_multiple_of": 64}),
        "pad-f32": linear("verse32", "base", base="verse32", tokenizer={
            "source": "base", "pad_to_multiple_of": 64}),
        "pad-none-needed": linear("base", "verse2", base="base", tokenizer={
            "source": "base", "pad_to_multiple_of": 20}),
    }


def template_recipes():
    pair = ("base", "verse2")
    return {
        "template-auto": linear("base", "verse2", "verse32", base="base", chat_template="auto"),
        "template-auto-union": linear("base", "chat", "chat-padded", base="base", chat_template="auto",
                                      tokenizer_source="union"),
        "template-auto-none": linear("code", "reordered", base="code", chat_template="auto",
                                     tokenizer_source="union"),
        "template-chatml": linear(*pair, base="base", chat_template="chatml"),
        "template-chatml-union": linear("base", "chat", base="base", chat_template="chatml",
                                        tokenizer_source="union"),
        "template-literal": linear(*pair, base="base", chat_template=LITERAL),
        "template-literal-model": linear("base", "chat", base="base", chat_template=CHATML,
                                         tokenizer_source="chat"),
        "template-mistral": linear(*pair, base="base", chat_template="mistral"),
    }


def recipes():
    return {
        "union": linear("base", "chat", base="base", tokenizer_source="union"),
        "union-three": linear("base", "chat", "code", base="base", tokenizer_source="union"),
        "union-padded": linear("base", "chat-padded", base="base", tokenizer_source="union"),
        "union-of-padded-base": linear("chat-padded", "base", base="chat-padded", tokenizer_source="union"),
        "union-ties": ties("verse32", "chat32", "code32", tokenizer_source="union"),
        "union-arithmetic": arithmetic("base", "chat", "verse2", tokenizer_source="union"),
        "union-f32": linear("base", "chat", "verse32", base="base", dtype="float32", tokenizer_source="union"),
        "union-f32-out": linear("base", "chat", "code", base="base", dtype="float32", out_dtype="bfloat16",
                                tokenizer_source="union"),
        "union-mixed-types": linear("base", "verse32", "f16", base="base", tokenizer_source="union"),
        "union-average-no-base": linear("chat", "code", "f16", base="reordered", tokenizer_source="union",
                                        models=[{"model": m, "parameters": {"weight": 1}}
                                                for m in ("chat", "code", "f16", "reordered")]),
        "union-reordered": linear("base", "reordered", base="base", tokenizer_source="union"),
        "union-stripped-base": linear("too-long", "chat", base="too-long", tokenizer_source="union"),
        "union-with-stripped": linear("base", "too-long", base="base", tokenizer_source="union"),
        "union-special-from-config": linear("config-pad", "chat", base="config-pad", tokenizer_source="union"),
        "union-decoder": linear("decoder", "chat", base="decoder", tokenizer_source="union"),
        "union-fallback": linear("fallback", "fallback-sums", base="fallback", tokenizer_source="union"),
        "union-llama-class": linear("fallback-llama", "fallback-chat", base="fallback-llama",
                                    tokenizer_source="union"),
        "union-llama-class-special": linear("fallback-chat", "fallback", base="fallback-chat",
                                            tokenizer_source="union"),
        "union-qwen-class": linear("verse-qwen", "chat-gpt2", base="verse-qwen", tokenizer_source="union"),
        "model-gpt2-class": linear("verse-qwen", "chat", base="verse-qwen", tokenizer_source="chat-gpt2"),
        "union-kinds": linear("base", "fallback", base="base", tokenizer_source="union"),
        "union-unigram": linear("unigram", "unigram-sums", base="unigram", tokenizer_source="union"),
        "union-tied": linear("tied-verse", "tied", base="tied-verse", tokenizer_source="union"),
        "union-half-tied": linear("base", "tied", base="base", tokenizer_source="union"),
        "union-no-tokenizer": linear("base", "none", base="base", tokenizer_source="union"),
        "base": linear("base", "chat", base="base", tokenizer_source="base"),
        "base-padded": linear("more-rows", "base", base="more-rows", tokenizer_source="base"),
        "base-stripped": linear("too-long", "base", base="too-long", tokenizer_source="base"),
        "base-chat": arithmetic("chat", "base", "code", tokenizer_source="base"),
        "model": linear("base", "chat", base="base", tokenizer_source="chat"),
        "model-three": ties("verse32", "chat32", "reordered32", tokenizer_source="reordered32"),
        "model-not-merged": linear("base", "chat", base="base", tokenizer_source="code"),
        "slices": {"merge_method": "passthrough", "base_model": "base", "tokenizer_source": "union", "slices": [
            {"sources": [{"model": "base", "layer_range": [0, 2]}]},
            {"sources": [{"model": "chat", "layer_range": [0, 2]}]}]},
        "slerp": {"merge_method": "slerp", "base_model": "base", "tokenizer_source": "union", "dtype": "float32",
                  "parameters": {"t": 0.4}, "models": [{"model": "base"}, {"model": "chat"}]},
    } | token_recipes() | template_recipes()


def rows_by_token(folder, name, vocab):
    kind, shape, data = read_tensors(folder)[name]
    width = ITEM_BYTES[kind] * int(np.prod(shape[1:], dtype=int))
    rows = [data[i * width:(i + 1) * width] for i in range(shape[0])]
    named = {token: rows[i] for token, i in vocab.items() if i < len(rows)}
    taken = set(vocab.values())
    return kind, named, [row for i, row in enumerate(rows) if i not in taken]


def near(got, want, kind, exact):
    if got == want:
        return True
    a, b = decode(got, kind), decode(want, kind)
    return not exact and bool(np.allclose(a, b, rtol=1e-2 if kind == "bf16" else 1e-5, atol=1e-6))


def compare_tensors(ours, theirs, vocabs, exact):
    faults = []
    got, want = read_tensors(ours), read_tensors(theirs)
    if got.keys() != want.keys():
        return [f"tensors {sorted(got.keys() ^ want.keys())}"]
    same_ids = vocabs[0] == vocabs[1]
    for name, (kind, shape, data) in want.items():
        if got[name][:2] != (kind, shape):
            faults.append(f"{name}: {got[name][:2]}, wanted {(kind, shape)}")
        elif name not in ("model.embed_tokens.weight", "lm_head.weight"):
            if not near(got[name][2], data, kind, exact):
                faults.append(f"{name} differs")
        else:
            _, a, padding_a = rows_by_token(ours, name, vocabs[0])
            _, b, padding_b = rows_by_token(theirs, name, vocabs[1])
            wrong = [t for t in b if t in a and not near(a[t], b[t], kind, exact)]
            if wrong:
                faults.append(f"{name}: rows of {wrong[:4]} ({len(wrong)}) differ")
            if len(padding_a) != len(padding_b) or not all(
                    near(x, y, kind, exact and same_ids) for x, y in zip(padding_a, padding_b)):
                faults.append(f"{name}: padding differs")
    return faults


def applied(tokenizer):
    return tokenizer.apply_chat_template(MESSAGES, tokenize=False) if tokenizer.chat_template else None


def compare_outputs(ours, theirs, exact):
    from transformers import AutoTokenizer

    got, want = AutoTokenizer.from_pretrained(ours), AutoTokenizer.from_pretrained(theirs)
    sizes = [json.loads((f / "config.json").read_text())["vocab_size"] for f in (ours, theirs)]
    faults = [] if sizes[0] == sizes[1] else [f"vocab_size {sizes[0]}, wanted {sizes[1]}"]
    # Tokens beyond the matrices are of no use; mergekit may leave such behind.
    vocabs = [{t: i for t, i in tok.get_vocab().items() if i < sizes[1]} for tok in (got, want)]
    if vocabs[0].keys() != vocabs[1].keys():
        faults.append(f"tokens differ: {sorted(vocabs[0].keys() ^ vocabs[1].keys())[:5]}")
    for text in SAMPLES:
        if max(want(text).input_ids, default=0) >= sizes[1]:
            continue
        a, b = got.convert_ids_to_tokens(got(text).input_ids), want.convert_ids_to_tokens(want(text).input_ids)
        if a != b:
            faults.append(f"{text!r}: {a}, wanted {b}")
    if applied(got) != applied(want):
        faults.append(f"template gives {applied(got)!r}, wanted {applied(want)!r}")
    return faults + compare_tensors(ours, theirs, vocabs, exact)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chosen = {n: r for n, r in recipes().items() if not arguments.names or n in arguments.names}
    engine = shlex.split(arguments.engine)
    engine[0] = str(pathlib.Path(engine[0]).absolute()) if "/" in engine[0] else engine[0]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        work = (arguments.keep or pathlib.Path(temporary)).absolute()
        work.mkdir(exist_ok=True)
        if not (work / "base").exists():
            write_toys(work)
        os.chdir(work)
        for name, recipe in chosen.items():
            path, ours, theirs = work / f"{name}.yml", work / f"{name}.ours", work / f"{name}.theirs"
            path.write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True))
            run = subprocess.run([*engine, path, ours], capture_output=True, text=True)
            if not theirs.exists():
                run_mergekit(recipe, theirs, 0, copy_tokenizer=True)
            faults = [run.stderr.strip()] if run.returncode else compare_outputs(ours, theirs, "slerp" not in name)
            failed += bool(faults)
            print(f"{'differs' if faults else 'same':8}{name}", *faults, sep="\n        ", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} recipes agree")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
