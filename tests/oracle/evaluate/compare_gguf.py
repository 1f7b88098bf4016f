#!/usr/bin/env python3
"""Compares what `crucible export-gguf` writes with what the gguf package and transformers read.

For each model folder: every metadata key is readable by the gguf package; tokens, types and special
ids are those of the Hugging Face tokenizer; and the model that transformers builds from the f32 file
alone gives the logits of the one that it builds from the folder, in float32. Models with biases in
llama's layers or scaled rotary embeddings cannot be compared: transformers reads neither from GGUF.

Usage: compare_gguf.py CRUCIBLE MODEL...      (needs torch, transformers, gguf)
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = [
    "Question: What is 2 plus 4?\nAnswer: 6",
    "The quick brown fox's jump, isn't it?",
    "def f(x):\n    return x ** 2  # 数学 😀",
]
TOLERANCE = 2e-5
CONTROL = 3


def compare_vocabulary(reader, tokenizer, rows):
    """The faults of the file's vocabulary, as texts."""
    fields = {name: field.contents() for name, field in reader.fields.items()}
    tokens = fields["tokenizer.ggml.tokens"]
    types = fields["tokenizer.ggml.token_type"]
    if len(tokens) != rows or len(types) != rows:
        yield f"{len(tokens)} tokens and {len(types)} types for {rows} rows"
    for token, index in tokenizer.get_vocab().items():
        if index < rows and tokens[index] != token:
            yield f"token {index} is {tokens[index]!r}, not {token!r}"
    for index in tokenizer.all_special_ids:
        if index < rows and types[index] != CONTROL:
            yield f"special token {index} has type {types[index]}"
    for key, index in (("bos", tokenizer.bos_token_id), ("eos", tokenizer.eos_token_id)):
        if index is not None and index < rows and fields.get(f"tokenizer.ggml.{key}_token_id") != index:
            yield f"{key} is {fields.get(f'tokenizer.ggml.{key}_token_id')}, not {index}"
    if tokenizer.chat_template and fields.get("tokenizer.chat_template") != tokenizer.chat_template:
        yield "the chat template differs"


@torch.no_grad()
def largest_difference(folder, file, tokenizer):
    """Of the logits of both models, over all positions of all texts."""
    own = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager")
    read = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32, attn_implementation="eager")
    most = 0.0
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        most = max(most, (own(ids).logits - read(ids).logits).abs().max().item())
    return most


def compare(crucible, folder, scratch):
    file = scratch / f"{folder.name}.gguf"
    # transformers guesses a family from the name.
    subprocess.run([crucible, "export-gguf", folder, file, "--type", "f32", "--name", "model"],
                   check=True, capture_output=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reader = GGUFReader(file)
    rows = next(t for t in reader.tensors if t.name == "token_embd.weight").shape[1]
    faults = list(compare_vocabulary(reader, tokenizer, int(rows)))
    difference = largest_difference(folder, file, tokenizer)
    if not difference <= TOLERANCE:
        faults.append(f"logits differ by {difference:.2e}")
    print(f"{'FAILED' if faults else 'ok    '}  {folder.name}: logits differ by {difference:.2e}")
    for fault in faults[:10]:
        print("        " + fault)
    return not faults


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [pathlib.Path(name).resolve() for name in sys.argv[2:]]
        results = [compare(sys.argv[1], folder, pathlib.Path(scratch)) for folder in folders]
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
