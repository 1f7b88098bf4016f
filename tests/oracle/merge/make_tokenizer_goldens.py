#!/usr/bin/env python3
"""Makes tokenizers/ beside this file with mergekit 0.1.5: small merges with tokenizer settings.

tokenizers/models/NAME/              tiny models with tokenizers of some 40 tokens
tokenizers/cases/NAME/recipe.yml     the recipe
tokenizers/cases/NAME/expected.safetensors   embedding and output head that mergekit wrote
tokenizers/cases/NAME/expected.json  tokens by id, added tokens, vocab_size, chat template

Ids of tokens that a union adds differ from run to run in mergekit; rows are compared by token. Run with
PYTHONHASHSEED=0. Needs a virtual environment with mergekit 0.1.5, torch, transformers 5 and tokenizers.
"""
import json
import os
import pathlib
import shutil
import tempfile

import yaml
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

from toy_models import Size, make_model, read_tensors, run_mergekit, write_tensors

HERE = pathlib.Path(__file__).resolve().parent / "tokenizers"
SPECIALS = ["<unk>", "<s>", "</s>"]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def tiny(text, vocab, added=()):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(vocab_size=vocab, special_tokens=SPECIALS,
                                                              show_progress=False))
    tokenizer.add_tokens(list(added))
    return tokenizer


def make_models():
    chat = [AddedToken(f"<|im_{end}|>", special=True, normalized=False) for end in ("start", "end")]
    toys = {
        "base": (tiny("the rose is red and sweet", 30), "bf16", 1, 0, ""),
        "chat": (tiny("one plus two is three", 28, chat), "bf16", 2, 0, CHATML),
        "padded": (tiny("a rose by any other name", 32, chat[1:]), "bf16", 3, 8, CHATML),
        "long": (tiny("the rose is red and sweet", 30, ["<pad>", "two"]), "bf16", 4, -1, ""),
        "single": (tiny("the rose is red and sweet", 30), "f32", 5, 0, "{{ messages[0]['content'] }} {{ eos_token }}"),
    }
    for name, (tokenizer, kind, seed, spare, template) in toys.items():
        size = Size(hidden=12, inner=8, heads=2, kv_heads=1, vocab=tokenizer.get_vocab_size() + spare, layers=1)
        make_model(HERE / "models" / name, "llama", kind, seed, size=size)
        tokenizer.save(str(HERE / "models" / name / "tokenizer.json"))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "eos_token": "</s>"}
        config |= {"pad_token": "<pad>"} if name == "long" else {}
        config |= {"chat_template": template} if template else {}
        (HERE / "models" / name / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def linear(*names, **settings):
    return {"merge_method": "linear", "base_model": f"models/{names[0]}", "models": [
        {"model": f"models/{n}", "parameters": {"weight": 0.3 + 0.2 * i}} for i, n in enumerate(names)]} | settings


def cases():
    return {
        "union": linear("base", "chat", tokenizer_source="union"),
        "union-of-four": linear("base", "chat", "padded", "single", tokenizer_source="union", chat_template="auto"),
        "union-stripped": linear("long", "chat", tokenizer_source="union"),
        "base-padding": linear("base", "chat", tokenizer={"source": "base", "pad_to_multiple_of": 64}),
        "model": linear("base", "padded", tokenizer_source="models/padded", chat_template="chatml"),
        "tokens": linear("base", "chat", tokenizer={"source": "union", "pad_to_multiple_of": 8, "tokens": {
            "<|im_start|>": {"source": {"kind": "model_token", "model": "models/base", "token": "</s>"}, "force": True},
            "the": {"source": {"kind": "zero"}}, "<new>": {"source": {"kind": "zero"}}}}),
        "float32": linear("single", "base", dtype="float32", tokenizer={"source": "base", "pad_to_multiple_of": 64}),
    }


def make_case(name, recipe):
    from transformers import AutoTokenizer

    folder = HERE / "cases" / name
    folder.mkdir(parents=True)
    (folder / "recipe.yml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    with tempfile.TemporaryDirectory() as temporary:
        out = pathlib.Path(temporary) / "out"
        run_mergekit(recipe, out, 0, copy_tokenizer=True)
        tensors = {n: t for n, t in read_tensors(out).items() if n in ("model.embed_tokens.weight", "lm_head.weight")}
        write_tensors(folder / "expected.safetensors", tensors)
        tokenizer = AutoTokenizer.from_pretrained(out)
        rows = json.loads((out / "config.json").read_text())["vocab_size"]
    expected = {
        "vocab_size": rows,
        "tokens": {t: i for t, i in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]) if i < rows},
        "added": {t.content: {"special": t.special, "lstrip": t.lstrip, "rstrip": t.rstrip, "normalized": t.normalized}
                  for i, t in tokenizer.added_tokens_decoder.items() if i < rows},
        "chat_template": "" if "chatml" == recipe.get("chat_template") else tokenizer.chat_template or "",
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def main():
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    shutil.rmtree(HERE, ignore_errors=True)
    make_models()
    os.chdir(HERE)
    for name, recipe in cases().items():
        make_case(name, recipe)


if __name__ == "__main__":
    main()
