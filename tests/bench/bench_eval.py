#!/usr/bin/env python3
"""Times `crucible eval` against lm-evaluation-harness 0.4.13 (--model hf) on the same task files and model.

    make_eval_inputs.py FOLDER DATA
    bench_eval.py FOLDER --engine build/release/crucible --harness VENV/bin/python
    bench_eval.py FOLDER --scale quick --only agieval,mmlu --dtypes f32

Every time is a whole process from start to exit on the cores of --cores, the checkpoint read into the page cache
before; the two take turns. Items per second are items over wall seconds, start-up and loading included. Both get
as many threads as there are cores. The harness takes requests one by one for log-likelihoods, its default, and
by --batch-size for generation. `saved` is the share of prompt tokens that sharing left uncomputed, of those that
all requests have together. `same` is the share of items on which both agree: the option chosen, or the text.

A second run of the engine on more items, at --growth times as many, gives the time and the memory that
another item costs. Exit code 1 when a target is missed.
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    tasks: str
    members: int  # tasks in it, each with its own limit
    generates: bool
    targets: dict  # dtype -> times the harness's items per second
    limits: dict  # scale -> dtype -> items of each task


CASES = (
    Case("agieval", "bench_agieval", 1, False, {"f32": 3, "bf16": 8},
         {"full": {"f32": 60, "bf16": 60}, "short": {"f32": 24, "bf16": 24}, "quick": {"f32": 12, "bf16": 8}}),
    Case("mmlu", "bench_mmlu", 4, False, {"f32": 4, "bf16": 10},
         {"full": {"f32": 30, "bf16": 30}, "short": {"f32": 12, "bf16": 12}, "quick": {"f32": 6, "bf16": 6}}),
    Case("gsm8k", "bench_gsm8k", 1, True, {"f32": 2.5, "bf16": 3},
         {"full": {"f32": 100, "bf16": 100}, "short": {"f32": 100, "bf16": 100}, "quick": {"f32": 24, "bf16": 16}}),
)
HARNESS_DTYPES = {"f32": "float32", "bf16": "bfloat16"}


@dataclasses.dataclass
class Run:
    wall: float
    cpu: float
    rss: int  # bytes, the high-water mark of the process
    load: float  # one-minute average before

    def json(self):
        return dataclasses.asdict(self)


def warm(folder):
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            while file.read(16 << 20):
                pass


def run(command, cores, log, environment):
    """One process with its children, timed."""
    load = os.getloadavg()[0]
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment,
                                   preexec_fn=lambda: os.sched_setaffinity(0, cores))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nfailed with {process.returncode}; the end of {log}:\n"
                 + log.read_text(errors="replace")[-2000:])
    return Run(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, load)


def newest(folder, pattern):
    return max(folder.rglob(pattern), key=lambda path: path.stat().st_mtime)


def find_key(value, key):
    """The first value under a key anywhere in a JSON document."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            found = find_key(one, key)
            if found is not None:
                return found
    return None


