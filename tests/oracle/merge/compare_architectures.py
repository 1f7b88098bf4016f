#!/usr/bin/env python3
"""Merges tiny models of every architecture that transformers can make, here and in mergekit 0.1.5.

    compare_architectures.py --engine "crucible merge" [--only NAME ...] [--markdown README]

For each architecture: two random models saved by transformers, a linear merge of both and one with slices
(layers 0-2 of the first, then 1-3 of the second). Checked for both:
  values    every parameter of the merged model, as transformers loads it, is what arithmetic on the loaded
            inputs gives (1e-6 for the linear merge, exactly for slices)
  loads     transformers finds no missing, unexpected or mismatched tensor, and the logits are finite
  mergekit  names and values are mergekit's (experts: with --compatibility mergekit, which packs them as
            mergekit does), or why there is nothing to compare

--markdown puts the table between the two marks in the README of the architecture tables. Needs a virtual
environment with mergekit 0.1.5, transformers 5, torch and safetensors; not part of the tests.
"""
import argparse
import contextlib
import io
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import torch
import yaml

import tiny_architectures
from toy_models import read_tensors, run_mergekit

HERE = pathlib.Path(__file__).resolve().parent
TABLES = HERE.parents[2] / "merger/checkpoint/architectures"
MARKS = ("<!-- results of tests/oracle/merge/compare_architectures.py -->", "<!-- end of results -->")
LINEAR = {"merge_method": "linear", "models": [{"model": "a", "parameters": {"weight": 0.3}},
                                               {"model": "b", "parameters": {"weight": 0.7}}]}
SLICED = {"merge_method": "passthrough", "slices": [{"sources": [{"model": "a", "layer_range": [0, 3]}]},
                                                    {"sources": [{"model": "b", "layer_range": [1, 4]}]}]}
HEAD = re.compile(r"^(lm_head|embed_out)\.")
END = re.compile(HEAD.pattern + r"|(^|\.)(norm|norm_f|ln_f|layer_norm|final_layer_?norm|embedding_norm|project_out)\.")
ORIGINS = [("a", 0), ("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3)]


def with_paths(recipe, folder):
    text = yaml.safe_dump(recipe)
    return yaml.safe_load(re.sub(r"model: ([ab])$", rf"model: {folder}/\1", text, flags=re.M))


def run_engine(engine, recipe, out, *flags):
    path = out.with_suffix(".yml")
    path.write_text(yaml.safe_dump(recipe))
    done = subprocess.run([*shlex.split(engine), str(path), str(out), *flags], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"engine: {done.stderr.strip()}")


def load(folder):
    """The model, and what transformers complains about."""
    from transformers import AutoModelForCausalLM

    with contextlib.redirect_stderr(io.StringIO()):
        model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    wrong = [f"{key}: {sorted(info[key])[:3]}" for key in ("missing_keys", "unexpected_keys", "mismatched_keys")
             if info[key]]
    return model.eval(), "; ".join(wrong)


def logits_fault(model):
    with torch.no_grad():
        logits = model(input_ids=torch.arange(3, 13).unsqueeze(0), use_cache=False).logits
    return "" if torch.isfinite(logits).all() else "logits are not finite"


def linear_fault(merged, a, b):
    for name, tensor in merged.items():
        want = a[name].double() * 0.3 + b[name].double() * 0.7 if tensor.is_floating_point() else a[name]
        if not torch.allclose(tensor.double(), want.double(), rtol=0, atol=1e-6):
            return f"{name} differs by {(tensor.double() - want).abs().max():.2g}"
    return ""


def sliced_fault(merged, inputs, tied):
    for name, tensor in merged.items():
        number = re.search(r"\.(\d+)\.", name)
        if number:
            source, layer = ORIGINS[int(number[1])]
            want = inputs[source][name[:number.start()] + f".{layer}." + name[number.end():]]
        else:  # head and final norm come from the last slice, but a tied head is the first's embeddings
            want = inputs["b" if END.search(name) and not (tied and HEAD.search(name)) else "a"][name]
        if not torch.equal(tensor, want):
            return f"{name} differs"
    return ""


def mergekit_verdict(recipe, folder, ours):
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            run_mergekit(recipe, folder, seed=1)
        except (Exception, SystemExit) as error:  # whatever it raises is its answer
            return f"refuses ({type(error).__name__})"
    got, want = read_tensors(ours), read_tensors(folder)
    parts = [("it lacks", set(got) - set(want)), ("only it has", set(want) - set(got)),
             ("differs:", {name for name in got.keys() & want.keys() if got[name] != want[name]})]
    return "; ".join(f"{what} {listed(names)}" for what, names in parts if names) or "identical"


def listed(names):
    """Tensor names without layer numbers, at most two of them."""
    kinds = sorted({re.sub(r"\.\d+(?=\.)", ".N", name) for name in names})
    return ", ".join(kinds[:2]) + (f" and {len(kinds) - 2} more kinds" if len(kinds) > 2 else "")


def compare(name, engine, folder):
    inputs = {}
    for seed, model in enumerate("ab", 1):
        tiny_architectures.make(name, seed, folder / model)
        inputs[model] = load(folder / model)[0].state_dict()
    row = {"name": name, "source": "table" if tiny_architectures.has_table(name, TABLES) else "inferred"}
    packs = any(len(shape) == 3 and "experts" in key or ".experts.0." in key
                for model in "ab" for key, (_, shape, _) in read_tensors(folder / model).items())
    for kind, recipe in (("linear", LINEAR), ("sliced", SLICED)):
        recipe = with_paths(recipe, folder)
        try:
            run_engine(engine, recipe, folder / kind)
            model, fault = load(folder / kind)
            state = model.state_dict()
            check = linear_fault(state, inputs["a"], inputs["b"]) if kind == "linear" else sliced_fault(
                state, inputs, model.config.tie_word_embeddings)
            row[kind] = fault or check or logits_fault(model) or "ok"
            ours = folder / kind
            if packs:
                ours = folder / f"{kind}-packed"
                run_engine(engine, recipe, ours, "--compatibility", "mergekit")
        except Exception as error:  # one architecture's failure is a row, not the end
            row[kind] = str(error) or type(error).__name__
            ours = folder / kind
        row[f"{kind} mergekit"] = mergekit_verdict(recipe, folder / f"{kind}-mergekit", ours)
    return row


def markdown(rows):
    lines = ["| architecture | from | linear | slices | linear, mergekit's | slices, mergekit's |",
             "|---|---|---|---|---|---|"]
    for row in rows:
        cells = (row["name"], row["source"], row["linear"], row["sliced"], row["linear mergekit"],
                 row["sliced mergekit"])
        lines.append("| " + " | ".join(re.sub(r"\s+", " ", cell) for cell in cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="crucible merge", help="takes RECIPE and OUT")
    parser.add_argument("--only", nargs="*", help="architectures, or beginnings of their names")
    parser.add_argument("--markdown", type=pathlib.Path, help="README to put the table into")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in tiny_architectures.names():
        if arguments.only and not any(name.startswith(only) for only in arguments.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows.append(compare(name, arguments.engine, pathlib.Path(folder)))
        print(" | ".join(rows[-1].values()), flush=True)
    if arguments.markdown:
        text = arguments.markdown.read_text()
        begin, end = (text.index(mark) for mark in MARKS)
        text = text[:begin + len(MARKS[0])] + "\n" + markdown(rows) + "\n" + text[end:]
        arguments.markdown.write_text(text)
    return 0 if all(row["linear"] == row["sliced"] == "ok" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
