"""Tiny random checkpoints, mergekit runs on them and comparison of what two engines wrote.

Shared by make_goldens.py and compare_methods.py. Making and comparing need numpy and safetensors;
only run_mergekit imports torch.
"""
import dataclasses
import json
import math

import numpy as np
from safetensors import TensorSpec, serialize_file

DTYPE_NAMES = {"bf16": "bfloat16", "f16": "float16", "f32": "float32", "f64": "float64"}
KINDS = {"BF16": "bf16", "F16": "f16", "F32": "f32", "F64": "f64"}  # by name in a header
FRACTION_BITS = {"bf16": 7, "f16": 10, "f32": 23, "f64": 52}
LEAST_EXPONENT = {"bf16": -126, "f16": -14, "f32": -126, "f64": -1022}  # of a normal number
ITEM_BYTES = {"bf16": 2, "f16": 2, "f32": 4, "f64": 8}
CLASSES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


@dataclasses.dataclass(frozen=True)
class Size:
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    vocab: int
    layers: int

    @property
    def head(self):
        return self.hidden // self.heads


ODD = Size(hidden=12, inner=17, heads=2, kv_heads=1, vocab=41, layers=4)


def config_of(family, kind, size, tied):
    config = {
        "architectures": [CLASSES[family]],
        "model_type": family,
        "hidden_size": size.hidden,
        "intermediate_size": size.inner,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.kv_heads,
        "num_hidden_layers": size.layers,
        "head_dim": size.head,
        "vocab_size": size.vocab,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": tied,
        "torch_dtype": DTYPE_NAMES[kind],
    }
    if family.startswith("qwen"):
        config["layer_types"] = ["full_attention"] * size.layers
    return config


def shapes_of(family, size, tied):
    shapes = {"model.embed_tokens.weight": (size.vocab, size.hidden), "model.norm.weight": (size.hidden,)}
    if not tied:
        shapes["lm_head.weight"] = (size.vocab, size.hidden)
    for layer in range(size.layers):
        prefix = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{prefix}{norm}.weight"] = (size.hidden,)
        for name, out, into in (
            ("self_attn.q_proj", size.heads * size.head, size.hidden),
            ("self_attn.k_proj", size.kv_heads * size.head, size.hidden),
            ("self_attn.v_proj", size.kv_heads * size.head, size.hidden),
            ("self_attn.o_proj", size.hidden, size.heads * size.head),
            ("mlp.gate_proj", size.inner, size.hidden),
            ("mlp.up_proj", size.inner, size.hidden),
            ("mlp.down_proj", size.hidden, size.inner),
        ):
            shapes[f"{prefix}{name}.weight"] = (out, into)
            if family == "qwen2" and name[-6] in "qkv" and name.startswith("self"):
                shapes[f"{prefix}{name}.bias"] = (out,)
        if family == "qwen3":
            shapes[f"{prefix}self_attn.q_norm.weight"] = (size.head,)
            shapes[f"{prefix}self_attn.k_norm.weight"] = (size.head,)
    return shapes


def encode(values, kind):
    """Little-endian bytes of float64 values, rounded to nearest even by way of float32 for 16-bit types."""
    if kind == "f64":
        return values.astype("<f8").tobytes()
    single = values.astype(np.float32)
    if kind == "bf16":
        bits = single.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return single.astype("<f2" if kind == "f16" else "<f4").tobytes()


def decode(data, kind):
    if kind == "bf16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return np.frombuffer(data, {"f16": "<f2", "f32": "<f4", "f64": "<f8"}[kind]).astype(np.float64)


def write_tensors(path, tensors):
    """tensors: name: (kind, shape, bytes), as read_tensors gives them."""
    arrays = {name: np.frombuffer(data, np.uint8) for name, (_, _, data) in tensors.items()}
    specs = {name: TensorSpec(dtype=DTYPE_NAMES[kind], shape=list(shape), data_ptr=arrays[name].ctypes.data,
                              data_len=arrays[name].nbytes)
             for name, (kind, shape, _) in tensors.items()}
    serialize_file(specs, str(path), {"format": "pt"})


