#!/usr/bin/env python3
"""Times the merge engine against mergekit 0.1.5 and against copying the same bytes.

    make_models.py FOLDER; make_models.py FOLDER --size small
    bench_merge.py FOLDER --engine "build/release/crucible merge" --mergekit VENV/bin/mergekit-yaml
    bench_merge.py FOLDER --reference cached          # mergekit's times from its last run on this machine
    bench_merge.py FOLDER --reference none --only linear,slerp

Every time is a whole process from start to exit, on the cores of --cores, its inputs read into the page cache
just before. `copy` reads the case's inputs once and writes as many bytes as the output has, in large pieces by
as many threads as there are cores, and syncs: no engine that leaves a synced output can be faster. The
engine's time and the copy's are the median of --runs; mergekit runs once. A time of mergekit is kept in
FOLDER/reference.json with its date and load, and the table says which of its times are from this run.

Writes the table to standard output and everything measured to --json. Exit code 1 when a target is missed.
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PIECE = 16 << 20
RSS_LIMIT = 600_000_000
START_LIMIT = 0.050
COPY_LIMIT = 1.4  # times the copy, for methods whose work is mostly reading and writing


@dataclasses.dataclass(frozen=True)
class Case:
    method: str
    models: str
    base: str | None
    target: float  # times as fast as mergekit
    near_copy: bool = False
    per_model: dict = dataclasses.field(default_factory=dict)
    shared: dict = dataclasses.field(default_factory=dict)

    def inputs(self):
        return list(self.models) + ([self.base] if self.base and self.base not in self.models else [])

    def recipe(self):
        models = [{"model": name, "parameters": self.per_model} if self.per_model else {"model": name}
                  for name in self.models]
        recipe = {"merge_method": self.method, "models": models}
        if self.base:
            recipe["base_model"] = self.base
        if self.shared:
            recipe["parameters"] = self.shared
        return json.dumps(recipe, indent=1)  # JSON is YAML


HALF = {"weight": 0.5, "density": 0.5}
CASES = {
    "linear": Case("linear", "ab", None, 6, True, {"weight": 0.4}),
    "slerp": Case("slerp", "ab", "a", 6, True, shared={"t": 0.4}),
    "ties-2": Case("ties", "ab", "base", 20, per_model=HALF),
    "ties-3": Case("ties", "abc", "base", 20, per_model=HALF),
    "dare_ties": Case("dare_ties", "ab", "base", 10, per_model=HALF),
    "nuslerp": Case("nuslerp", "ab", None, 8, per_model={"weight": 0.5}),
    "model_stock": Case("model_stock", "ab", "base", 8),
    "della": Case("della", "ab", "base", 8, per_model=HALF),
    "breadcrumbs": Case("breadcrumbs", "ab", "base", 8, per_model={"weight": 0.5, "density": 0.9}),
}


@dataclasses.dataclass
class Run:
    seconds: float
    cpu_seconds: float = 0.0  # of all its threads, in the program and in the kernel
    peak_rss: int = 0
    error: str = ""
    output: str = ""
    load_before: float = 0.0


class PeakRss(threading.Thread):
    """Follows a process's high-water mark. (The one in its rusage begins with that of this script.)"""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status = pathlib.Path(f"/proc/{pid}/status")
        self.peak = 0

    def run(self):
        while True:
            try:
                lines = [line for line in self.status.read_text().splitlines() if line.startswith("VmHWM:")]
            except OSError:
                return
            if not lines:  # exited, not yet waited for
                return
            self.peak = int(lines[0].split()[1]) * 1024
            time.sleep(0.01)


def run_process(command, folder, environment=None):
    """One process, timed from start to exit, with its peak resident size in bytes."""
    load = os.getloadavg()[0]
    log = folder / "stderr.txt"
    with log.open("wb") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=folder, text=True,
                                   env={**os.environ, **(environment or {})})
        follower = PeakRss(process.pid)
        follower.start()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    follower.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    error = log.read_text(errors="replace")[-2000:] if process.returncode else ""
    return Run(seconds, usage.ru_utime + usage.ru_stime, follower.peak, error, output, load)


def data_files(folder, names):
    return [path for name in names for path in sorted((folder / name).glob("*.safetensors"))]


