#!/usr/bin/env python3
"""Times a sweep whose merges stay in memory against merging, writing, loading and evaluating each of them.

    bench_trials.py --crucible build/release/crucible                     # the demo family
    make_models.py FOLDER --size small
    bench_trials.py --crucible build/release/crucible --models FOLDER/small --items 2

Both ways evaluate the same recipes, one after the other in the same run:

- `written`: `crucible merge` into a folder, `crucible eval` of it, for every point; the folder is removed again.
- `in memory`: one `crucible eval --recipe ... --recipe ...` of all points, then `crucible merge` of the best one.

Two sweeps: `all`, where the parameter changes every tensor, and `attention`, where it changes the attention's
only. Times are whole processes, from start to exit, inputs in the page cache. Bytes written are those of the
processes and their children as the kernel counts them (write_bytes of /proc/PID/io), beside the sizes of the model
folders. Scores are compared answer by answer: every log-likelihood must be the same number.

Models without a tokenizer get the demo family's. Exit code 1 when scores differ or a target is missed: in memory
at most 0.5 times the time, at most two models' bytes written.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
FAMILY = HERE.parent.parent / "deploy" / "demo-family"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")
TIME_LIMIT = 0.5
MODELS_LIMIT = 2
SLACK = 8 << 20  # of small files and file system blocks


def recipe_of(method, names, sweep, value):
    varied = value if sweep == "all" else [{"filter": "self_attn", "value": value}, {"value": 0.5}]
    if method == "slerp":
        recipe = {"merge_method": "slerp", "base_model": names[1],
                  "models": [{"model": names[1]}, {"model": names[2]}], "parameters": {"t": varied}}
    else:
        recipe = {"merge_method": "task_arithmetic", "base_model": names[0],
                  "models": [{"model": name, "parameters": {"weight": varied}} for name in names[1:3]]}
    return json.dumps({**recipe, "dtype": "bfloat16"}, indent=1)  # JSON is YAML


class Run:
    """One process from start to exit: seconds, bytes that it had written to disk, output."""

    def __init__(self, command):
        start = time.monotonic()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=err)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its counters are still there
            self.seconds = time.monotonic() - start
            counters = pathlib.Path(f"/proc/{process.pid}/io").read_text().split()
            self.written = int(counters[counters.index("write_bytes:") + 1])
            code = process.wait()
            out.seek(0)
            err.seek(0)
            self.out = out.read()
            if code != 0:
                sys.exit(f"{' '.join(map(str, command))} failed:\n{err.read()}")


def folder_bytes(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def answers(folder):
    """Every answer of the samples files below a folder, in their order."""
    lines = []
    for file in sorted(folder.rglob("samples_*.jsonl")):
        lines += [json.loads(line)["resps"] for line in file.read_text().splitlines()]
    return lines


def scores(run):
    return [item["score"] for item in json.loads(run.out)["items"]]


def written_way(tool, recipes, suite, scratch, flags):
    total = {"seconds": 0.0, "merge": 0.0, "written": 0, "models": 0, "scores": [], "answers": []}
    for recipe in recipes:
        model, out = scratch / "model", scratch / "written" / recipe.stem
        merge = Run([tool, "merge", recipe, model])
        evaluation = Run([tool, "eval", model, "--suite", suite, "--no-cache", "--json", "--out", out, *flags])
        total["seconds"] += merge.seconds + evaluation.seconds
        total["merge"] += merge.seconds
        total["written"] += merge.written + evaluation.written
        total["models"] += folder_bytes(model)
        total["scores"] += scores(evaluation)
        total["answers"].append(answers(out))
        shutil.rmtree(model)
    return total


def memory_way(tool, recipes, suite, scratch, flags):
    out = scratch / "memory"
    words = [word for recipe in recipes for word in ("--recipe", recipe)]
    sweep = Run([tool, "eval", *words, "--suite", suite, "--no-cache", "--json", "--out", out, *flags])
    found = scores(sweep)
    best = recipes[max(range(len(found)), key=lambda i: found[i])]
    winner = Run([tool, "merge", best, scratch / "winner"])
    models = folder_bytes(scratch / "winner")
    shutil.rmtree(scratch / "winner")
    by_name = {}
    for file in sorted(out.rglob("samples_*.jsonl")):
        by_name.setdefault(file.parent, []).extend(
            json.loads(line)["resps"] for line in file.read_text().splitlines())
    return {"seconds": sweep.seconds + winner.seconds, "winner": winner.seconds,
            "written": sweep.written + winner.written, "models": models, "scores": found,
            "answers": [by_name[folder] for folder in sorted(by_name)]}


def warm(folders):
    for folder in folders:
        for file in folder.glob("*.safetensors"):
            with file.open("rb") as data:
                while data.read(1 << 24):
                    pass


def measure(arguments, sweep, folders, suite, scratch):
    recipes = []
    for number in range(arguments.points):
        value = round((number + 0.5) / arguments.points, 4)
        recipe = scratch / f"{sweep}-{number:03}.yml"
        recipe.write_text(recipe_of(arguments.method, [str(folder) for folder in folders], sweep, value))
        recipes.append(recipe)
    flags = ["--limit", arguments.items] + (["--threads", arguments.threads] if arguments.threads else [])
    warm(folders)
    slow = written_way(arguments.crucible, recipes, suite, scratch, flags)
    fast = memory_way(arguments.crucible, recipes, suite, scratch, flags + ["--keep-tensors", arguments.keep])
    shutil.rmtree(scratch / "written")
    shutil.rmtree(scratch / "memory")
    model = slow["models"] / len(recipes)
    same = slow["scores"] == fast["scores"] and slow["answers"] == fast["answers"] and any(slow["answers"])
    ratio = fast["seconds"] / slow["seconds"]
    row = {"sweep": sweep, "points": len(recipes), "model_bytes": model, "written_seconds": slow["seconds"],
           "merge_seconds": slow["merge"], "memory_seconds": fast["seconds"], "winner_seconds": fast["winner"],
           "ratio": ratio, "written_bytes": slow["written"], "memory_bytes": fast["written"],
           "memory_models": fast["written"] / model, "same_answers": same, "answers": sum(map(len, slow["answers"]))}
    row["missed"] = ([] if same else ["answers"]) + (["time"] if ratio > TIME_LIMIT else []) + \
        (["bytes"] if fast["written"] > MODELS_LIMIT * model + SLACK else [])
    return row


def show(row):
    print(f"{row['sweep']:<10} {row['points']} points of {row['model_bytes'] / 1e6:.1f} MB: "
          f"written {row['written_seconds']:.2f} s (merges {row['merge_seconds']:.2f} s), "
          f"in memory {row['memory_seconds']:.2f} s (the winner's merge {row['winner_seconds']:.2f} s), "
          f"ratio {row['ratio']:.3f}; bytes written {row['written_bytes'] / 1e6:.1f} MB and "
          f"{row['memory_bytes'] / 1e6:.1f} MB ({row['memory_models']:.2f} models); "
          f"{row['answers']} answers {'the same' if row['same_answers'] else 'DIFFER'}"
          + (f"; missed: {', '.join(row['missed'])}" if row["missed"] else ""), flush=True)


def prepare(arguments, scratch):
    """The models' folders, base first, each with a tokenizer."""
    if arguments.models is None:
        return [FAMILY / name for name in ("base", "sums", "words")]
    folders = []
    for name in ("base", "a", "b"):
        folder = scratch / "models" / name
        folder.mkdir(parents=True)
        for file in (arguments.models / name).iterdir():
            (folder / file.name).symlink_to(file.resolve())
        for file in TOKENIZER:
            if not (folder / file).exists():
                shutil.copy(FAMILY / "base" / file, folder / file)
        folders.append(folder)
    return folders


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--crucible", default="build/release/crucible")
    parser.add_argument("--models", type=pathlib.Path, help="folder with base, a and b (default: the demo family)")
    parser.add_argument("--method", choices=("slerp", "task_arithmetic"), default="slerp")
    parser.add_argument("--sweeps", default="all,attention")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--suite", type=pathlib.Path, default=FAMILY / "suites" / "words.yaml")
    parser.add_argument("--items", type=int, default=20, help="of the suite")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--keep", default="1GiB", help="memory for merged tensors")
    parser.add_argument("--scratch", type=pathlib.Path, help="where models are written (default: the temporary folder)")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as name:
        scratch = pathlib.Path(name)
        folders = prepare(arguments, scratch)
        rows = []
        for sweep in arguments.sweeps.split(","):
            rows.append(measure(arguments, sweep, folders, arguments.suite, scratch))
            show(rows[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 1 if any(row["missed"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
