#!/usr/bin/env python3
"""Makes the checkpoints that bench_merge.py merges: a base and three models fine-tuned from it, by the look.

    make_models.py FOLDER                   # FOLDER/large: 1.1 billion parameters each, 2.2 GB
    make_models.py FOLDER --size small      # FOLDER/small: 0.27 billion each

Llama-shaped, bfloat16, sharded. Values are normal: the base has a deviation of 0.02, a model's difference to
it one of 0.002. Needs numpy only. About a minute for the large ones.
"""
import argparse
import json
import pathlib

import numpy as np

SIZES = {
    "large": {"hidden_size": 2048, "intermediate_size": 5632, "num_attention_heads": 32, "num_key_value_heads": 4,
              "num_hidden_layers": 22, "vocab_size": 32000},
    "small": {"hidden_size": 1024, "intermediate_size": 2816, "num_attention_heads": 16, "num_key_value_heads": 4,
              "num_hidden_layers": 18, "vocab_size": 32000},
}
NAMES = ("base", "a", "b", "c")
SHARD_BYTES = {"large": 1_000_000_000, "small": 300_000_000}
BANK = 8_388_593  # normal values to draw from at a random place; a prime, so that no row length divides it
PIECE = 1 << 20


def shapes_of(size):
    hidden, inner = size["hidden_size"], size["intermediate_size"]
    keys = hidden // size["num_attention_heads"] * size["num_key_value_heads"]
    shapes = {"model.embed_tokens.weight": (size["vocab_size"], hidden)}
    for layer in range(size["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        for name, shape in (("input_layernorm", (hidden,)), ("mlp.down_proj", (hidden, inner)),
                            ("mlp.gate_proj", (inner, hidden)), ("mlp.up_proj", (inner, hidden)),
                            ("post_attention_layernorm", (hidden,)), ("self_attn.k_proj", (keys, hidden)),
                            ("self_attn.o_proj", (hidden, hidden)), ("self_attn.q_proj", (hidden, hidden)),
                            ("self_attn.v_proj", (keys, hidden))):
            shapes[f"{prefix}{name}.weight"] = shape
    shapes["model.norm.weight"] = (hidden,)
    shapes["lm_head.weight"] = (size["vocab_size"], hidden)
    return shapes


def config_of(size):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "torch_dtype": "bfloat16", **size}


def cut_shards(shapes, limit):
    shards, filled = [{}], 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        if shards[-1] and filled + size > limit:
            shards.append({})
            filled = 0
        shards[-1][name] = shape
        filled += size
    return shards


def header_of(shard):
    entries, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shard.items():
        size = 2 * int(np.prod(shape))
        entries[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def to_bfloat16(values):
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


class NormalValues:
    def __init__(self):
        self.random = np.random.default_rng(1)
        values = self.random.standard_normal(BANK, dtype=np.float32)
        self.bank = np.concatenate([values, values[:PIECE]])

    def take(self, count):
        begin = int(self.random.integers(BANK))
        return self.bank[begin:begin + count]


def write_tensor(files, count, values):
    for begin in range(0, count, PIECE):
        size = min(PIECE, count - begin)
        base = values.take(size) * np.float32(0.02)
        for name, file in files.items():
            file.write(to_bfloat16(base if name == "base" else base + values.take(size) * np.float32(0.002)).tobytes())


def make(folder, size_name):
    size = SIZES[size_name]
    shards = cut_shards(shapes_of(size), SHARD_BYTES[size_name])
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config_of(size), indent=2) + "\n")
    values, places, total = NormalValues(), {}, 0
    for number, shard in enumerate(shards, start=1):
        file_name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        files = {name: (folder / name / file_name).open("wb") for name in NAMES}
        for file in files.values():
            file.write(header_of(shard))
        for tensor, shape in shard.items():
            write_tensor(files, int(np.prod(shape)), values)
            places[tensor] = file_name
            total += 2 * int(np.prod(shape))
        for file in files.values():
            file.close()
    index = {"metadata": {"total_size": total}, "weight_map": places}
    for name in NAMES:
        (folder / name / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(f"{folder}: {len(NAMES)} models of {total // 2:,} parameters in {len(shards)} shards")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--size", choices=SIZES, default="large")
    arguments = parser.parse_args()
    make(arguments.folder / arguments.size, arguments.size)


if __name__ == "__main__":
    main()
