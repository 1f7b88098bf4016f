#!/usr/bin/env python3
"""Makes the reference values of the evaluation oracle: lm-evaluation-harness 0.4.13 (HFLM) on
transformers in float32, over tiny random models of each supported family and over the demo family.

    make_goldens.py DEMO_FAMILY OUT

OUT/<model>/ gets a checkpoint, OUT/<model>.json its requests and their log-likelihoods;
OUT/demo-<model>-<suite>.json holds those of a demo suite. Needs torch, transformers and lm_eval; the
tests need only what it writes.
"""

import argparse
import json
import pathlib

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                          PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM)

CORPUS = [
    "Question: What is the capital of France?\nAnswer: Paris",
    "Question: Which animal barks?\nAnswer: the dog. Question: Which animal purrs?\nAnswer: the cat.",
    "The quick brown fox jumps over the lazy dog, 12 times or 345 times.",
    "Éléphants, œufs und Straßen: 数学 и наука — 🙂.",
]
SIZES = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, head_dim=16, max_position_embeddings=256, bos_token_id=0, eos_token_id=1)


def make_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 4, trainers.BpeTrainer(
        vocab_size=340, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def tiny_models(vocabulary: int):
    """name -> (model, stored dtype, context length, shard size)"""
    llama3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=64)
    linear = dict(rope_type="linear", rope_theta=5000.0, factor=2.0)
    yield "llama-llama3-rope", LlamaForCausalLM(LlamaConfig(
        vocab_size=vocabulary, rope_parameters=llama3, rms_norm_eps=1e-5, **SIZES)), torch.bfloat16, 256, "5GB"
    yield "llama-biases-linear-rope", LlamaForCausalLM(LlamaConfig(
        vocab_size=vocabulary, rope_parameters=linear, attention_bias=True, mlp_bias=True,
        tie_word_embeddings=True, **SIZES)), torch.float32, 128, "40KB"
    yield "mistral", MistralForCausalLM(MistralConfig(
        vocab_size=vocabulary, sliding_window=96, rope_parameters=dict(rope_type="default", rope_theta=1e6),
        **SIZES)), torch.float16, 96, "5GB"
    sizes = {key: value for key, value in SIZES.items() if key != "head_dim"}
    yield "qwen2-tied", Qwen2ForCausalLM(Qwen2Config(
        vocab_size=vocabulary, tie_word_embeddings=True, **sizes)), torch.bfloat16, 256, "5GB"


def randomise(model) -> None:
    """Biases and norms too, which start at 0 and 1: otherwise nothing would depend on them."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "norm" in name:
                weights.copy_(1 + 0.2 * torch.randn_like(weights))
            elif name.endswith("bias"):
                weights.copy_(0.5 * torch.randn_like(weights))
            else:
                weights.copy_(torch.randn_like(weights) * (0.7 if "embed" in name else 0.25))


def requests() -> list[tuple[str, str]]:
    pairs = []
    for context in (CORPUS[0][:-6], "Question: Which animal barks?\nAnswer:", "数学 — 🙂", CORPUS[2] * 9 + "\nAnswer:"):
        pairs += [(context, choice) for choice in (" A", " B", " the dog", " the cat.", " Paris", " 345 times", "🙂")]
    for context in ("Answer: ", "Answer:\n\n", "Answer:\u00a0\u2003", ""):
        pairs += [(context, "Paris"), (context, " the"), (context, "<s> the")]
    pairs += [("The qu", "ick jumps"), ("Answer", ": the cat"), ("<s>The quick", " brown"),
              ("The", " quick"), ("The quick", " brown fox"), ("The quick brown fox", " jumps over the lazy dog"),
              ("x", CORPUS[3] + CORPUS[2])]
    return pairs


def score(folder: pathlib.Path, pairs, max_length: int, add_bos: bool):
    # Named, because AutoTokenizer puts some families' own pre-tokenizer in the place of tokenizer.json's.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    harness = HFLM(pretrained=str(folder), tokenizer=tokenizer, dtype="float32", device="cpu", batch_size=1,
                   max_length=max_length, add_bos_token=add_bos)
    instances = [Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=i) for i, pair in enumerate(pairs)]
    return harness.loglikelihood(instances, disable_tqdm=True)


def write(path: pathlib.Path, max_length: int, runs) -> None:
    text = {"max_length": max_length, "runs": [
        {"bos": bos, "requests": [
            {"context": context, "continuation": continuation, "logprob": float(value), "greedy": bool(greedy)}
            for (context, continuation), (value, greedy) in zip(pairs, results)]}
        for bos, pairs, results in runs]}
    path.write_text(json.dumps(text, ensure_ascii=False, indent=1) + "\n")


def suite_pairs(path: pathlib.Path) -> list[tuple[str, str]]:
    items = [json.loads(line) for line in path.read_text().splitlines()]
    return [(item["query"], choice) for item in items for choice in item["choices"]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("demo", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(11)
    tokenizer = make_tokenizer()
    for name, model, dtype, max_length, shard in tiny_models(len(tokenizer)):
        randomise(model)
        folder = arguments.out / name
        model.to(dtype).save_pretrained(folder, max_shard_size=shard)
        tokenizer.save_pretrained(folder)
        (folder / "generation_config.json").unlink()
        runs = [("never", requests(), score(folder, requests(), max_length, False))]
        if name.startswith("llama"):
            runs.append(("tokenizer", requests(), score(folder, requests(), max_length, True)))
        write(arguments.out / f"{name}.json", max_length, runs)
    for name, suite in (("feelings", "feelings"), ("base", "sums")):
        pairs = suite_pairs(arguments.demo / "suites" / f"{suite}.jsonl")
        results = score(arguments.demo / name, pairs, 256, False)
        write(arguments.out / f"demo-{name}-{suite}.json", 256, [("never", pairs, results)])


if __name__ == "__main__":
    main()
