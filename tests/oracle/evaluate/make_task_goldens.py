#!/usr/bin/env python3
"""Writes goldens/tasks.json: the requests that lm-evaluation-harness builds from tasks/*.yaml.

    make_task_goldens.py [OUT]      needs lm_eval 0.4.13 (with its math extras)

For every run below and every task: version, number of shots, generation settings and, item by
item, the first 16 hex digits of the SHA-256 over [requests, choices, gold, target] as compact
JSON; the first item of some runs stands there in full, so that a difference can be read. Where the
harness cannot build a task (too few documents for its examples), "fails" says so. The same files
are read by task_oracle_test.cpp, which must build the same bytes and fail on the same tasks.
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

SINGLES = sorted(
    path.stem for path in (HERE / "tasks").glob("*.yaml")
    if not path.stem.startswith(("_", "group_"))
)
SYSTEM = "Be brief."
# name -> (tasks, settings); a group run shows overrides and tags.
RUNS = {
    "plain": (SINGLES, {}),
    "shots_0": (SINGLES, {"shots": 0}),
    "shots_1": (SINGLES, {"shots": 1}),
    "shots_3": (SINGLES, {"shots": 3}),
    "shots_7": (["drill", "drill_own"], {"shots": 7}),
    "seed": (SINGLES, {"shots": 2, "seed": 987654321987}),
    "limit": (SINGLES, {"shots": 1, "limit": 2}),
    "system": (SINGLES, {"shots": 1, "system": SYSTEM}),
    "chat": (SINGLES, {"chat": True, "multiturn": True}),
    "chat_shots": (SINGLES, {"chat": True, "multiturn": True, "shots": 3, "system": SYSTEM}),
    "chat_single": (SINGLES, {"chat": True, "multiturn": False, "shots": 3}),
    "chat_single_system": (SINGLES, {"chat": True, "multiturn": False, "system": SYSTEM}),
    "groups": (["outer"], {}),
}
IN_FULL = ("shots_1", "chat_shots")


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
        context, *rest = instance.arguments
        assert instance.request_type == (
            "loglikelihood" if task.OUTPUT_TYPE == "multiple_choice" else task.OUTPUT_TYPE)
        assert instance.repeats == task.config.repeats
        if task.OUTPUT_TYPE == "generate_until":
            assert rest == [task.config.generation_kwargs]
        continuation = rest[0] if task.OUTPUT_TYPE in ("multiple_choice", "loglikelihood") else ""
        item = items.setdefault(instance.doc_id, {"doc": instance.doc, "requests": []})
        item["requests"].append([context, continuation])
    return items


def target_of(task, doc):
    """doc_to_target, for generated text as process_results of api/task.py settles it."""
    target = task.doc_to_target(doc)
    if task.OUTPUT_TYPE != "generate_until" or callable(task.config.process_results):
        return target
    if task.config.doc_to_choice is not None:
        return task.doc_to_choice(doc)[target]
    if task.multiple_target:
        return list(target)
    return target if isinstance(target, str) else str(target)


def generation_of(task):
    """The settings as the harness's models read them."""
    from lm_eval.models.utils import normalize_gen_kwargs

    if task.OUTPUT_TYPE != "generate_until":
        return None
    settings = normalize_gen_kwargs(task.config.generation_kwargs)
    # A sampled answer without a temperature of its own is drawn at 1, which transformers defaults to.
    if settings["do_sample"] and "temperature" not in task.config.generation_kwargs:
        settings["temperature"] = 1.0
    settings.setdefault("temperature", 0.0)
    return {key: settings[key] for key in ("do_sample", "until", "max_gen_toks", "temperature")}


def describe(task, settings, in_full):
    items = []
    for item in requests_of(task, settings).values():
        doc = item["doc"]
        choices = task.doc_to_choice(doc) if task.OUTPUT_TYPE == "multiple_choice" else []
        items.append([item["requests"], choices, gold_of(task, doc), target_of(task, doc)])
    texts = [json.dumps(item, separators=(",", ":"), ensure_ascii=False) for item in items]
    described = {
        "version": str(task.VERSION),
        "shots": task.config.num_fewshot,
        "alias": task.config.task_alias,
        "generation": generation_of(task),
        "config": {key: value for key, value in sorted(task.dump_config().items())
                   if key in ("output_type", "repeats", "target_delimiter", "fewshot_delimiter", "generation_kwargs")},
        "metrics": {name: task._higher_is_better[name] for name in task.aggregation()},
        "items": [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts],
    }
    if in_full:
        described["first"] = items[0]
    return described


def run(manager, tasks, settings, in_full):
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
            task.set_fewshot_seed(seed=settings.get("seed", 1234))
            try:
                result["tasks"][task_name] = describe(task, settings, in_full)
            except (AssertionError, ValueError, IndexError) as problem:
                result["tasks"][task_name] = {"fails": str(problem)}
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
        goldens[name] = {"settings": settings, **run(manager, tasks, settings, name in IN_FULL)}
    # One line a task.
    lines = []
    for name, golden in goldens.items():
        tasks = ",\n".join(f"  {json.dumps(task)}: {json.dumps(value, ensure_ascii=False)}"
                           for task, value in golden["tasks"].items())
        lines.append(f'{json.dumps(name)}: {{"settings": {json.dumps(golden["settings"])},\n'
                     f' "groups": {json.dumps(golden["groups"])},\n "tasks": {{\n{tasks}}}}}')
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
