"""A sweep of 10,000 trials: how long its routes take.

    tests/load/large_sweep.py [--trials N] [--results FOLDER]

The rows are put into the database of a stopped daemon, as a search would have left them. Prints the slowest of
50 calls (of 10 for everything at once), and the sizes.
"""

import argparse
import datetime
import json
import pathlib
import random
import sqlite3
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "scenario"))
from conftest import FAMILY, Daemon  # noqa: E402

TARGET_MS = {"list": 50, "sweep": 50, "page of 500": 50, "all": 1000}


def fill(database, sweep, trials, seed=1):
    draw = random.Random(seed)
    with sqlite3.connect(database) as connection:
        for trial in range(trials):
            point = {name: round(draw.random(), 6) for name in ("sums", "words", "feelings")}
            seen = draw.choice([32, 32, 32, 64, 128, 194])
            connection.execute(
                "INSERT INTO candidates (sweep_id, name, trial, point, recipe, model, standing, seen, estimate, suites)"
                " VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?)",
                (sweep, f"t{trial}", trial, json.dumps(point), "merge_method: linear\n" + "#" * 400,
                 "racing" if seen > 64 else "eliminated", seen, draw.random(), json.dumps([0.5, 0.5, 0.5])))
            for first in range(0, seen, 32):
                connection.execute(
                    "INSERT INTO candidate_scores VALUES (?, ?, 'tune', ?, ?, 320, 0.1)",
                    (sweep, f"{trial:064x}", first, json.dumps([1, 0] * 16)))


def slowest_ms(call, times):
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1000)
    return max(took)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--results", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(pathlib.Path(folder) / "state", FAMILY, FAMILY / "suites").start()
        daemon.register("base", "sums", "words", "feelings")
        daemon.post("/queue/pause", {}, 200)
        sweep = daemon.post("/searches", {"document": (FAMILY / "sweep-weights.yml").read_text()})["id"]
        daemon.stop()
        fill(daemon.state / "crucible.db", sweep, options.trials)
        (daemon.state / "crucible.db.sha256").unlink(missing_ok=True)
        daemon.start()
        try:
            found = daemon.get(f"/sweeps/{sweep}/trials?limit=10000")["items"]
            assert len(found) == options.trials, len(found)
            measured = {
                "list": slowest_ms(lambda: daemon.get("/sweeps"), 50),
                "sweep": slowest_ms(lambda: daemon.get(f"/sweeps/{sweep}"), 50),
                "page of 500": slowest_ms(lambda: daemon.get(f"/sweeps/{sweep}/trials?limit=500&cursor=7000"), 50),
                "all": slowest_ms(lambda: daemon.get(f"/sweeps/{sweep}/trials?limit=10000"), 10),
            }
        finally:
            daemon.close()
    result = {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "trials": options.trials,
              "slowest_ms": {name: round(value, 1) for name, value in measured.items()}, "target_ms": TARGET_MS,
              "met": all(measured[name] <= TARGET_MS[name] for name in measured)}
    print(json.dumps(result, indent=1))
    if options.results:
        options.results.mkdir(parents=True, exist_ok=True)
        (options.results / f"large_sweep-{result['date'].replace(':', '')}.json").write_text(json.dumps(result) + "\n")
    return 0 if result["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
