#!/usr/bin/env python3
"""Writes goldens/tasks.json: the requests that lm-evaluation-harness builds from tasks/*.yaml.

    make_task_goldens.py [OUT]      needs lm_eval 0.4.13 (with its math extras)

For every run below and every task: version, number of shots and, item by item, the first 16 hex
digits of the SHA-256 of its requests as compact JSON, the gold and the target. The same files are
read by task_oracle_test.cpp, which must build the same bytes.
"""

import hashlib
import json
import os
import pathlib
import random
import sys
import tempfile
import types

HERE = pathlib.Path(__file__).resolve().parent

# name -> (tasks, settings); a group run shows overrides and tags.
SINGLES = sorted(
    path.stem for path in (HERE / "tasks").glob("*.yaml")
    if not path.stem.startswith(("_", "group_"))
)
RUNS = {
    "plain": (SINGLES, {}),
    "two_shots": (["quiz", "quiz_mutual", "blank", "sums", "last_word", "scenes"], {"shots": 2}),
    "limit": (["quiz", "sums"], {"limit": 2}),
    "system": (["quiz", "quiz_letters", "sums_prefix", "blank"], {"system": "Be brief."}),
    "chat": (SINGLES, {"chat": True, "multiturn": True}),
    "chat_single": (
        ["quiz", "quiz_letters", "quiz_prefix", "quiz_mutual", "blank", "sums", "sums_prefix", "sums_no_answer"],
        {"chat": True, "multiturn": False, "system": "Be brief."},
    ),
    "groups": (["outer"], {}),
}


def chat_template(messages, add_generation_prompt=True):
    """A template that shows roles, ends and the open last message; known to the test, too."""
    text = ""
    for i, message in enumerate(messages):
        text += f"<|{message['role']}|>{message['content']}"
        if add_generation_prompt or i + 1 < len(messages):
            text += "<|end|>"
    return text + ("<|assistant|>" if add_generation_prompt else "")


def gold_of(task, doc):
    """The right choices as process_results of api/task.py finds them."""
    if task.OUTPUT_TYPE != "multiple_choice":
        return []
    choices = task.doc_to_choice(doc)
    gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    found = []
    for value in gold if isinstance(gold, list) else [gold]:
        if isinstance(value, str):
            value = choices.index(value) if value in choices else -100
        if 0 <= value < len(choices):
            found.append(int(value))
    return sorted(set(found))


def requests_of(task, settings):
    task.build_all_requests(
        limit=settings.get("limit"),
        rank=0,
        world_size=1,
        system_instruction=settings.get("system"),
        apply_chat_template=settings.get("chat", False),
        fewshot_as_multiturn=settings.get("multiturn", False),
        chat_template=chat_template if settings.get("chat") else None,
    )
    items = {}
    for instance in task.instances:
        arguments = list(instance.arguments)
        if task.OUTPUT_TYPE == "generate_until":
            arguments = [arguments[0], ""]
        if task.OUTPUT_TYPE == "loglikelihood_rolling":
            arguments = [arguments[0], ""]
        items.setdefault(instance.doc_id, {"doc": instance.doc, "requests": []})["requests"].append(arguments)
    return items


def describe(task, settings):
    items = []
    for item in requests_of(task, settings).values():
        text = json.dumps(item["requests"], separators=(",", ":"))
        items.append({
            "requests": hashlib.sha256(text.encode()).hexdigest()[:16],
            "gold": gold_of(task, item["doc"]),
            "target": task.doc_to_target(item["doc"]),
            "first": item["requests"][0],
        })
    return {
        "version": str(task.VERSION),
        "shots": task.config.num_fewshot,
        "alias": task.config.task_alias,
        "config": {key: value for key, value in sorted(task.dump_config().items())
                   if key in ("output_type", "repeats", "target_delimiter", "fewshot_delimiter", "generation_kwargs")},
        "metrics": {name: task._higher_is_better[name] for name in task.aggregation()},
        "items": items,
    }


def run(manager, tasks, settings):
    result = {"tasks": {}, "groups": {}}
    for name in tasks:
        random.seed(0)
        loaded = manager.load([name])
        for task_name, task in loaded["tasks"].items():
            shots = settings.get("shots")
            if shots is not None and task.get_config("num_fewshot") != 0:
                task.set_config(key="num_fewshot", value=shots)
            if task.get_config("num_fewshot") is None:
                task.set_config(key="num_fewshot", value=0)
            task.set_fewshot_seed(seed=1234)
            result["tasks"][task_name] = describe(task, settings)
        for group_name, group in loaded.get("groups", {}).items():
            result["groups"][group_name] = {
                "alias": group.alias or group_name, "version": group.version, "members": group.child_names,
            }
    return result


def main():
    out = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE / "goldens" / "tasks.json"
    os.chdir(HERE / "tasks")
    os.environ["HF_DATASETS_OFFLINE"] = "1"
    # A fresh cache: process_docs that draw at random run once, and later calls see the same rows.
    os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()
    for name in ("transformers.data.metrics", "transformers.data.metrics.squad_metrics"):
        # Some task folders import metrics that transformers 5 no longer has; prompts need none.
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["transformers.data.metrics"].squad_metrics = sys.modules["transformers.data.metrics.squad_metrics"]
    import datasets
    from lm_eval.tasks import TaskManager

    datasets.disable_progress_bars()
    manager = TaskManager(include_path=str(HERE / "tasks"), include_defaults=False)
    goldens = {}
    for name, (tasks, settings) in RUNS.items():
        goldens[name] = {"settings": settings, **run(manager, tasks, settings)}
    # Worked examples of every kind in full, so that a difference can be read; elsewhere hashes.
    for name, golden in goldens.items():
        for task in golden["tasks"].values():
            for item in task["items"][1 if name in ("plain", "chat") else 0:]:
                del item["first"]
    out.write_text(json.dumps(goldens, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
