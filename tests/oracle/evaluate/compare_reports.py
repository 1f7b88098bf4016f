#!/usr/bin/env python3
"""Loads report folders of `crucible eval --out` by lm-evaluation-harness's own code.

    python compare_reports.py OUT [--harness HARNESS_OUT]
    python compare_reports.py OUT --run BINARY MODEL --include-path FOLDER --tasks a,b [--num-fewshot N]

Checks that the harness's file name functions find the files, that its table functions print them, that
the samples' hashes make up the task hash, that a metric's mean over the samples is the one in the
results, and that `datasets` loads the samples. With --harness, the folder that the harness wrote for
the same model and tasks with --log_samples, each line is also held against its own: the same keys and
types, documents, prompts, targets and predictions; log-likelihoods within 1e-4 or 1e-3 of their size.
--run makes both first, in OUT/crucible and OUT/harness. Needs lm-eval 0.4.13 and datasets. Exit status
1 where anything differs.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
from lm_eval import utils  # noqa: E402
from lm_eval.result_schema import EvalResults  # noqa: E402

# What describes a machine rather than an evaluation.
NOT_OURS = {"pretty_env_info", "transformers_version", "lm_eval_version", "upper_git_hash",
            "tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token", "eot_token_id", "groups"}


class Checks:
    def __init__(self):
        self.count = 0
        self.failed = []

    def __call__(self, good, what):
        self.count += 1
        if not good:
            self.failed.append(what)
            print("DIFFERENT", what, flush=True)


def load(folder, check):
    """The latest results and samples by task, found as the harness's loaders find them."""
    names = [str(path) for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    results_file = utils.get_latest_filename(utils.get_results_filenames(names))
    results = json.loads(pathlib.Path(results_file).read_text(encoding="utf-8"))
    stamp = utils.get_file_datetime(pathlib.Path(results_file).name).removesuffix(".json")
    samples = {}
    for name in utils.get_sample_results_filenames(names):
        file = pathlib.Path(name).name
        if utils.get_file_datetime(file) != stamp:
            continue
        with open(name, encoding="utf-8") as lines:
            samples[utils.get_file_task_name(file)] = [json.loads(line) for line in lines]
        check_datasets(name, samples[utils.get_file_task_name(file)], check)
    return results, samples


def check_datasets(name, lines, check):
    from datasets import load_dataset

    table = load_dataset("json", data_files=name, split="train")
    check(table.num_rows == len(lines), f"datasets loads {name}")


def check_own(results, samples, check):
    for key in EvalResults.__annotations__:
        if key not in NOT_OURS and key != "samples":
            check(key in results, f"results have {key}")
    table = utils.make_table(results)
    print(table)
    if "groups" in results:
        print(utils.make_table(results, "groups"))
    check(set(samples) == set(results["configs"]), "one samples file a task")
    for task, lines in samples.items():
        check(task in table or results["results"][task]["alias"] in table, f"{task} is in the table")
        hashes = "".join(line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines)
        check(utils.hash_string(hashes) == results["task_hashes"][task], f"task hash of {task}")
        check(results["n-samples"][task]["effective"] == len({line["doc_id"] for line in lines}),
              f"items of {task}")
        check_means(results["results"][task], task, lines, check)


def check_means(scores, task, lines, check):
    """Metrics of one number an item whose aggregate is their mean."""
    for key, value in scores.items():
        metric, _, filter_name = key.partition(",")
        if not filter_name or metric.endswith("_stderr") or metric not in ("acc", "acc_norm", "exact_match"):
            continue
        own = [line[metric] for line in lines if line["filter"] == filter_name and metric in line]
        check(math.isclose(sum(own) / len(own), value, abs_tol=1e-12), f"{task} {key} is the samples' mean")


def close(left, right):
    """Of two texts that may be log-likelihoods."""
    if left == right:
        return True
    try:
        a, b = float(left), float(right)
    except ValueError:
        return False
    return abs(a - b) <= max(1e-4, 1e-3 * abs(b))


def same(ours, theirs):
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, str):
        return isinstance(ours, str) and close(ours, theirs)
    if isinstance(theirs, (int, float)):
        return isinstance(ours, (int, float)) and math.isclose(ours, theirs, rel_tol=1e-3, abs_tol=1e-4)
    return ours == theirs


