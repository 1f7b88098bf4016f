#!/usr/bin/env python3
"""Compares the requests of `crucible eval` with those that others build from the same data.

    crucible eval MODEL --tasks T,... --datasets DATASETS --out OUT --limit 20
    compare_prompts.py OUT DATASETS UPSTREAM [MODEL]    needs lm_eval 0.4.13, numpy and yaml

Every samples_*.jsonl below OUT is read. A task that lm-eval has by the same name is built by it, from
the files below DATASETS; the prompts of harness b281b092 (v03_*), of the Nous fork (bigbench_*) and
of AGIEval's authors (agieval_original_*) are built here by the rules of their sources, the latter two
from the authors' own files below UPSTREAM/bigbench_nous and UPSTREAM/agieval/v1. Exit
status 1 when a request differs. With MODEL, prompts went through its chat template with examples as
turns (--apply-chat-template), which needs transformers, too.
"""

import collections
import json
import pathlib
import random
import re
import sys
import tempfile

import datasets
import numpy as np
import yaml
from lm_eval.tasks import TaskManager

DATASETS, UPSTREAM = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
TRUTHFULQA = (pathlib.Path(__file__).resolve().parents[3]
              / "evaluator/task/data/truthfulqa/truthfulqa_mc1.yaml")


def rows(path, name, split):
    folder = DATASETS / path / (name or "")
    for file in sorted(folder.glob(f"{split}*.jsonl")):
        return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
    return None


class Splits(datasets.DatasetDict):
    def __getitem__(self, split):  # a split that is named and not used need not be there
        return super().__getitem__(split if split in self else next(iter(self)))


def load_dataset(path, name=None, **_):
    folder = DATASETS / path / (name or "")
    files = {file.stem: str(file) for file in folder.glob("*.jsonl")}
    # From files, so that what is made of rows at random (GPQA's options) is made once and kept.
    return Splits(load_files("json", data_files=files, cache_dir=CACHE.name))


CACHE = tempfile.TemporaryDirectory()
load_files, datasets.load_dataset = datasets.load_dataset, load_dataset


def chat_settings(model):
    from transformers import PreTrainedTokenizerFast
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)

    def render(messages, add_generation_prompt=True):
        return tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt)
    return {"apply_chat_template": True, "fewshot_as_multiturn": True, "chat_template": render,
            "tokenizer_name": str(model)}


CHAT = chat_settings(sys.argv[4]) if len(sys.argv) > 4 else {}


def by_harness(manager, name, limit):
    # As the harness does before it reads tasks: GPQA's three shuffle their options one after the other.
    random.seed(0)
    group = "leaderboard_gpqa" if name.startswith("leaderboard_gpqa_") else name
    task = manager.load([group])["tasks"][name]
    task.set_fewshot_seed(1234)
    task.build_all_requests(limit=limit, rank=0, world_size=1, **CHAT)
    items = collections.defaultdict(list)
    for instance in task.instances:
        items[instance.doc_id].append(instance.args)
    return [items[key] for key in sorted(items)]


def hellaswag(text):
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return text.replace("  ", " ")


# --- lm-evaluation-harness b281b092 (lm_eval/base.py, evaluator.py; MIT): documents shuffled by
# Random(42), shots drawn by the same generator.
def by_v03(name, limit):
    draws = random.Random(42)
    if name == "v03_gsm8k":
        documents, pool = rows("openai/gsm8k", "main", "test"), rows("openai/gsm8k", "main", "train")
        text = lambda d: "Question: " + d["question"] + "\nAnswer:"
        target = lambda d: " " + d["answer"]
        requests = lambda d, context: [(context, [":", "Question:", "Question"])]
        shots, description = (lambda: draws.sample(pool, 5)), ""
    elif name == "v03_truthfulqa_mc2":
        prompt = yaml.safe_load(TRUTHFULQA.read_text())["doc_to_text"]
        documents = rows("truthfulqa/truthful_qa", "multiple_choice", "validation")
        text = lambda d: prompt.replace("{{question}}", d["question"])
        requests = lambda d, context: [(context, " " + c) for c in d["mc2_targets"]["choices"]]
        target, shots, description = None, (lambda: []), ""
    elif name.startswith("v03_mmlu_"):
        subject = name.removeprefix("v03_mmlu_")
        documents, pool = rows("cais/mmlu", subject, "test"), rows("cais/mmlu", subject, "dev")
        text = lambda d: d["question"].strip() + "\n" + "".join(
            f"{letter}. {choice}\n" for letter, choice in zip("ABCD", d["choices"])) + "Answer:"
        target = lambda d: " " + "ABCD"[d["answer"]]
        requests = lambda d, context: [(context, f" {letter}") for letter in "ABCD"]
        shots = lambda: pool[:5]
        description = ("The following are multiple choice questions (with answers) about "
                       + subject.replace("_", " ") + ".\n\n")
    elif name == "v03_arc_challenge":
        documents, pool = (rows("allenai/ai2_arc", "ARC-Challenge", split) for split in ("test", "train"))
        text = lambda d: "Question: " + d["question"] + "\nAnswer:"
        target = lambda d: " " + d["choices"]["text"][d["choices"]["label"].index(d["answerKey"])]
        requests = lambda d, context: [(context, " " + choice) for choice in d["choices"]["text"]]
        shots, description = (lambda: draws.sample(pool, 25)), ""
    elif name == "v03_hellaswag":
        documents, pool = (rows("Rowan/hellaswag", "", split) for split in ("validation", "train"))
        text = lambda d: hellaswag(d["activity_label"] + ": " + d["ctx_a"] + " " + d["ctx_b"].capitalize())
        target = lambda d: " " + hellaswag(d["endings"][int(d["label"])])
        requests = lambda d, context: [(context, " " + hellaswag(ending)) for ending in d["endings"]]
        shots, description = (lambda: draws.sample(pool, 10)), ""
    elif name == "v03_winogrande":
        documents, pool = (
            rows("allenai/winogrande", "winogrande_xl", split) for split in ("validation", "train"))
        before = lambda d, option: d["sentence"][:d["sentence"].index("_")] + option
        text = lambda d: before(d, d["option" + d["answer"]])
        target = lambda d: " " + d["sentence"][d["sentence"].index("_") + 1:].strip()
        requests = lambda d, context: [
            ("\n\n".join([*context.split("\n\n")[:-1], before(d, option)]), target(d))
            for option in (d["option1"], d["option2"])]
        shots, description = (lambda: draws.sample(pool, 5)), ""
    else:
        return None
    draws.shuffle(documents)
    built = []
    for document in documents[:limit]:
        examples = "".join(text(d) + target(d) + "\n\n" for d in shots())
        built.append(requests(document, description + examples + text(document)))
    return built


