#!/usr/bin/env python3
"""Holds `crucible eval` against lm-evaluation-harness 0.4.13 (hf, float32, cpu) on many models and tasks.

    compare_models.py BINARY OUT [--tasks a,b] [--limit N] [MODEL…]

MODEL are folders; without any, the demo family and the tiny random model of every architecture in goldens/. The
tasks are those of the folder tasks/, all output types among them. Each model is loaded once by the harness. For
every item: the same documents, prompts, targets and predictions, log-likelihoods within 1e-4 or 1e-3 of their size
(compare_reports.py). The harness gets the engine's context length, which ends where a sliding window or the second
set of longrope factors begins. Models whose class this transformers lacks are named and left out: their goldens were made by
other means. Needs torch, transformers, lm_eval. Exit status 1 where anything differs.
"""

import argparse
import contextlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
import yaml  # noqa: E402
from compare_reports import Checks, check_against, check_own, load  # noqa: E402
from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.loggers import EvaluationTracker  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
FAMILY = HERE.parents[2] / "deploy" / "demo-family"
TASKS = ("quiz,quiz_letters,quiz_mutual,facts_mc2,passages,blank,articles,pairs,logic,scenes,last_word,pages,"
         "sums_samples,sums_short,counts_short,problems_short")
# Answers of the default length, 256 tokens, do not fit these models' contexts.
SHORT = {"sums_short": "sums", "counts_short": "counts", "problems_short": "problems_plain"}
SHORT_TOKENS = 24
NOT_IN_TRANSFORMERS = ("internlm2", "exaone", "deepseek")  # as model folders of transformers 5


def default_models():
    yield from (FAMILY / name for name in ("base", "sums", "words", "feelings"))
    for config in sorted((HERE / "goldens").glob("*/config.json")):
        yield config.parent


def make_tasks(folder):
    """The tasks of tasks/, and some of them again with short answers."""
    shutil.copytree(HERE / "tasks", folder, dirs_exist_ok=True)
    for name, of in SHORT.items():
        text = (folder / f"{of}.yaml").read_text()
        kwargs = {**(yaml.safe_load(re.sub("!function", "", text)).get("generation_kwargs") or {"until": ["\n"]}),
                  "max_gen_toks": SHORT_TOKENS}
        (folder / f"{name}.yaml").write_text(f"include: {of}.yaml\ntask: {name}\n"
                                             + yaml.safe_dump({"generation_kwargs": kwargs}))
    return folder


def harness(model, tasks, limit, out, max_length):
    # The model's own tokenizer.json: for qwen2, transformers 5 puts rules of its own in the place of the file's.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    lm = HFLM(pretrained=str(model), tokenizer=tokenizer, dtype="float32", device="cpu", batch_size=1,
              max_length=max_length)
    tracker = EvaluationTracker(output_path=str(out))
    results = simple_evaluate(lm, tasks=tasks, limit=limit, log_samples=True,
                              task_manager=TaskManager(include_path=str(pathlib.Path.cwd()), include_defaults=False))
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in results["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])


def compare(binary, model, arguments):
    out = arguments.out / model.name
    limit = ["--limit", str(arguments.limit)] if arguments.limit else []
    subprocess.run([binary, "eval", model, "--tasks", arguments.tasks, *limit, "--include-path", arguments.out / "tasks",
                    "--no-cache", "--out", out / "crucible"], check=True, cwd=arguments.out / "tasks",
                   stdout=subprocess.DEVNULL)
    check = Checks()
    results, samples = load(out / "crucible", check)
    harness(model, arguments.tasks.split(","), arguments.limit, out / "harness", results["max_length"])
    with contextlib.redirect_stdout(io.StringIO()):
        check_own(results, samples, check)
    check_against(results, samples, out / "harness", check)
    lines = sum(map(len, samples.values()))
    print(f"{model.name}: {len(samples)} tasks, {lines} samples, {check.count - len(check.failed)} checks held, "
          f"{len(check.failed)} did not", flush=True)
    return len(check.failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    torch.set_num_threads(1)
    binary, failed = arguments.binary.resolve(), 0
    models = [model.resolve() for model in arguments.models or default_models()]
    os.chdir(make_tasks(arguments.out / "tasks"))
    for model in models:
        if model.name.startswith(NOT_IN_TRANSFORMERS):
            print(f"{model.name}: no such class in transformers, held against its golden only")
            continue
        failed += compare(binary, model, arguments)
    print("nothing differs" if failed == 0 else f"{failed} checks did not hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
