"""Recipes and checkpoints that are wrong: each gets a message of its own and an exit code, before any
output appears, and nothing is left behind."""

import copy
import json
import os
import shutil
import struct
import subprocess

import pytest
import yaml

from conftest import ROOT, binary

GOOD = ROOT / "tests" / "oracle" / "merge" / "models"
INVALID, MISSING, IO = 3, 4, 5
TENSOR = "model.layers.1.mlp.up_proj.weight"


def linear(**changes):
    recipe = {
        "merge_method": "linear",
        "models": [{"model": "a", "parameters": {"weight": 1}}, {"model": "b", "parameters": {"weight": 1}}],
        "dtype": "float32",
    }
    recipe.update(changes)
    return {key: value for key, value in recipe.items() if value is not None}


def ties(**changes):
    return linear(merge_method="ties", base_model="base", **changes)


def sliced(*slices, **changes):
    return linear(models=None, merge_method="passthrough", slices=list(slices), **changes)


def source(model, begin, end, **more):
    return {"model": model, "layer_range": [begin, end], **more}


# name: (recipe as an object or as text, exit code, what the message must hold)
RECIPES = {
    "empty file": ("", INVALID, ["empty"]),
    "not YAML": ("merge_method: [linear", INVALID, ["YAML"]),
    "a list": ("- a\n- b\n", INVALID, ["map", "list"]),
    "a scalar": ("just text", INVALID, ["map", "just text"]),
    "duplicate key": ("merge_method: linear\nmerge_method: ties\nmodels: [{model: a}]", INVALID, ["merge_method"]),
    "anchors": ("merge_method: linear\nmodels: [&x {model: a}, *x]", INVALID, ["anchor"]),
    "deep nesting": ("a: " + "[" * 200 + "]" * 200, INVALID, ["deep"]),
    "too large": ("# " + "x" * (2 << 20), INVALID, ["limit"]),
    "no method": (linear(merge_method=None), INVALID, ["merge_method"]),
    "unknown method": (linear(merge_method="slrep"), INVALID, ["slrep", "slerp"]),
    "method is a list": (linear(merge_method=["linear"]), INVALID, ["merge_method"]),
    "unknown key": (linear(basemodel="base"), INVALID, ["basemodel", "base_model"]),
    "unknown parameter": (linear(parameters={"normalise": True}), INVALID, ["normalise", "normalize"]),
    "unknown model key": (linear(models=[{"modle": "a"}]), INVALID, ["modle", "model"]),
    "no models": (linear(models=None), INVALID, ["models", "slices"]),
    "empty models": (linear(models=[]), INVALID, ["models"]),
    "models and slices": (linear(slices=[{"sources": [source("a", 0, 1)]}]), INVALID, ["models", "slices"]),
    "model is a list": (linear(models=[{"model": ["a"]}, {"model": "b"}]), INVALID, ["models[0].model"]),
    "model is empty": (linear(models=[{"model": ""}, {"model": "b"}]), INVALID, ["models[0].model"]),
    "the same model twice": (linear(models=[{"model": "a", "parameters": {"weight": 1}}] * 2), INVALID, ["models[1]"]),
    "two plus signs": (linear(models=[{"model": "a+b+c"}, {"model": "b"}]), INVALID, ["models[0].model", "+"]),
    "missing weight": (linear(models=[{"model": "a"}, {"model": "b"}]), INVALID, ["models[0]", "weight"]),
    "weight is text": (linear(models=[{"model": "a", "parameters": {"weight": "much"}}]), INVALID, ["weight"]),
    "weight is infinite": (linear(parameters={"weight": float("inf")}), INVALID, ["weight"]),
    "weight is not a number": (linear(parameters={"weight": float("nan")}), INVALID, ["weight"]),
    "weights sum to 0": (
        linear(models=[{"model": m, "parameters": {"weight": w}} for m, w in (("a", 1), ("b", -1))]),
        INVALID, ["sum"]),
    "gradient with text": (linear(parameters={"weight": [0, "x", 1]}), INVALID, ["weight[1]"]),
    "filter without value": (linear(parameters={"weight": [{"filter": "mlp"}]}), INVALID, ["weight[0]", "value"]),
    "filter with an unknown key": (
        linear(parameters={"weight": [{"filtr": "mlp", "value": 1}]}), INVALID, ["filtr", "filter"]),
    "filters that cover nothing": (
        linear(models=[{"model": "a"}, {"model": "b"}], parameters={"weight": [{"filter": "mlp", "value": 1}]}),
        INVALID, ["weight"]),
    "unknown dtype": (linear(dtype="float12"), INVALID, ["dtype", "float12"]),
    "integer dtype": (linear(dtype="int64"), INVALID, ["dtype"]),
    "unknown out_dtype": (linear(out_dtype="bf17"), INVALID, ["out_dtype"]),
    "ties without base": (linear(merge_method="ties"), INVALID, ["base_model"]),
    "slerp of three": (
        linear(merge_method="slerp", base_model="base", parameters={"t": 0.5}), INVALID, ["slerp", "2"]),
    "slerp without t": (
        linear(merge_method="slerp", base_model="a", models=[{"model": "a"}, {"model": "b"}]), INVALID, ["t"]),
    "passthrough of two": (linear(merge_method="passthrough", models=[{"model": "a"}, {"model": "b"}]),
                           INVALID, ["passthrough"]),
    "slice without sources": (sliced({"sources": []}), INVALID, ["slices[0].sources"]),
    "slice with an unknown key": (sliced({"source": [source("a", 0, 1)]}), INVALID, ["source", "sources"]),
    "range backwards": (sliced({"sources": [source("a", 2, 1)]}), INVALID, ["slices[0].sources[0].layer_range"]),
    "range with three numbers": (
        sliced({"sources": [{"model": "a", "layer_range": [0, 1, 2]}]}), INVALID, ["layer_range"]),
    "range of fractions": (
        sliced({"sources": [{"model": "a", "layer_range": [0.5, 2]}]}), INVALID, ["layer_range"]),
    "negative range": (sliced({"sources": [source("a", -1, 2)]}), INVALID, ["layer_range"]),
    "range past the end": (
        sliced({"sources": [source("a", 0, 1)]}, {"sources": [source("a", 2, 9)]}),
        INVALID, ["slices[1].sources[0].layer_range", "4 layers"]),
    "ranges of unequal length": (
        linear(models=None, slices=[{"sources": [source("a", 0, 2), source("b", 0, 3)]}], parameters={"weight": 1}),
        INVALID, ["slices[0].sources[1].layer_range"]),
    "no layers at all": (sliced({"sources": [source("a", 1, 1)]}), INVALID, ["no layer"]),
    "slices without the base": (
        linear(models=None, merge_method="ties", base_model="base", parameters={"weight": 1},
               slices=[{"sources": [source("a", 0, 2), source("b", 0, 2)]}]),
        INVALID, ["slices[0].sources", "base"]),
    "missing model": (linear(models=[{"model": "nowhere"}], parameters={"weight": 1}), INVALID, ["nowhere"]),
    "model is a file": (linear(models=[{"model": "afile"}], parameters={"weight": 1}), INVALID, ["afile"]),
    "other architecture": (
        linear(models=[{"model": "a"}, {"model": "qwen"}], parameters={"weight": 1}), INVALID, ["qwen2", "llama"]),
    "other vocabulary size": (
        linear(models=[{"model": "a"}, {"model": "longer"}], parameters={"weight": 1}),
        INVALID, ["vocabular", "tokenizer_source"]),
    "other hidden size": (
        linear(models=[{"model": "a"}, {"model": "wider"}], parameters={"weight": 1}), INVALID, ["wider"]),
    "unknown tokenizer source": (linear(tokenizer_source="nowhere"), INVALID, ["nowhere"]),
    "tokenizer twice": (
        linear(tokenizer_source="union", tokenizer={"source": "base"}), INVALID, ["tokenizer_source", "tokenizer"]),
    "unknown tokenizer key": (linear(tokenizer={"sorce": "union"}), INVALID, ["sorce", "source"]),
    "unknown chat template": (linear(chat_template="chatmll"), INVALID, ["chat_template", "chatml"]),
    "several faults at once": (
        linear(merge_method="ties", dtype="float12", models=[{"model": "a", "parameters": {"densty": 1}}]),
        INVALID, ["base_model", "float12", "densty"]),
}