# --- The Nous fork (dmahan93/lm-evaluation-harness, branch add-agieval, lm_eval/tasks/bigbench.py;
# MIT), from its own files' rows as they were imported.
def by_nous(name, folder, limit):
    [file] = folder.rglob(name.removeprefix("bigbench_") + ".json")
    task = json.loads(file.read_text("utf-8"))
    built, seen = [], []
    for example in task["examples"]:
        if example in seen:
            continue
        seen.append(example)
        choices = sorted(example["target_scores"])
        order = np.random.RandomState(seed=42).permutation(len(choices))
        context = task.get("task_prefix", "") + task.get("example_input_prefix", "\nQ: ") + example["input"]
        if task.get("append_choices_to_input", True):
            prefix = task.get("choice_prefix", "\n  choice: ")
            context += "".join(prefix + choices[place] for place in order)
        context += task.get("example_output_prefix", "\nA: ")
        built.append([(context, choice) for choice in example["target_scores"]])
        if len(built) == limit:
            break
    return built


# --- AGIEval's authors (ruixiangcui/AGIEval, src/dataset_loader.py; MIT), zero-shot.
def by_agieval(name, folder, limit):
    file = folder / (name.removeprefix("agieval_original_").replace("_", "-") + ".jsonl")
    built = []
    for line in file.read_text("utf-8").split("\n")[:limit]:
        item = json.loads(line)
        last = "ABCDEFG"[len(item["options"]) - 1]
        built.append([((item["passage"] or "") + "Q: " + item["question"] + " Answer Choices: "
                       + " ".join(item["options"]) + "\nA: Among A through " + last
                       + ", the answer is", None)])
    return built


def ours(file):
    items = {}
    for line in file.read_text("utf-8").split("\n"):
        if not line:
            continue
        sample = json.loads(line)
        if sample["doc_id"] in items:
            continue  # another filter
        arguments = sample["arguments"]
        items[sample["doc_id"]] = [
            (arguments[key]["arg_0"], arguments[key].get("arg_1")) for key in sorted(
                arguments, key=lambda key: int(key.rsplit("_", 1)[1]))]
    return list(items.values())


def same(own, other):
    if own[0] != other[0]:
        return False
    if len(other) == 1 or other[1] is None:
        return True
    if isinstance(own[1], dict):
        stops = own[1].get("until", [])
        if isinstance(other[1], list):
            return stops == other[1]
        keys = set(other[1]) & {"until", "max_gen_toks", "do_sample", "temperature"}
        return all(own[1].get(key) == other[1][key] for key in keys)
    return own[1] == other[1]


def main():
    manager = TaskManager()
    differing = 0
    newest = {}
    for file in sorted(pathlib.Path(sys.argv[1]).glob("**/samples_*.jsonl")):
        newest[re.match(r"samples_(.*)_\d{4}-", file.name).group(1)] = file
    compared = collections.Counter()
    for name, file in newest.items():
        own = ours(file)
        limit = len(own)
        other, source = by_v03(name, limit), "v03"
        if other is None and name.startswith("bigbench_"):
            other, source = by_nous(name, UPSTREAM / "bigbench_nous", limit), "nous"
        if other is None and name.startswith("agieval_original_"):
            other, source = by_agieval(name, UPSTREAM / "agieval/v1", limit), "agieval"
        if other is None:
            if name not in manager.all_tasks:
                print("nobody to compare with:", name)
                continue
            other, source = by_harness(manager, name, limit), "lm-eval"
        equal = len(own) == len(other) and all(
            len(a) == len(b) and all(map(same, a, b)) for a, b in zip(own, other))
        compared[source] += 1
        if equal:
            continue
        differing += 1
        for a, b in zip(own, other):
            pairs = [(x, y) for x, y in zip(a, b) if not same(x, y)]
            if len(a) != len(b) or pairs:
                print(f"{name} ({source}) differs: {len(a)} and {len(b)} requests\n"
                      f"  here:  {pairs[0][0] if pairs else ''!r}\n"
                      f"  there: {pairs[0][1] if pairs else ''!r}")
                break
        else:
            print(f"{name} ({source}): {len(own)} and {len(other)} items")
    print(dict(compared), "tasks compared,", differing, "differ")
    return 1 if differing or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
