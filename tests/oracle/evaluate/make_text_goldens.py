#!/usr/bin/env python3
"""Makes the reference values for whole texts and generated ones: lm-evaluation-harness 0.4.13 (HFLM) on
transformers in float32.

    make_text_goldens.py DEMO_FAMILY GOLDENS

GOLDENS holds the tiny checkpoints that make_goldens.py writes; GOLDENS/text-<model>.json gets the rolling
log-likelihoods and the greedy answers of one model. Needs torch, transformers and lm_eval; the tests need only
what it writes.
"""
import argparse
import json
import pathlib

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedTokenizerFast

FOX = "The quick brown fox jumps over the lazy dog, 12 times or 345 times. "
WORLD = "Éléphants, œufs und Straßen: 数学 и наука — 🙂. "
TEXTS = ["", "a", " x\n\n", "The quick brown fox", "Question: What is the capital of France?\nAnswer: Paris", WORLD,
         FOX * 20, WORLD * 30, "<s>The quick", "数学 — 🙂"]
# Stop strings: none, usual ones, parts of words, a character of several bytes, a spelled special token, two that
# overlap.
STOPS = [[], ["\n\n"], [".", "\n"], ["o", "th"], ["數", "\ufffd"], ["</s>", "Question:"], ["he", "the"], [","]]
PROMPTS = ["The quick", "Question: Which animal barks?\nAnswer:", "数学 — 🙂", "<s>Answer:", FOX * 20]


def prompts_of(demo: pathlib.Path, name: str) -> list[str]:
    if name not in ("base", "sums", "words", "feelings"):
        return PROMPTS
    prompts = []
    for suite in ("sums", "words", "feelings"):
        lines = (demo / "suites" / f"{suite}.jsonl").read_text().splitlines()
        prompts += [json.loads(line)["query"] for line in lines[:3]]
    return prompts


def score(folder: pathlib.Path, max_length: int, bos: bool, prompts: list[str]):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    harness = HFLM(pretrained=str(folder), tokenizer=tokenizer, dtype="float32", device="cpu", batch_size=1,
                   max_length=max_length, add_bos_token=bos)

    def ask(kind, method, arguments):
        instances = [Instance(request_type=kind, doc={}, arguments=one, idx=i) for i, one in enumerate(arguments)]
        return method(instances, disable_tqdm=True)

    rolling = ask("loglikelihood_rolling", harness.loglikelihood_rolling, [(text,) for text in TEXTS])
    asked = [(prompt, {"until": stops, "max_gen_toks": 4 + 9 * i, "do_sample": False})
             for prompt in prompts for i, stops in enumerate(STOPS)]
    answers = ask("generate_until", harness.generate_until, [(p, dict(k, until=list(k["until"]))) for p, k in asked])
    return {"max_length": max_length, "bos": "tokenizer" if bos else "never",
            "rolling": [{"text": text, "logprob": value} for text, value in zip(TEXTS, rolling)],
            "generation": [{"context": prompt, "until": kwargs["until"], "max_new_tokens": kwargs["max_gen_toks"],
                            "text": answer} for (prompt, kwargs), answer in zip(asked, answers)]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("demo", type=pathlib.Path)
    parser.add_argument("goldens", type=pathlib.Path)
    arguments = parser.parse_args()
    runs = [("llama-llama3-rope", arguments.goldens, 256, True), ("llama-biases-linear-rope", arguments.goldens, 128, False),
            ("mistral", arguments.goldens, 96, False), ("qwen2-tied", arguments.goldens, 256, True)]
    runs += [(name, arguments.demo, 256, False) for name in ("base", "sums", "words", "feelings")]
    for name, parent, max_length, bos in runs:
        result = score(parent / name, max_length, bos, prompts_of(arguments.demo, name))
        (arguments.goldens / f"text-{name}.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
        print(name, len(result["generation"]), "answers")


if __name__ == "__main__":
    main()