class Tensors:
    """A safetensors file in pieces, to be put together wrongly."""

    def __init__(self, path):
        self.path = path
        raw = path.read_bytes()
        size = struct.unpack("<Q", raw[:8])[0]
        self.header = json.loads(raw[8 : 8 + size])
        self.data = bytearray(raw[8 + size :])

    def entry(self, name=TENSOR):
        return self.header[name]

    def write(self, size=None, text=None):
        text = json.dumps(self.header).encode() if text is None else text
        self.path.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + self.data)


def in_header(change):
    def apply(folder):
        tensors = Tensors(folder / "model.safetensors")
        change(tensors)
        tensors.write()

    return apply


def in_config(**changes):
    def apply(folder):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        config.update(changes)
        path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))

    return apply


def overwrite(name, data):
    def apply(folder):
        (folder / name).write_bytes(data)

    return apply


def set_value(number):
    def apply(folder):
        tensors = Tensors(folder / "model.safetensors")
        begin = tensors.entry()["data_offsets"][0] + 8
        tensors.data[begin : begin + 4] = struct.pack("<f", number)
        tensors.write()

    return apply


def truncate(folder):
    path = folder / "model.safetensors"
    os.truncate(path, path.stat().st_size - 100)


def pickle_only(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02cos\nsystem\n")


def index(weight_map):
    def apply(folder):
        path = folder / "model.safetensors.index.json"
        (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
        names = list(Tensors(folder / "model-00001-of-00001.safetensors").header)
        full = {name: "model-00001-of-00001.safetensors" for name in names if name != "__metadata__"}
        path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map(full)}))

    return apply