def check_lines(task, ours, theirs, check):
    check(len(ours) == len(theirs), f"{task}: {len(ours)} lines, the harness has {len(theirs)}")
    for own, line in zip(sorted(ours, key=place), sorted(theirs, key=place)):
        where = f"{task} {line['doc_id']} {line['filter']}"
        check(set(line) <= set(own), f"{where}: keys {sorted(set(line) - set(own))} are missing")
        for key, value in line.items():
            if key == "metrics":
                check(sorted(own[key]) == sorted(value), f"{where} metrics {own[key]}, not {value}")
            elif key == "arguments":
                check([list(a.values())[:1] for a in own[key].values()]
                      == [list(a.values())[:1] for a in value.values()], f"{where} prompts")
            elif key in own:
                check(same(own[key], value), f"{where} {key}: {own[key]!r:.200}, not {value!r:.200}")


def place(line):
    return line["doc_id"], line["filter"]


def check_against(results, samples, harness, check):
    their_results, their_samples = load(harness, check)
    check(set(samples) == set(their_samples), f"tasks {sorted(samples)} and {sorted(their_samples)}")
    for task, scores in their_results["results"].items():
        own = results["results"].get(task, {})
        check(set(scores) == set(own), f"{task}: keys {sorted(set(scores) ^ set(own))}")
        for key, value in scores.items():
            check(key in own and same(own[key], value), f"{task} {key}: {own.get(key)}, not {value}")
    for key in ("versions", "n-shot", "n-samples", "group_subtasks"):
        check(results[key] == their_results[key], f"{key}: {results[key]}, not {their_results[key]}")
    for task, directions in their_results["higher_is_better"].items():  # theirs are of the listed metrics only
        check(directions.items() <= results["higher_is_better"][task].items(), f"{task} higher_is_better")
    for task, lines in their_samples.items():
        check_lines(task, samples.get(task, []), lines, check)
        check(results["task_hashes"].get(task) == their_results["task_hashes"][task], f"{task} task hash")


def run_both(arguments):
    binary, model = arguments.run
    shots = ["--num_fewshot", str(arguments.num_fewshot)] if arguments.num_fewshot is not None else []
    common = ["--tasks", arguments.tasks, *shots, *arguments.pass_on]
    ours, theirs = arguments.out / "crucible", arguments.out / "harness"
    folder = arguments.include_path.resolve()
    subprocess.run([binary, "eval", model, *common, "--include-path", folder, "--no-cache", "--out",
                    ours.resolve()], check=True, cwd=folder)
    subprocess.run([sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args",
                    f"pretrained={model},dtype=float32", *common, "--include_path", folder, "--log_samples",
                    "--output_path", theirs.resolve(), "--batch_size", "1", "--device", "cpu"],
                   check=True, cwd=folder)
    arguments.out, arguments.harness = ours, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--harness", type=pathlib.Path)
    parser.add_argument("--run", nargs=2, metavar=("BINARY", "MODEL"))
    parser.add_argument("--include-path", type=pathlib.Path)
    parser.add_argument("--tasks")
    parser.add_argument("--num-fewshot", type=int)
    parser.add_argument("--pass-on", nargs="*", default=[], help="further flags that both have")
    arguments = parser.parse_args()
    if arguments.run:
        run_both(arguments)
    check = Checks()
    results, samples = load(arguments.out, check)
    check_own(results, samples, check)
    if arguments.harness:
        check_against(results, samples, arguments.harness, check)
    print(f"{check.count - len(check.failed)} checks held, {len(check.failed)} did not")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
