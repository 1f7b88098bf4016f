"""Measures the daemon under load, with the targets beside what was measured.

    load.py [--short] [--results FOLDER] [--only NAME,…]

A database of 100,000 finished and 10,000 queued jobs and a million scores is written straight into a state
folder; then the real daemon is asked over loopback. Exit code 1 when a target is missed.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import shutil
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))
import campaign  # noqa: E402

NOW = 1_760_000_000_000


class Scale:
    def __init__(self, short):
        self.finished = 10_000 if short else 100_000
        self.queued = 1_000 if short else 10_000
        self.scores = 100_000 if short else 1_000_000
        self.models = 200 if short else 1_000
        self.connections = 500 if short else 5_000
        self.requests = 100 if short else 300
        self.submissions = 1_000 if short else 5_000


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def timed(call, count):
    times = []
    for _ in range(count):
        began = time.perf_counter()
        answer = call()
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text[:300]
    return {"p50_ms": round(1e3 * statistics.median(times), 2), "p99_ms": round(1e3 * percentile(times, 0.99), 2)}


def rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def digest(number):
    return f"{number:064x}"


def seed(database, scale):
    """Rows as the daemon writes them; scores as suites × models with several metrics each."""
    suites = 40
    metrics = max(1, scale.scores // (scale.models * suites))
    with sqlite3.connect(database) as store:
        store.execute("PRAGMA synchronous=OFF")
        store.executemany(
            "INSERT INTO models (name, origin, digest, path, fingerprint, architecture, dtype, parameters, "
            "weight_bytes, created_at, merge_method, recipe) VALUES (?, 'merged', ?, ?, '', 'llama', 'bf16', 7000, "
            "14000, ?, 'slerp', 'merge_method: slerp')",
            ((f"model-{i}", digest(i), f"/nowhere/{i}", NOW + i) for i in range(scale.models)))
        first = store.execute("SELECT min(id) FROM models WHERE name LIKE 'model-%'").fetchone()[0]
        store.executemany(
            "INSERT INTO evaluations (work_key, model_id, model_digest, suite, suite_digest, engine, dtype, score, "
            "standard_error, items, seconds, created_at, samples_path) "
            "VALUES (?, ?, ?, ?, ?, 'load', 'f32', ?, 0.01, 500, 1.0, ?, '/nowhere')",
            ((digest(i * suites + s), first + i, digest(i), f"suite-{s}", digest(1_000_000 + s),
              ((i * 7919 + s * 104_729) % 10_007) / 10_007, NOW + i)
             for i in range(scale.models) for s in range(suites)))
        low = store.execute("SELECT min(id) FROM evaluations WHERE engine = 'load'").fetchone()[0]
        count = scale.models * suites
        store.executemany("INSERT INTO task_scores (evaluation_id, position, task, version, digest, primary_metric, "
                          "items) VALUES (?, 0, 'task', '1', '', 'acc', 500)", ((low + i,) for i in range(count)))
        store.executemany("INSERT INTO metric_scores (evaluation_id, task_position, position, name, value) "
                          "VALUES (?, 0, ?, ?, 0.5)",
                          ((low + i, m, f"metric-{m}") for i in range(count) for m in range(metrics)))
        job = ("INSERT INTO jobs (kind, state, name, max_attempts, created_at, updated_at, finished_at, work_key, suites, "
               "model_id, attempt) VALUES (?, ?, ?, 5, ?, ?, ?, ?, '[]', ?, ?)")
        store.executemany(job, (("merge", "succeeded", f"done-{i}", NOW + i, NOW + i, NOW + i, digest(2_000_000 + i),
                                 first + i % scale.models, 1) for i in range(scale.finished)))
        store.executemany(job, (("evaluation", "queued", f"wait-{i}", NOW + i, NOW + i, None, digest(3_000_000 + i),
                                 first + i % scale.models, 0) for i in range(scale.queued)))
        store.execute("INSERT INTO queue_pauses VALUES ('evaluation', 0, ''), ('merge', 0, '')")
    return count * metrics


READS = {"leaderboard": "/leaderboard", "jobs": "/jobs?limit=50", "queued jobs": "/jobs?limit=50&state=queued",
         "queue": "/queue"}


def read_load(daemon, scale):
    """Lists and the leaderboard over the big tables; memory from the end of a first round to that of a second."""
    for path in READS.values():
        timed(lambda path=path: daemon.call("GET", path), scale.requests // 3)
    before = rss_mb(daemon.process.pid)
    out = {name: timed(lambda path=path: daemon.call("GET", path), scale.requests) for name, path in READS.items()}
    out["rss_mb"] = round(before, 1)
    out["rss_growth_mb"] = round(rss_mb(daemon.process.pid) - before, 1)
    return out


class Wire:
    """A keep-alive connection that costs the client next to nothing: it shares the cores with the daemon."""

    def __init__(self, daemon):
        place = urllib.parse.urlsplit(daemon.url)
        token = (daemon.state / "token").read_text().strip()
        self.connection = socket.create_connection((place.hostname, place.port), timeout=60)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = (f"POST /api/v1/merges HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                     "Content-Type: application/yaml\r\nContent-Length: ")

    def post(self, body):
        """The answer's status, when all of it is read."""
        self.connection.sendall(f"{self.head}{len(body)}\r\n\r\n{body}".encode())
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self.connection.recv(65536)
        length = int(received[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(received) < end + 4 + length:
            received += self.connection.recv(65536)
        return int(received.split(b" ", 2)[1])


def enqueue(daemon, scale, clients=16):
    """Acknowledged, durable submissions a second, by keep-alive clients at once."""
    left = iter(range(scale.submissions))
    lock = threading.Lock()
    times = []

    def work():
        wire = Wire(daemon)
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            began = time.perf_counter()
            status = wire.post("merge_method: linear\ndtype: float32\nmodels:\n- {model: base, parameters: {weight: "
                               f"{number + 1}}}}}\n- {{model: sums, parameters: {{weight: 1}}}}\n")
            times.append(time.perf_counter() - began)
            assert status == 202, status

    began = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    assert len(times) == scale.submissions
    return {"per_second": round(scale.submissions / seconds), "p99_ms": round(1e3 * percentile(times, 0.99), 1)}


def claims(daemon):
    """How long the claim's own statement takes on the seeded queue: the daemon's SQL on its database."""
    sql = ("SELECT id FROM jobs WHERE state = 'queued' AND kind = ? AND NOT EXISTS (SELECT 1 FROM jobs AS busy WHERE "
           "busy.work_key = jobs.work_key AND busy.state IN ('leased', 'running', 'publishing')) "
           "ORDER BY priority DESC, id LIMIT 32")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "crucible.db")) as store:
        plan = [row[3] for row in store.execute("EXPLAIN QUERY PLAN " + sql, ("evaluation",))]
        times = []
        for _ in range(500):
            began = time.perf_counter()
            assert len(store.execute(sql, ("evaluation",)).fetchall()) == 32
            times.append(time.perf_counter() - began)
    daemon.start()
    return {"p99_ms": round(1e3 * percentile(times, 0.99), 3), "scans": [line for line in plan if "SCAN" in line]}