def drop(name):
    def change(tensors):
        del tensors.header[name]

    return change


def cut_out(tensors):
    """Takes the tensor and its bytes away, so that the file itself is sound."""
    begin, end = tensors.header.pop(TENSOR)["data_offsets"]
    del tensors.data[begin:end]
    for name, entry in tensors.header.items():
        if name != "__metadata__" and entry["data_offsets"][0] >= end:
            entry["data_offsets"] = [offset - (end - begin) for offset in entry["data_offsets"]]


def fifo(folder):
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


def huge_header(folder):
    Tensors(folder / "model.safetensors").write(size=1 << 62)


def header_text(text):
    def apply(folder):
        Tensors(folder / "model.safetensors").write(text=text)

    return apply


# name: (change to the folder of model b, what the message must hold)
CHECKPOINTS = {
    "no config": (lambda f: (f / "config.json").unlink(), ["config.json"]),
    "empty config": (overwrite("config.json", b""), ["config.json"]),
    "config is a list": (overwrite("config.json", b"[]"), ["config.json"]),
    "config is not UTF-8": (overwrite("config.json", b'{"model_type": "\xff"}'), ["config.json"]),
    "no layer count": (in_config(num_hidden_layers=None), ["num_hidden_layers"]),
    "layer count is text": (in_config(num_hidden_layers="four"), ["num_hidden_layers"]),
    "layer count is enormous": (in_config(num_hidden_layers=10**9), ["num_hidden_layers"]),
    "more layers than weights": (in_config(num_hidden_layers=5), ["layers"]),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), ["safetensors"]),
    "pickle weights": (pickle_only, ["pytorch_model.bin", "safe_serialization"]),
    "weights are a pipe": (fifo, ["regular file"]),
    "empty weights": (overwrite("model.safetensors", b""), ["model.safetensors"]),
    "header longer than the file": (huge_header, ["model.safetensors"]),
    "header is not JSON": (header_text(b"{no json}"), ["model.safetensors"]),
    "truncated file": (truncate, ["model.safetensors"]),
    "unknown element type": (in_header(lambda t: t.entry().update(dtype="F33")), ["F33"]),
    "shape and size disagree": (in_header(lambda t: t.entry().update(shape=[3, 3])), [TENSOR]),
    "negative extent": (in_header(lambda t: t.entry().update(shape=[-1, 12])), [TENSOR]),
    "overflowing shape": (in_header(lambda t: t.entry().update(shape=[2**40, 2**40])), [TENSOR]),
    "offsets past the end": (in_header(lambda t: t.entry().update(data_offsets=[0, 2**50])), ["model.safetensors"]),
    "overlapping tensors": (
        in_header(lambda t: t.entry().update(data_offsets=t.entry("model.layers.0.mlp.up_proj.weight")["data_offsets"])),
        ["model.safetensors"]),
    "a hole between tensors": (in_header(drop(TENSOR)), ["model.safetensors"]),
    "a missing tensor": (in_header(cut_out), [TENSOR]),
    "an index to a missing file": (
        index(lambda full: {**full, TENSOR: "model-00009-of-00001.safetensors"}), ["model-00009"]),
    "an index out of the folder": (index(lambda full: {**full, TENSOR: "../a/model.safetensors"}), ["../a"]),
    "an index that lies": (index(lambda full: {**full, "ghost": full[TENSOR]}), ["ghost"]),
    "an index without a map": (
        lambda f: (index(lambda full: full)(f), (f / "model.safetensors.index.json").write_text("{}")),
        ["weight_map"]),
    "NaN": (set_value(float("nan")), [TENSOR, "model.safetensors", "NaN"]),
    "infinity": (set_value(float("inf")), [TENSOR, "model.safetensors", "infinite"]),
}