def for_each_piece(total, workers, work):
    """work(begin, end) over [0, total) in pieces, shared among threads; read and write release the lock."""
    pieces = iter([(begin, min(begin + PIECE, total)) for begin in range(0, total, PIECE)])
    lock = threading.Lock()

    def run():
        buffer = bytearray(PIECE)
        while True:
            with lock:
                piece = next(pieces, None)
            if piece is None:
                return
            work(memoryview(buffer)[:piece[1] - piece[0]], piece[0])

    threads = [threading.Thread(target=run) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_all(paths, workers=1):
    for path in paths:
        with path.open("rb", buffering=0) as file:
            for_each_piece(path.stat().st_size, workers, lambda view, at: os.preadv(file.fileno(), [view], at))


def copy_limit(inputs, output_bytes, out, workers):
    load, begin = os.getloadavg()[0], time.perf_counter()
    read_all(inputs, workers)
    with out.open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, output_bytes)
        for_each_piece(output_bytes, workers, lambda view, at: os.pwrite(file.fileno(), view, at))
        os.fsync(file.fileno())
    seconds = time.perf_counter() - begin
    out.unlink()
    return Run(seconds, load_before=load)


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        available = sorted(os.sched_getaffinity(0))
        self.cores = set(available[:arguments.cores])
        os.sched_setaffinity(0, self.cores)  # and so for every process started from here
        self.reference_file = arguments.folder / "reference.json"
        self.references = json.loads(self.reference_file.read_text()) if self.reference_file.exists() else {}

    def prepare(self, size, name, case):
        folder = self.arguments.folder / size
        (folder / f"{name}.yml").write_text(case.recipe())
        os.sync()
        read_all(data_files(folder, case.inputs()))
        return folder

    def engine(self, size, name, case, out="out-engine", options=()):
        folder = self.prepare(size, name, case)
        shutil.rmtree(folder / out, ignore_errors=True)
        command = [*self.arguments.engine, f"{name}.yml", out, "--json", *self.arguments.engine_args, *options]
        return run_process(command, folder)

    def copy(self, size, name, case):
        folder = self.prepare(size, name, case)
        output_bytes = sum(path.stat().st_size for path in data_files(folder, case.models[0]))
        return copy_limit(data_files(folder, case.inputs()), output_bytes, folder / "out-copy", len(self.cores))

    def mergekit(self, size, name, case):
        """What FOLDER/reference.json has for the case, after running it if asked to; None if nothing."""
        key = f"{size}/{name}"
        if self.arguments.reference == "run":
            folder = self.prepare(size, name, case)
            shutil.rmtree(folder / "out-mergekit", ignore_errors=True)
            command = [*self.arguments.mergekit, f"{name}.yml", "out-mergekit", "--random-seed", "0", "--quiet",
                       "--no-write-model-card", "--no-copy-tokenizer"]
            os.sync()
            done = run_process(command, folder, {"OMP_NUM_THREADS": str(len(self.cores)), "HF_HUB_OFFLINE": "1"})
            if done.error:
                print(f"mergekit failed on {key}:\n{done.error}", file=sys.stderr)
                return None
            self.references[key] = {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds,
                                    "peak_rss": done.peak_rss, "load_before": done.load_before, "recipe": case.recipe(),
                                    "date": now(), "machine": machine()}
            self.reference_file.write_text(json.dumps(self.references, indent=1) + "\n")
            return {**self.references[key], "cached": False}
        known = self.references.get(key) if self.arguments.reference == "cached" else None
        return {**known, "cached": True} if known and known["recipe"] == case.recipe() else None

    def measure(self, size, name, case):
        result = {"size": size, "case": name, "method": case.method}
        runs, copies = [], []
        for _ in range(self.arguments.runs):
            copies.append(self.copy(size, name, case))
            runs.append(self.engine(size, name, case))
            if runs[-1].error:
                return {**result, "error": runs[-1].error.strip().splitlines()[-1]}
        result["seconds"] = statistics.median(run.seconds for run in runs)
        result["cpu_seconds"] = statistics.median(run.cpu_seconds for run in runs)
        result["peak_rss"] = max(run.peak_rss for run in runs)
        result["copy_seconds"] = statistics.median(run.seconds for run in copies)
        result["runs"] = [[run.seconds, run.load_before] for run in runs]
        result["copy_runs"] = [[run.seconds, run.load_before] for run in copies]
        result["digest"] = json.loads(runs[-1].output)["digest"]
        if self.arguments.digests:
            result["digests"] = self.digests(size, name, case)
        result["mergekit"] = self.mergekit(size, name, case)
        if result["mergekit"] and not result["mergekit"]["cached"]:
            folder = self.arguments.folder / size
            result["same_values"] = same_values(folder / "out-engine", folder / "out-mergekit")
        for out in ("out-engine", "out-mergekit"):
            shutil.rmtree(self.arguments.folder / size / out, ignore_errors=True)
        return result

    def digests(self, size, name, case):
        """The output's digest under other thread counts and memory bounds."""
        found = {}
        for options in (["--threads", "1"], ["--threads", "2"], ["--threads", "4"],
                        ["--threads", "3", "--memory", "64MiB"], ["--memory", "4GiB"]):
            run = self.engine(size, name, case, "out-digest", options)
            found[" ".join(options)] = run.error or json.loads(run.output)["digest"]
            shutil.rmtree(self.arguments.folder / size / "out-digest", ignore_errors=True)
        return found

    def start_up(self):
        """Median seconds of `--version` and of a merge of two toy models."""
        sys.path.insert(0, str(HERE.parent / "oracle" / "merge"))
        from toy_models import make_model

        folder = self.arguments.folder / "toy"
        shutil.rmtree(folder, ignore_errors=True)
        for seed, name in enumerate("ab", start=2):
            make_model(folder / name, "llama", "bf16", seed)
        (folder / "linear.yml").write_text(CASES["linear"].recipe())
        engine, result = self.arguments.engine, {}
        for name, command in (("version", [engine[0], "--version"]),
                              ("toy merge", [*engine, "linear.yml", "out", *self.arguments.engine_args])):
            times = []
            for _ in range(15):
                shutil.rmtree(folder / "out", ignore_errors=True)
                run = run_process(command, folder)
                times.append(run.seconds)
            result[name] = {"error": run.error} if run.error else {"seconds": statistics.median(times)}
        return result


