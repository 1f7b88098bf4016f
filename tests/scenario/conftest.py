"""Fixtures of the black-box tests: a daemon on a free port, its state in a temporary folder.

The binary comes from CRUCIBLE_BINARY, else from build/release/crucible. Models and suites are the demo
family's. Every process started here is ended by its id.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAMILY = ROOT / "deploy" / "demo-family"
MODELS = ("base", "sums", "words", "feelings")
SUITES = ("sums", "words", "feelings")
FINAL = ("succeeded", "failed", "dead", "cancelled")
LONGEST_WAIT_S = 120


def binary():
    path = pathlib.Path(os.environ.get("CRUCIBLE_BINARY", ROOT / "build" / "release" / "crucible"))
    if not path.exists():
        pytest.exit(f"no binary at {path}; build it or set CRUCIBLE_BINARY", returncode=2)
    return path


def wait_until(condition, what, seconds=LONGEST_WAIT_S):
    """Polls until condition() is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Daemon:
    """One `crucible serve`, which can be killed and started again on the same state."""

    def __init__(self, state, models, suites, *flags):
        self.state = pathlib.Path(state)
        self.models = pathlib.Path(models)
        self.suites = pathlib.Path(suites)
        self.flags = flags
        self.process = None
        self.url = None
        self.token = None
        self.log = self.state.with_suffix(".log")

    def command(self):
        return [str(binary()), "serve", "--state", str(self.state), "--port", "0",
                "--allow-root", str(self.models), "--suites", str(self.suites), *self.flags]

    def start(self):
        note = self.state / "daemon.json"
        note.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)

        def written():
            assert self.process.poll() is None, self.log.read_text()
            return note.exists()

        wait_until(written, "the daemon listens", 20)
        facts = json.loads(note.read_text())
        assert facts["pid"] == self.process.pid
        self.url = facts["url"]
        file = self.state / "token"
        self.token = file.read_text().strip() if file.exists() else None  # none with open access
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; returns exit code and seconds."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        return code, time.monotonic() - started

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def call(self, method, path, body=None, headers=None, **options):
        return requests.request(method, self.url + "/api/v1" + path, json=body,
                                headers=self.with_token(headers), timeout=30, **options)

    def with_token(self, headers=None):
        return {"Authorization": f"Bearer {self.token}", **(headers or {})}

    def get(self, path):
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body=None, status=202, headers=None):
        answer = self.call("POST", path, {} if body is None else body, headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def register(self, *names):
        return {name: self.post("/models", {"path": str(self.models / name)}, 201) for name in names}

    def merge(self, recipe, suites=(), **fields):
        return self.post("/merges", {"recipe": recipe, "suites": list(suites), **fields})

    def job(self, job_id):
        return self.get(f"/jobs/{job_id}")

    def jobs(self):
        items, cursor = [], None
        while True:
            page = self.get("/jobs?limit=100" + (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def wait_job(self, job_id, *states):
        states = states or FINAL
        return wait_until(
            lambda: (job := self.job(job_id))["state"] in states and job, f"job {job_id} {states}")

    def wait_all(self):
        def done():
            jobs = self.jobs()
            return all(job["state"] in FINAL for job in jobs) and jobs
        return wait_until(done, "all jobs are final")

    def events(self, job_id):
        """All events of a job, over SSE, until its end."""
        answer = requests.get(self.url + f"/api/v1/jobs/{job_id}/events", headers=self.with_token(),
                              stream=True, timeout=60)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        events, kind, number = [], None, None
        for line in answer.iter_lines(decode_unicode=True):
            if line.startswith("event:"):
                kind = line[6:].strip()
            elif line.startswith("id:"):
                number = int(line[3:])
            elif line.startswith("data:") and kind != "end":
                events.append((number, json.loads(line[5:])))
            if kind == "end":
                break
        answer.close()
        return events

    def worker_pid(self, job_id):
        """The pid that the running attempt's event names."""
        answer = requests.get(self.url + f"/api/v1/jobs/{job_id}/events", headers=self.with_token(),
                              stream=True, timeout=60)
        try:
            for line in answer.iter_lines(decode_unicode=True):
                if line.startswith("data:"):
                    event = json.loads(line[5:])
                    if event["state"] == "running" and event["message"].startswith("worker "):
                        return int(event["message"].split()[1])
        finally:
            answer.close()
        raise AssertionError("the job has no worker")

    def folders(self, name):
        return sorted(path.name for path in (self.state / name).iterdir())


@pytest.fixture
def make_daemon(tmp_path):
    """Builds daemons that are ended with the test."""
    made = []

    def make(*flags, models=FAMILY, suites=FAMILY / "suites", state=None):
        daemon = Daemon(state or tmp_path / "state", models, suites, *flags)
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(make_daemon):
    return make_daemon("--retry-delay-ms", "50").start()


@pytest.fixture
def slow_suites(tmp_path):
    """A folder with one suite that takes some seconds: the demo's items, many times over."""
    folder = tmp_path / "suites"
    shutil.copytree(FAMILY / "suites", folder)
    lines = (FAMILY / "suites" / "words.jsonl").read_text().splitlines()
    with open(folder / "slow.jsonl", "w") as out:
        for round_number in range(60):
            for line in lines:
                item = json.loads(line)
                item["query"] = f"Round {round_number}. " + item["query"]
                out.write(json.dumps(item) + "\n")
    (folder / "slow.yaml").write_text(
        (FAMILY / "suites" / "words.yaml").read_text().replace("words", "slow"))
    return folder


def linear(*weighted, dtype="float32"):
    """A linear recipe over (model, weight) pairs."""
    lines = ["merge_method: linear", f"dtype: {dtype}", "models:"]
    for model, weight in weighted:
        lines += [f"  - model: {model}", f"    parameters: {{weight: {weight}}}"]
    return "\n".join(lines) + "\n"