def copy_model(name, target):
    shutil.copytree(GOOD / name, target)


@pytest.fixture
def folder(tmp_path):
    for name in ("base", "a", "b"):
        copy_model(f"llama-f32-{name}", tmp_path / name)
    return tmp_path


def widened(model, key, value, axis_of):
    """Rewrites a model with one extent changed everywhere; the values do not matter."""
    tensors = Tensors(model / "model.safetensors")
    config = json.loads((model / "config.json").read_text())
    old = config[key]
    config[key] = value
    (model / "config.json").write_text(json.dumps(config))
    offset = 0
    for name, entry in tensors.header.items():
        if name == "__metadata__":
            continue
        entry["shape"] = [value if n == old and axis_of(name, i) else n for i, n in enumerate(entry["shape"])]
        size = 4
        for n in entry["shape"]:
            size *= n
        entry["data_offsets"] = [offset, offset + size]
        offset += size
    tensors.data = bytearray(offset)
    tensors.write()


def merge(folder, recipe):
    text = recipe if isinstance(recipe, str) else yaml.safe_dump(recipe)
    (folder / "recipe.yml").write_text(text)
    return subprocess.run([str(binary()), "merge", str(folder / "recipe.yml"), str(folder / "out")],
                          capture_output=True, text=True, timeout=60, check=False)


def check(folder, run, code, words):
    message = run.stderr
    assert run.returncode == code, message
    for word in words:
        assert word in message, f"{word!r} is not in:\n{message}"
    assert run.stdout == ""
    left = sorted(p.name for p in folder.iterdir())
    assert not any(name.startswith(".") or name == "out" for name in left), left
    return message


def test_the_lists_are_long_enough():
    assert len(RECIPES) + len(CHECKPOINTS) >= 60


@pytest.mark.parametrize("name", RECIPES)
def test_bad_recipe(folder, name):
    recipe, code, words = RECIPES[name]
    if "qwen" in str(recipe):
        copy_model("qwen2-a", folder / "qwen")
    if "longer" in str(recipe):
        copy_model("llama-f32-b", folder / "longer")
        widened(folder / "longer", "vocab_size", 44, lambda tensor, axis: axis == 0)
    if "wider" in str(recipe):
        copy_model("llama-f32-b", folder / "wider")
        widened(folder / "wider", "intermediate_size", 19, lambda tensor, axis: True)
    if "afile" in str(recipe):
        (folder / "afile").write_text("not a folder")
    check(folder, merge(folder, copy.deepcopy(recipe)), code, words)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_bad_checkpoint(folder, name):
    change, words = CHECKPOINTS[name]
    change(folder / "b")
    check(folder, merge(folder, linear()), INVALID, words)
    if name in ("NaN", "infinity"):
        run = subprocess.run([str(binary()), "merge", "--allow-nonfinite", str(folder / "recipe.yml"),
                              str(folder / "out")], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr


def test_every_message_is_its_own(folder):
    messages = {}
    for name, (recipe, _, _) in RECIPES.items():
        if any(word in str(recipe) for word in ("qwen", "longer", "wider", "afile")):
            continue
        message = merge(folder, copy.deepcopy(recipe)).stderr
        assert message not in messages, f"{name} says what {messages[message]} says:\n{message}"
        messages[message] = name


def test_a_recipe_file_that_is_not_there(folder):
    run = subprocess.run([str(binary()), "merge", str(folder / "nothing.yml"), str(folder / "out")],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == MISSING
    assert "nothing.yml" in run.stderr


def test_an_output_that_cannot_be_made(folder):
    (folder / "recipe.yml").write_text(yaml.safe_dump(linear()))
    name = "x" * 300  # longer than a file system takes
    run = subprocess.run([str(binary()), "merge", str(folder / "recipe.yml"), str(folder / name)],
                         capture_output=True, text=True, timeout=60, check=False)
    check(folder, run, IO, [name])