def same_values(got_folder, want_folder):
    """Share of 16-bit values that are the same bits in both outputs."""
    import numpy as np

    def tensors(folder):
        found = {}
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                size = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(size))
            data = np.memmap(path, np.uint8, "r")
            for name, entry in header.items():
                if name != "__metadata__":
                    begin, end = (8 + size + offset for offset in entry["data_offsets"])
                    found[name] = (entry["dtype"], data[begin:end])
        return found

    got, want = tensors(got_folder), tensors(want_folder)
    if got.keys() != want.keys():
        return "tensor names differ"
    same = total = 0
    for name, (dtype, data) in want.items():
        if got[name][0] != dtype or dtype != "BF16":
            return f"{name} is {got[name][0]}, mergekit wrote {dtype}"
        same += int(np.count_nonzero(got[name][1].view(np.uint16) == data.view(np.uint16)))
        total += data.size // 2
    return same / total


def now():
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def machine():
    model = platform.processor()
    cpu_info = pathlib.Path("/proc/cpuinfo")
    if cpu_info.exists():
        names = [line.split(":", 1)[1].strip() for line in cpu_info.read_text().splitlines()
                 if line.startswith("model name")]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{model}, {os.cpu_count()} processors, {memory / 2**30:.0f} GiB, {platform.system()} {platform.release()}"