class Slow:
    """Connections that cost a server memory and time: idle, and headers or bodies at a byte a second."""

    def __init__(self, daemon, count):
        place = urllib.parse.urlsplit(daemon.url)
        self.place = (place.hostname, place.port)
        token = (daemon.state / "token").read_text().strip()
        body = (f"POST /api/v1/merges HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        self.kinds = [b"", b"GET /healthz HTTP/1.1\r\nX: ", body.encode()]
        self.open = []
        for number in range(count):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(self.place, timeout=5)
                connection.sendall(self.kinds[number % 3])
                self.open.append((number % 3, connection))
        self.stop = threading.Event()
        self.dripping = threading.Thread(target=self.drip)
        self.dripping.start()

    def drip(self):
        while not self.stop.wait(1):
            for kind, connection in self.open:
                if kind:
                    with contextlib.suppress(OSError):
                        connection.send(b"a", socket.MSG_DONTWAIT)

    def alive(self):
        living = 0
        for _, connection in self.open:
            connection.setblocking(False)
            try:
                living += connection.recv(65536) != b""
            except BlockingIOError:
                living += 1
            except OSError:
                pass
        return living

    def close(self):
        self.stop.set()
        self.dripping.join()
        for _, connection in self.open:
            connection.close()


def slow_connections(daemon, scale):
    path = "/leaderboard"
    baseline = timed(lambda: daemon.call("GET", path), scale.requests)
    before = rss_mb(daemon.process.pid)
    slow = Slow(daemon, scale.connections)
    try:
        under = timed(lambda: daemon.call("GET", path), scale.requests)
        grown = rss_mb(daemon.process.pid) - before
        time.sleep(20)
        cut = len(slow.open) - slow.alive()
    finally:
        slow.close()
    return {"opened": len(slow.open), "baseline": baseline, "under_load": under, "rss_growth_mb": round(grown, 1),
            "cut_within_20_s": cut}


def verdicts(found):
    """(what, measured, target, met)"""
    rows = []

    def row(what, value, target, met):
        rows.append((what, value, target, bool(met)))

    if "claim" in found:
        row("claim p99", f"{found['claim']['p99_ms']} ms", "< 5 ms", found["claim"]["p99_ms"] < 5)
        row("claim scans", found["claim"]["scans"] or "none", "none", not found["claim"]["scans"])
    if "read" in found:
        p99 = found["read"]["leaderboard"]["p99_ms"]
        row("leaderboard p99", f"{p99} ms", "< 50 ms", p99 < 50)
        row("memory growth by reading", f"{found['read']['rss_growth_mb']} MB", "< 16 MB",
            found["read"]["rss_growth_mb"] < 16)
    if "enqueue" in found:
        rate = found["enqueue"]["per_second"]
        row("submissions acknowledged", f"{rate}/s", "≥ 1000/s", rate >= 1000)
    if "slow" in found:
        slow = found["slow"]
        limit = 2 * slow["baseline"]["p99_ms"] + 5
        row(f"p99 beside {slow['opened']} slow connections", f"{slow['under_load']['p99_ms']} ms", f"≤ {limit:.1f} ms",
            slow["under_load"]["p99_ms"] <= limit)
        row("memory of slow connections", f"{slow['rss_growth_mb']} MB", "< 200 MB", slow["rss_growth_mb"] < 200)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--results")
    parser.add_argument("--only", default="claim,read,slow,enqueue")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    scale = Scale(arguments.short)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crucible-load-"))
    daemon = campaign.Daemon(folder / "state", "--max-open-jobs", "0").start()
    found = {}
    try:
        campaign.register(daemon)
        daemon.stop()
        found["scores"] = seed(folder / "state" / "crucible.db", scale)
        daemon.start()
        for name, work in (("claim", lambda: claims(daemon)), ("read", lambda: read_load(daemon, scale)),
                           ("slow", lambda: slow_connections(daemon, scale)),
                           ("enqueue", lambda: enqueue(daemon, scale))):
            if name in wanted:
                found[name] = work()
    finally:
        daemon.stop()
        shutil.rmtree(folder)
    rows = verdicts(found)
    for what, value, target, met in rows:
        print(f"{'met   ' if met else 'MISSED'}  {what}: {value} (target {target})")
    found["scale"] = {"finished": scale.finished, "queued": scale.queued, "models": scale.models}
    campaign.write_results(arguments.results, "load", {"measured": json.loads(json.dumps(found)),
                                                       "missed": [row[0] for row in rows if not row[3]]})
    return 0 if all(row[3] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
