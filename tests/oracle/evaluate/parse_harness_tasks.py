#!/usr/bin/env python3
"""Counts how many of the task files that lm-evaluation-harness ships are read here, and why the others are not.

    parse_harness_tasks.py CHECK_HARNESS_TASKS [--list]      needs lm_eval 0.4.13

CHECK_HARNESS_TASKS is the program of that name from the build folder's tests/. A file may only be refused for what
needs Python, pictures, sound or the running of generated code, for beams, or for being refused by the harness, too;
anything else makes the exit code 1. The harness's own index of names must be found, too.
"""

import collections
import json
import pathlib
import subprocess
import sys

# (what the message or path holds, reason)
REASONS = (
    ("`!function ", "a Python function without counterpart"),
    ("custom_dataset", "a data set made by Python"),
    ("tasks written in Python", "a Python class"),
    ("doc_to_image", "pictures or sound"),
    ("doc_to_audio", "pictures or sound"),
    ("unsafe_code", "runs generated code"),
    ("num_beams", "beam search"),
    ("dataset_kwargs.features", "columns retyped by the loader"),
    ("is not a metric of this task's answers", "a metric of the package evaluate"),
)
# Groups that cannot be built by the harness either, or that hold a slip.
FAULTY = {
    "flan_held_in": "`include` inside a group's member is no setting of a task (TypeError in the harness)",
    "t0_eval": "members without `task` or `group` (ValueError in the harness)",
    "score_option_order_robustness_agieval": "weight_by_size: truez",
}


def reason_of(entry, fault):
    path, message, _ = fault
    place = path.rsplit(": ", 1)[-1]
    for text, reason in REASONS:
        if text in message or text in place:
            return reason
    if entry["name"] in FAULTY or entry["name"].startswith("score_"):
        return "a slip in the file"
    return None


def main():
    import lm_eval.tasks
    from lm_eval.tasks._index import Kind, TaskIndex

    folder = pathlib.Path(lm_eval.tasks.__file__).parent
    answer = subprocess.run([sys.argv[1], str(folder)], capture_output=True, text=True, check=True)
    entries = [json.loads(line) for line in answer.stdout.splitlines()]
    index = TaskIndex.build([folder])
    wrong = []
    for kind, kinds in (("task", (Kind.TASK, Kind.PY_TASK)), ("group", (Kind.GROUP,))):
        ours = {entry["name"]: entry["faults"] for entry in entries if entry["kind"] == kind}
        theirs = {name for name, entry in index.items() if entry.kind in kinds}
        print(f"{kind}s: {len(theirs)} in the harness, {sum(not faults for faults in ours.values())} read, "
              f"{sum(bool(faults) for faults in ours.values())} refused")
        wrong += [f"{kind} {name}: not found" for name in sorted(theirs - set(ours))]
        wrong += [f"{kind} {name}: not in the harness" for name in sorted(set(ours) - theirs)]
    counts, functions = collections.Counter(), collections.Counter()
    for entry in entries:
        reasons = {reason_of(entry, fault) for fault in entry["faults"]}
        counts.update(reasons - {None})
        if None in reasons:
            bad = next(fault for fault in entry["faults"] if reason_of(entry, fault) is None)
            wrong.append(f"{entry['kind']} {entry['name']}: {bad}")
        for path in {f[1].split("`")[1].split("/tasks/", 1)[-1] for f in entry["faults"] if "`!function " in f[1]}:
            functions[path] += 1
    for reason, count in counts.most_common():
        print(f"{count:6} refused for {reason}")
    if "--list" in sys.argv:
        for path, count in functions.most_common():
            print(f"{count:6} {path}")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
