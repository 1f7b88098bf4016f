#!/usr/bin/env python3
"""Builds small mixtures of experts with mergekit-moe 0.1.5 and with an engine, and compares them.

    compare_moe.py --engine build/release/crucible
    compare_moe.py --only hidden_avg --keep /tmp/look        # recipes, models, all outputs stay there

Needs torch, transformers 5 and mergekit. Four things are held against each other:

* every tensor but the router's: the same bytes as mergekit's (experts that it packed are taken apart);
* the router's rows: within 1e-5 of a float32 computation with transformers, written here from the
  definition; and near mergekit's, which computes hidden states in bfloat16 (largest difference shown);
* the folder loads in transformers without missing or unexpected keys, gives finite logits and has as many
  parameters as the engine reported;
* a mixture whose experts are all the base model answers as the base does.

Exit code 1 when any of them fails.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported

import numpy as np
import yaml

from toy_models import Size, config_of, decode, encode, read_tensors, shapes_of, write_tensors

SIZE = Size(hidden=32, inner=48, heads=4, kv_heads=2, vocab=320, layers=4)
RECIPES = pathlib.Path(__file__).parent / "recipes"
PROMPTS = {
    "chat": ["tell me a joke", "explain", "How do you feel today, my dear friend?"],
    "code": ["def main(argv):", "python", "for (int i = 0; i < n; ++i) { sum += i; }"],
    "story": ["Once upon a time there was a king", "scene"],
    "math": ["2 + 2 = 4", "solve the equation x^2 = 9 for x", "count"],
}
EMBED_MODES = ["cheap_embed", "hidden", "hidden_last", "hidden_avg"]
LIMIT = 1e-5  # of a router's row against float32
NEAR = {"cheap_embed": 1e-6, "random": 1e-6, "uniform_random": 0.0}  # against mergekit; else 0.03


def make_tokenizer(folder, family):
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if family == "qwen2":  # what transformers 5 puts in its place anyway
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>"] if family.startswith("qwen") else ["<s>", "</s>"]
    text = [prompt for prompts in PROMPTS.values() for prompt in prompts]
    tokenizer.train_from_iterator(
        text * 3, trainers.BpeTrainer(vocab_size=SIZE.vocab, special_tokens=special, show_progress=False,
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    names = {"eos_token": special[-1]} | ({} if family.startswith("qwen") else {"bos_token": "<s>"})
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def make_dense(folder, family, kind, seed, tied=False):
    random = np.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes_of(family, SIZE, tied).items():
        values = random.standard_normal(shape)
        if "norm" in name:
            values = 1 + 0.2 * values
        elif "embed" not in name:
            values = values / np.sqrt(shape[-1])
        tensors[name] = (kind, shape, encode(values, kind))
    folder.mkdir(parents=True)
    write_tensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(config_of(family, kind, SIZE, tied), indent=2) + "\n")
    make_tokenizer(folder, family)


def make_phi(folder, seed):
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    hidden, inner, vocabulary = SIZE.hidden, SIZE.inner, SIZE.vocab
    config = {"architectures": ["PhiForCausalLM"], "model_type": "phi", "hidden_size": hidden,
              "max_position_embeddings": 512, "intermediate_size": inner, "num_attention_heads": SIZE.heads,
              "num_hidden_layers": SIZE.layers, "vocab_size": vocabulary, "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "lm_head.weight": (vocabulary, hidden),
              "lm_head.bias": (vocabulary,), "model.final_layernorm.weight": (hidden,),
              "model.final_layernorm.bias": (hidden,)}
    for layer in range(SIZE.layers):
        prefix = f"model.layers.{layer}."
        for name, out, into in [("self_attn.q_proj", hidden, hidden), ("self_attn.k_proj", hidden, hidden),
                                ("self_attn.v_proj", hidden, hidden), ("self_attn.dense", hidden, hidden),
                                ("mlp.fc1", inner, hidden), ("mlp.fc2", hidden, inner)]:
            shapes |= {f"{prefix}{name}.weight": (out, into), f"{prefix}{name}.bias": (out,)}
        for name in ("weight", "bias"):
            shapes[f"{prefix}input_layernorm.{name}"] = (hidden,)
    tensors = {}
    for name, shape in shapes.items():
        values = random.standard_normal(shape) / np.sqrt(shape[-1] if len(shape) > 1 else 4)
        tensors[name] = ("f32", shape, encode(values + ("norm.weight" in name), "f32"))
    write_tensors(folder / "model.safetensors", tensors)
    make_tokenizer(folder, "phi")


class Case:
    def __init__(self, name, text, layout, seed=0, flags=(), same_as_base=False):
        self.name, self.text, self.layout = name, text, layout
        self.seed, self.flags, self.same_as_base = seed, list(flags), same_as_base
        self.recipe = yaml.safe_load(text)

    @property
    def mode(self):
        return self.recipe.get("gate_mode", "hidden")


def expert(model, prompts, negative=None, **rest):
    entry = {"source_model": model, "positive_prompts": list(PROMPTS[prompts])}
    if negative:
        entry["negative_prompts"] = list(PROMPTS[negative])
    return entry | rest


def family_case(family, mode, layout, note="", dtype="float32", shared=None, flags=(), seed=0, **rest):
    recipe = {"base_model": f"{family}-chat", "gate_mode": mode, "dtype": dtype} | rest
    recipe["experts"] = [expert(f"{family}-chat", "chat", negative="math"), expert(f"{family}-code", "code"),
                         expert(f"{family}-story", "story", residual_scale=0.5)]
    if shared:
        recipe["shared_experts"] = [{"source_model": f"{family}-code"} | shared]
    name = f"{family}-{mode}-{layout}{note}"
    return Case(name, yaml.safe_dump(recipe, sort_keys=False), layout, seed, flags)


def identical_case(family, layout):
    base = f"{family}-chat"
    recipe = {"base_model": base, "gate_mode": "cheap_embed", "dtype": "float32",
              "experts": [expert(base, "chat"), expert(base, "code"), expert(base, "math")]}
    if layout == "qwen2_moe":  # a shared expert that adds nothing
        recipe["shared_experts"] = [expert(base, "story", residual_scale=0)]
    return Case(f"{family}-identical-{layout}", yaml.safe_dump(recipe, sort_keys=False), layout,
                flags=["--allow-identical-experts"], same_as_base=True)


def all_cases():
    yield Case("beyonder", (RECIPES / "beyonder.yml").read_text(), "mixtral")
    for mode in EMBED_MODES:
        yield family_case("llama", mode, "mixtral")
        yield family_case("mistral", mode, "mixtral", dtype="bfloat16")
        yield family_case("qwen2", mode, "qwen2_moe", shared={"positive_prompts": list(PROMPTS["math"])})
        yield family_case("qwen3", mode, "qwen3_moe")
    for mode in ("random", "uniform_random"):
        yield family_case("mistral", mode, "mixtral", seed=7)
        yield family_case("qwen2", mode, "qwen2_moe", seed=9, shared={"positive_prompts": list(PROMPTS["math"])})
    yield family_case("llama", "cheap_embed", "deepseek", shared={"residual_scale": 0.25})
    yield family_case("llama", "hidden", "deepseek", note="-asked", architecture="deepseek")
    yield family_case("llama", "hidden", "qwen2_moe", shared={"positive_prompts": list(PROMPTS["math"])})
    yield family_case("tied-llama", "hidden_avg", "mixtral", note="-tied")
    yield family_case("tied-qwen3", "hidden", "qwen3_moe", note="-tied")
    for family, layout in (("llama", "mixtral"), ("mistral", "mixtral"), ("qwen2", "qwen2_moe"),
                           ("qwen3", "qwen3_moe"), ("tied-qwen3", "qwen3_moe")):
        yield identical_case(family, layout)


def run_mergekit(case, out):
    import torch
    from mergekit.moe.config import MoEMergeConfig
    from mergekit.options import MergeOptions
    from mergekit.scripts.moe import build

    torch.manual_seed(case.seed)
    build(MoEMergeConfig.model_validate(case.recipe), str(out), MergeOptions(), device="cpu",
          allow_all_same=case.same_as_base)


def run_engine(case, folder, out, engine):
    path = folder / f"{case.name}.yml"
    path.write_text(case.text)
    done = subprocess.run([engine, "moe", path, out, "--json", "--seed", str(case.seed), *case.flags],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"the engine exits with {done.returncode}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def unpacked(tensors, layout):
    """mergekit's tensors under the names of published checkpoints: packed experts taken apart."""
    block = "block_sparse_moe" if layout == "mixtral" else "mlp"
    names = ("w1", "w3", "w2") if layout == "mixtral" else ("gate_proj", "up_proj", "down_proj")
    out = {}
    for name, (kind, shape, data) in tensors.items():
        if not name.endswith((".experts.gate_up_proj", ".experts.down_proj")):
            out[name.replace(".mlp.gate.", f".{block}.gate.")] = (kind, shape, data)
            continue
        prefix = name.rsplit(".mlp.", 1)[0]
        parts = names[:2] if name.endswith("gate_up_proj") else names[2:]
        array = np.frombuffer(data, np.uint8).reshape(shape[0], len(parts), -1)
        for index in range(shape[0]):
            for number, part in enumerate(parts):
                rows = shape[1] // len(parts)
                out[f"{prefix}.{block}.experts.{index}.{part}.weight"] = (
                    kind, (rows, shape[2]), array[index, number].tobytes())
    return out