def answers(folder):
    """(task, document) -> the option with the largest log-likelihood, or the text."""
    found = {}
    for path in folder.rglob("samples_*.jsonl"):
        task = path.name.removeprefix("samples_").split("_2")[0]
        for line in path.read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            responses = [one[0] for one in sample["resps"]]
            if isinstance(responses[0], str):
                found[task, sample["doc_id"]] = responses[0]
            else:
                values = [float(one[0]) for one in responses]
                found[task, sample["doc_id"]] = values.index(max(values))
    return found


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.folder = arguments.folder.resolve()
        self.cores = set(range(arguments.cores))
        self.environment = dict(os.environ, OMP_NUM_THREADS=str(arguments.cores), HF_HUB_OFFLINE="1",
                                HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                                HF_DATASETS_CACHE=str(self.folder / "datasets"))

    def fresh(self, name):
        folder = self.folder / "runs" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def engine(self, case, dtype, limit, name):
        out = self.fresh(name)
        command = [self.arguments.engine, "eval", self.folder / "model", "--tasks", case.tasks, "--include-path",
                   self.folder / "tasks", "--dtype", dtype, "--limit", str(limit), "--threads",
                   str(self.arguments.cores), "--out", out, "--no-cache"]
        timed = run(command, self.cores, out / "log", self.environment)
        return timed, json.loads(newest(out, "results_*.json").read_text()), out

    def harness(self, case, dtype, limit, name):
        out = self.fresh(name)
        command = [self.arguments.harness, "-m", "lm_eval", "run", "--model", "hf", "--model_args",
                   f"pretrained={self.folder / 'model'},dtype={HARNESS_DTYPES[dtype]}", "--tasks", case.tasks,
                   "--include_path", self.folder / "tasks", "--limit", str(limit), "--device", "cpu", "--batch_size",
                   str(self.arguments.batch_size if case.generates else 1), "--output_path", out, "--log_samples"]
        return run(command, self.cores, out / "log", self.environment), out

    def compare(self, case, dtype):
        limit = case.limits[self.arguments.scale][dtype]
        items = limit * case.members
        warm(self.folder / "model")
        ours, results, ours_out = self.engine(case, dtype, limit, f"{case.name}-{dtype}-engine")
        theirs, theirs_out = self.harness(case, dtype, limit, f"{case.name}-{dtype}-harness")
        again, _, _ = self.engine(case, dtype, limit, f"{case.name}-{dtype}-engine-again")
        best = min(ours, again, key=lambda one: one.wall)
        larger_limit = limit * self.arguments.growth
        larger, _, _ = self.engine(case, dtype, larger_limit, f"{case.name}-{dtype}-engine-larger")
        tokens = find_key(results, "prompt_tokens") or {}
        mine, other = answers(ours_out), answers(theirs_out)
        extra = (larger_limit - limit) * case.members
        row = {"case": case.name, "dtype": dtype, "items": items, "engine": best.json(), "harness": theirs.json(),
               "engine_items_per_second": items / best.wall, "harness_items_per_second": items / theirs.wall,
               "times_as_fast": theirs.wall / best.wall, "target": case.targets[dtype],
               "times_as_fast_in_cpu": theirs.cpu / best.cpu,
               "saved": 1 - tokens["computed"] / tokens["asked"] if tokens.get("asked") else None,
               "same": sum(mine.get(key) == value for key, value in other.items()) / max(1, len(other)),
               "seconds_per_further_item": (larger.wall - best.wall) / extra,
               "bytes_per_further_item": (larger.rss - best.rss) / extra, "larger": larger.json()}
        missed = []
        if row["times_as_fast"] < row["target"]:
            missed.append("speed")
        if best.rss > theirs.rss:
            missed.append("memory")
        row["missed"] = missed
        return row


def table(rows):
    head = ("case", "dtype", "items", "engine items/s", "harness items/s", "times as fast", "target", "in CPU s",
            "saved", "same", "engine RSS MB", "harness RSS MB", "s a further item", "KB a further item", "missed")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        saved = "" if row["saved"] is None else f"{row['saved']:.1%}"
        cells = (row["case"], row["dtype"], row["items"], f"{row['engine_items_per_second']:.2f}",
                 f"{row['harness_items_per_second']:.2f}", f"{row['times_as_fast']:.1f}", row["target"],
                 f"{row['times_as_fast_in_cpu']:.1f}", saved, f"{row['same']:.1%}",
                 f"{row['engine']['rss'] / 1e6:.0f}", f"{row['harness']['rss'] / 1e6:.0f}",
                 f"{row['seconds_per_further_item']:.2f}", f"{row['bytes_per_further_item'] / 1e3:.0f}",
                 ", ".join(row["missed"]))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--engine", default="build/release/crucible")
    parser.add_argument("--harness", default=sys.executable, help="a Python that has lm_eval")
    parser.add_argument("--only", default=",".join(case.name for case in CASES))
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--scale", choices=("full", "short", "quick"), default="full")
    parser.add_argument("--growth", type=int, default=2, help="items of the run that shows what another costs")
    parser.add_argument("--batch-size", type=int, default=8, help="the harness's, for generation")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    bench = Bench(arguments)
    rows = []
    for dtype in arguments.dtypes.split(","):
        for case in CASES:
            if case.name not in arguments.only.split(","):
                continue
            rows.append(bench.compare(case, dtype))
            print(table(rows[-1:]), flush=True)
            if arguments.json:
                document = {"date": datetime.datetime.now().isoformat(timespec="seconds"), "rows": rows}
                arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\n{table(rows)}")
    sys.exit(1 if any(row["missed"] for row in rows) else 0)


if __name__ == "__main__":
    main()