def version_of(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"unknown ({error})"


def verdicts(result, case):
    """Target: (value, bound, met); what was not measured is left out."""
    found = {"peak RSS": (result["peak_rss"] / 1e6, RSS_LIMIT / 1e6, result["peak_rss"] <= RSS_LIMIT)}
    if result["size"] == "large":
        if result["mergekit"]:
            ratio = result["mergekit"]["seconds"] / result["seconds"]
            found["times mergekit"] = (ratio, case.target, ratio >= case.target)
        if case.near_copy:
            share = result["seconds"] / result["copy_seconds"]
            found["of the copy"] = (share, COPY_LIMIT, share <= COPY_LIMIT)
    if "digests" in result:
        same = all(digest == result["digest"] for digest in result["digests"].values())
        found["same bytes"] = (float(same), 1.0, same)
    return found


COLUMNS = ("models", "case", "engine s", "its CPU s", "copy s", "of copy", "mergekit s", "its CPU s", "mergekit ran",
           "times as fast", "target", "engine RSS MB", "mergekit RSS MB", "same values", "missed")


def row_of(result, case):
    if "error" in result:
        return [result["size"], result["case"], *[""] * (len(COLUMNS) - 3), result["error"]]
    reference, missed = result["mergekit"], [k for k, (_, _, met) in verdicts(result, case).items() if not met]
    row = [result["size"], result["case"], f"{result['seconds']:.2f}", f"{result['cpu_seconds']:.2f}",
           f"{result['copy_seconds']:.2f}", f"{result['seconds'] / result['copy_seconds']:.2f}"]
    if reference:
        ran = "cached, " + reference["date"][:16] if reference["cached"] else "this run"
        row += [f"{reference['seconds']:.1f}", f"{reference['cpu_seconds']:.1f}", ran,
                f"{reference['seconds'] / result['seconds']:.1f}"]
    else:
        row += ["not run", "", "", ""]
    same = result.get("same_values", "")
    return row + [f"{case.target:g}" if result["size"] == "large" else "", f"{result['peak_rss'] / 1e6:.0f}",
                  f"{reference['peak_rss'] / 1e6:.0f}" if reference else "",
                  f"{100 * same:.4f} %" if isinstance(same, float) else same, ", ".join(missed)]


def print_table(rows):
    rows = [list(COLUMNS), *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.rjust(w) if 2 <= i < 13 else cell.ljust(w)
                                for i, (cell, w) in enumerate(zip(row, widths))) + " |")
        if number == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=lambda text: pathlib.Path(text).resolve(), help="of make_models.py")
    parser.add_argument("--engine", type=shlex.split, default=["crucible", "merge"])
    parser.add_argument("--engine-args", type=shlex.split, default=[])
    parser.add_argument("--mergekit", type=shlex.split, default=["mergekit-yaml"])
    parser.add_argument("--reference", choices=("run", "cached", "none"), default="run")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CASES), metavar="CASE,...")
    parser.add_argument("--sizes", type=lambda text: text.split(","), default=["large", "small"])
    parser.add_argument("--runs", type=int, default=3, help="of the engine and of the copy")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--no-digests", dest="digests", action="store_false",
                        help="skip the runs with other thread counts and memory bounds")
    parser.add_argument("--json", type=pathlib.Path, default=pathlib.Path("bench.json"))
    arguments = parser.parse_args()
    unknown = set(arguments.only) - CASES.keys()
    if unknown:
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    if pathlib.Path(arguments.engine[0]).exists():
        arguments.engine[0] = str(pathlib.Path(arguments.engine[0]).resolve())
    return arguments


def measure_all(bench, report, arguments):
    for size in arguments.sizes:
        for name in arguments.only:
            result = bench.measure(size, name, CASES[name])
            report["cases"].append(result)
            arguments.json.write_text(json.dumps(report, indent=1) + "\n")
            print(" ".join(row_of(result, CASES[name])), file=sys.stderr, flush=True)


def main():
    arguments = parse_arguments()
    arguments.json = arguments.json.resolve()
    bench = Bench(arguments)
    report = {"date": now(), "machine": machine(), "cores": len(bench.cores), "load_at_start": os.getloadavg(),
              "engine": version_of([arguments.engine[0], "--version"]), "engine_args": arguments.engine_args,
              "mergekit": "0.1.5", "runs": arguments.runs, "cases": []}
    report["start_up"] = bench.start_up()
    measure_all(bench, report, arguments)
    report["load_at_end"] = os.getloadavg()
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")

    print(f"{report['date']}, {report['machine']}, {report['cores']} cores used, load at start "
          f"{report['load_at_start'][0]:.2f}, {report['engine']}, mergekit {report['mergekit']}")
    print_table([row_of(result, CASES[result["case"]]) for result in report["cases"]])
    missed = ["error" in result or not all(met for _, _, met in verdicts(result, CASES[result["case"]]).values())
              for result in report["cases"]]
    for name, found in report["start_up"].items():
        late = "error" in found or found["seconds"] > START_LIMIT
        missed.append(late)
        print(f"start-up, {name}: " + (found.get("error") or f"{1000 * found['seconds']:.1f} ms, at most "
                                       f"{1000 * START_LIMIT:.0f} ms asked for") + (": missed" if late else ""))
    return 1 if any(missed) else 0


if __name__ == "__main__":
    sys.exit(main())