def make_model(folder, family, kind, seed, size=ODD, tied=False, spread=0.02, step=None):
    """A checkpoint folder. A family's members share one base, of seed 1, and differ by `spread`.

    step: values are rounded to its multiples, so that differences have few magnitudes.
    """
    common, own = np.random.default_rng(1), np.random.default_rng(1000 + seed)
    tensors = {}
    for tensor, shape in shapes_of(family, size, tied).items():
        values = common.standard_normal(shape) * 0.1
        noise = own.standard_normal(shape) * spread
        values = values + (noise if seed != 1 else 0)
        if step:
            values = np.round(values / step) * step
        tensors[tensor] = (kind, shape, encode(values, kind))
    folder.mkdir(parents=True)
    write_tensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(config_of(family, kind, size, tied), indent=2) + "\n")


def run_mergekit(recipe, out, seed, shard_bytes=5_000_000_000, copy_tokenizer=False):
    """Merges in this process, relative model paths being the working directory's."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    import own_methods

    own_methods.register()
    options = MergeOptions(random_seed=seed, out_shard_size=shard_bytes, copy_tokenizer=copy_tokenizer,
                           write_model_card=False, quiet=True)
    run_merge(MergeConfiguration.model_validate(recipe), str(out), options)


def header(path):
    data = path.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])


def read_tensors(folder):
    """name: (kind, shape, bytes) of every tensor in the folder's safetensors files."""
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8:start]).items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                kind = KINDS.get(entry["dtype"], entry["dtype"])
                tensors[name] = (kind, tuple(entry["shape"]), data[start + begin:start + end])
    return tensors


@dataclasses.dataclass
class Difference:
    values: int = 0
    differ: int = 0
    ulp: float = 0.0  # largest difference, in units in the last place of the larger of the two values
    tensor_ulp: float = 0.0  # the same, in units of the tensor's largest value
    demanded_ulp: float = 0.0  # ulp for 16-bit types, tensor_ulp for the others
    fault: str = ""  # names, types or shapes that differ: nothing to compare

    def add(self, other):
        self.values += other.values
        self.differ += other.differ
        self.ulp = max(self.ulp, other.ulp)
        self.tensor_ulp = max(self.tensor_ulp, other.tensor_ulp)
        self.demanded_ulp = max(self.demanded_ulp, other.demanded_ulp)
        self.fault = self.fault or other.fault


def unit_in_last_place(magnitudes, kind):
    exponent = np.frexp(magnitudes)[1] - 1
    return np.ldexp(1.0, np.maximum(exponent, LEAST_EXPONENT[kind]) - FRACTION_BITS[kind])


def compare_values(got, want, kind):
    """Of two byte strings. NaN equals NaN, and 0 equals -0."""
    if got == want:
        return Difference(values=len(want) // ITEM_BYTES[kind])
    a, b = decode(got, kind), decode(want, kind)
    unequal = (a != b) & ~(np.isnan(a) & np.isnan(b))
    found = Difference(values=a.size, differ=int(unequal.sum()))
    if found.differ:
        a, b, all_wanted = a[unequal], b[unequal], b
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            found.ulp = found.tensor_ulp = found.demanded_ulp = math.inf
            return found
        found.ulp = float((np.abs(a - b) / unit_in_last_place(np.maximum(np.abs(a), np.abs(b)), kind)).max())
        largest = np.nanmax(np.abs(np.where(np.isfinite(all_wanted), all_wanted, 0)))
        found.tensor_ulp = float(np.abs(a - b).max() / unit_in_last_place(largest, kind))
        found.demanded_ulp = found.ulp if ITEM_BYTES[kind] == 2 else found.tensor_ulp
    return found


def compare_folders(got_folder, want_folder):
    """(Difference of everything, {tensor name: Difference} of those that differ)."""
    got, want = read_tensors(got_folder), read_tensors(want_folder)
    if got.keys() != want.keys():
        names = sorted(got.keys() ^ want.keys())
        return Difference(fault=f"tensor names differ: {names[:3]}"), {}
    total, differing = Difference(), {}
    for name, (kind, shape, data) in want.items():
        if got[name][:2] != (kind, shape):
            total.fault = f"{name}: {got[name][0]} {got[name][1]}, wanted {kind} {shape}"
            return total, differing
        found = compare_values(got[name][2], data, kind)
        total.add(found)
        if found.differ:
            differing[name] = found
    return total, differing