def is_router(name):
    return name.endswith((".gate.weight", ".shared_expert_gate.weight"))


def router_rows(tensors):
    """[layers][rows][hidden], shared gates last."""
    rows = []
    for layer in range(SIZE.layers):
        found = [name for name in tensors if f".layers.{layer}." in name and is_router(name)]
        found.sort(key=lambda name: "shared" in name)
        rows.append(np.concatenate([decode(tensors[name][2], tensors[name][0]).reshape(tensors[name][1])
                                    for name in found]))
    return np.stack(rows)


def float32_rows(case):
    """The definition, by transformers in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = case.recipe["base_model"]
    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
    tokenizer.pad_token = tokenizer.bos_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    table = model.get_input_embeddings().weight.double()

    def vector(prompts):
        batch = tokenizer([(tokenizer.bos_token or "") + prompt for prompt in prompts], return_tensors="pt",
                          padding=True, add_special_tokens=False)
        if case.mode == "cheap_embed":
            total = (table[batch["input_ids"]] * batch["attention_mask"][..., None]).sum(dim=(0, 1))
            return (total / total.norm()).repeat(SIZE.layers, 1)
        with torch.no_grad():
            states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                           output_hidden_states=True).hidden_states
        entering = torch.stack(states[:SIZE.layers]).double()
        return (entering.mean(dim=2) if case.mode == "hidden_avg" else entering[:, :, -1]).mean(dim=1)

    rows = []
    gated = [entry for entry in case.recipe.get("shared_experts", []) if entry.get("positive_prompts")]
    for entry in case.recipe["experts"] + gated:
        row = vector(entry["positive_prompts"])
        if entry.get("negative_prompts"):
            row = row - vector(entry["negative_prompts"])
        rows.append(row / row.norm(dim=-1, keepdim=True))
    return torch.stack(rows, dim=1).detach().numpy()


def check_tensors(case, ours, theirs, faults):
    theirs = unpacked(theirs, case.layout)
    tied = case.recipe["base_model"].startswith("tied")
    extra = {name for name in set(theirs) - set(ours) if not (tied and name == "lm_head.weight")}
    if extra or set(ours) - set(theirs):
        faults.append(f"names differ: lacks {sorted(extra)[:3]}, adds {sorted(set(ours) - set(theirs))[:3]}")
    for name in sorted(set(ours) & set(theirs)):
        if is_router(name):
            continue
        if ours[name][0] != theirs[name][0] or tuple(ours[name][1]) != tuple(theirs[name][1]):
            faults.append(f"{name}: {ours[name][:2]}, mergekit {theirs[name][:2]}")
        elif ours[name][2] != theirs[name][2]:
            faults.append(f"{name}: bytes differ")


def check_router(case, ours, theirs, faults):
    mine, reference = router_rows(ours), router_rows(theirs)
    note = f"to mergekit {np.abs(mine - reference).max():.1e}"
    if np.abs(mine - reference).max() > NEAR.get(case.mode, 0.03) + rounding(case):
        faults.append("router is far from mergekit's")
    if case.mode in EMBED_MODES:
        exact = np.abs(mine - float32_rows(case)).max()
        note += f", to float32 {exact:.1e}"
        if exact > LIMIT + rounding(case):
            faults.append(f"router differs from float32 by {exact:.1e}")
    return note


def rounding(case):
    return 2.0**-9 if case.recipe["dtype"] == "bfloat16" else 0.0  # of rows that are at most 1


def check_loading(case, out, report, faults):
    import torch
    from transformers import AutoModelForCausalLM

    if case.layout == "deepseek":
        return  # no class in transformers
    model, info = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[key]:
            faults.append(f"{key}: {sorted(info[key])[:3]}")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if parameters != report["parameters"]:
        faults.append(f"{parameters} parameters, the engine says {report['parameters']}")
    ids = torch.arange(10, 40).reshape(2, 15)
    with torch.no_grad():
        logits = model(input_ids=ids).logits
        if not torch.isfinite(logits).all():
            faults.append("logits are not finite")
        if case.same_as_base:
            base = AutoModelForCausalLM.from_pretrained(case.recipe["base_model"], dtype=torch.float32)
            difference = (base(input_ids=ids).logits - logits).abs().max().item()
            if difference > 1e-4:
                faults.append(f"identical experts answer differently: {difference:.1e}")


def phixtral_cases():
    for mode in EMBED_MODES:
        yield family_case("phi", mode, "phixtral")
    yield family_case("phi", "random", "phixtral", seed=3)
    yield identical_case("phi", "phixtral")


def check_phixtral(case, out, report, faults):
    """mergekit-moe has no such layout, so the definition is what the output is held against."""
    import torch
    from transformers import AutoModelForCausalLM

    ours = read_tensors(out)
    base = read_tensors(pathlib.Path(case.recipe["base_model"]))
    expected = {name: value for name, value in base.items() if ".mlp." not in name}
    for index, entry in enumerate(case.recipe["experts"]):
        for name, (kind, shape, data) in read_tensors(pathlib.Path(entry["source_model"])).items():
            if ".mlp." not in name:
                continue
            if ".fc2." in name and entry.get("residual_scale", 1) != 1:
                data = encode(decode(data, kind) * np.float32(entry["residual_scale"]), kind)
            expected[name.replace(".mlp.", f".mlp.experts.{index}.")] = (kind, shape, data)
    if {name for name in ours if not is_router(name)} != set(expected):
        faults.append("names differ")
    for name, (kind, shape, data) in expected.items():
        if name in ours and (ours[name][0], tuple(ours[name][1]), ours[name][2]) != (kind, tuple(shape), data):
            faults.append(f"{name} differs")
    note = ""
    if case.mode in EMBED_MODES:
        exact = np.abs(router_rows(ours) - float32_rows(case)).max()
        note = f"router to float32 {exact:.1e}"
        if exact > LIMIT:
            faults.append(f"router differs from float32 by {exact:.1e}")
    model, info = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, output_loading_info=True,
                                                       trust_remote_code=True)
    faults += [f"{key}: {sorted(info[key])[:3]}" for key in ("missing_keys", "unexpected_keys") if info[key]]
    if sum(parameter.numel() for parameter in model.parameters()) != report["parameters"]:
        faults.append("another number of parameters than the engine says")
    ids = torch.arange(10, 40).reshape(2, 15)
    with torch.no_grad():
        logits = model(input_ids=ids).logits
        if not torch.isfinite(logits).all():
            faults.append("logits are not finite")
        if case.same_as_base:
            plain = AutoModelForCausalLM.from_pretrained(case.recipe["base_model"], dtype=torch.float32)
            difference = (plain(input_ids=ids).logits - logits).abs().max().item()
            if difference > 1e-4:
                faults.append(f"identical experts answer differently: {difference:.1e}")
    return note


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="build/release/crucible")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    engine = pathlib.Path(arguments.engine).resolve()
    folder = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="compare-moe-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for family in ("llama", "mistral", "qwen2", "qwen3"):
        for seed, part in enumerate(PROMPTS):
            kind = "bf16" if family == "mistral" else "f32"
            make_dense(folder / f"{family}-{part}", family, kind, 10 + seed)
            if family in ("llama", "qwen3"):
                make_dense(folder / f"tied-{family}-{part}", family, kind, 50 + seed, tied=True)
    for seed, part in enumerate(PROMPTS):
        make_phi(folder / f"phi-{part}", 90 + seed)
    failed = 0
    for case in (*all_cases(), *phixtral_cases()):
        if arguments.only not in case.name:
            continue
        ours, theirs, faults, note = folder / f"{case.name}-out", folder / f"{case.name}-mergekit", [], ""
        try:
            report = run_engine(case, folder, ours, engine)
            if case.layout == "phixtral":
                note = check_phixtral(case, ours, report, faults)
                continue
            run_mergekit(case, theirs)
            mine, reference = read_tensors(ours), read_tensors(theirs)
            check_tensors(case, mine, reference, faults)
            note = check_router(case, mine, reference, faults)
            check_loading(case, ours, report, faults)
        except RuntimeError as error:
            faults.append(str(error))
        finally:
            failed += bool(faults)
            print(f"{'FAILED' if faults else 'ok    '} {case.name:42} {note}", *faults[:5], sep="\n       ",
                  flush=True)
    if not arguments.keep:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
