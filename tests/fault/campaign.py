"""What the campaigns share: a daemon with tiny real models, a client that keeps a ledger, the checks.

The ledger lies outside the daemon: every request that was acknowledged, by its Idempotency-Key. After
every life of the daemon it is the oracle: an acknowledged job exists, ends as it should, and had its
effect once.
"""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import platform
import random
import signal
import subprocess
import sys
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAMILY = ROOT / "deploy" / "demo-family"
MODELS = ("base", "sums", "words", "feelings")
SUITES = ("sums", "words", "feelings")
FINAL = ("succeeded", "failed", "dead", "cancelled")


def binary():
    return pathlib.Path(os.environ.get("CRUCIBLE_BINARY", ROOT / "build" / "release" / "crucible"))


class DaemonEnded(Exception):
    """The daemon was gone before it was ready."""


class Daemon:
    def __init__(self, state, *flags, environment=None):
        self.state = pathlib.Path(state)
        self.flags = flags
        self.environment = environment
        self.process = None
        self.url = None
        self.recovery_s = 0.0
        self.log = self.state.parent / "daemon.log"

    def command(self):
        return [str(binary()), "serve", "--state", str(self.state), "--port", "0", "--allow-root", str(FAMILY),
                "--suites", str(FAMILY / "suites"), "--retry-delay-ms", "20", "--disk-floor", "0",
                "--threads", "1", *self.flags]

    def start(self, on_spawn=lambda: None):
        """Returns when it is ready; recovery_s says how long that took."""
        note = self.state / "daemon.json"
        note.unlink(missing_ok=True)
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=self.environment)
        on_spawn()
        while not note.exists():
            if self.process.poll() is not None:
                raise DaemonEnded(f"the daemon ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() - began > 30:
                raise AssertionError("the daemon does not listen after 30 s: " + self.tail())
            time.sleep(0.005)
        self.url = json.loads(note.read_text())["url"]
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer " + (self.state / "token").read_text().strip()
        while self.session.get(self.url + "/readyz", timeout=10).status_code != 200:
            if time.monotonic() - began > 30:
                raise AssertionError("the daemon is not ready after 30 s: " + self.tail())
            time.sleep(0.005)
        self.recovery_s = time.monotonic() - began
        return self

    def tail(self):
        return self.log.read_text(errors="replace")[-2000:]

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def call(self, method, path, body=None, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        return self.session.request(method, self.url + "/api/v1" + path, json=body, headers=headers, timeout=30)

    def get(self, path):
        answer = self.call("GET", path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def all(self, path):
        items, cursor = [], None
        while True:
            page = self.get(f"{path}?limit=500" + (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items


def recipe(random_source):
    """A linear merge that is its own: the weights are random."""
    first, second = random_source.sample(MODELS, 2)
    weight = round(random_source.random(), 6)
    return (f"merge_method: linear\ndtype: float32\nmodels:\n- {{model: {first}, parameters: {{weight: {weight}}}}}\n"
            f"- {{model: {second}, parameters: {{weight: {round(1 - weight, 6)}}}}}\n")


class Ledger:
    """What the client asked for, and what was acknowledged."""

    def __init__(self, random_source):
        self.random = random_source
        self.asked = {}  # key -> (path, body)
        self.acknowledged = {}  # key -> job id

    def ask(self, daemon):
        """One more request; a broken connection leaves it unacknowledged."""
        key = f"k{len(self.asked)}"
        suite = [self.random.choice(SUITES)]
        body = {"recipe": recipe(self.random), "suites": suite, "name": f"m{len(self.asked)}"}
        self.asked[key] = body
        self.send(daemon, key)

    def send(self, daemon, key):
        with contextlib.suppress(requests.RequestException):
            answer = daemon.call("POST", "/merges", self.asked[key], key)
            assert answer.status_code == 202, answer.text
            job = answer.json()["id"]
            assert self.acknowledged.setdefault(key, job) == job, f"{key} is now another job"

    def repeat_all(self, daemon):
        """What a client does that does not know: asks again, with the same keys."""
        for key in self.asked:
            self.send(daemon, key)
        missing = set(self.asked) - set(self.acknowledged)
        assert not missing, f"never acknowledged: {sorted(missing)}"


def register(daemon):
    for name in MODELS:
        answer = daemon.call("POST", "/models", {"path": str(FAMILY / name), "name": name})
        assert answer.status_code == 201, answer.text


def wait_final(daemon, stalled_s=60):
    """Until all jobs are over; fails when none ended for a while."""
    deadline, last_open = 0.0, None
    while True:
        jobs = daemon.all("/jobs")
        still_open = sum(job["state"] not in FINAL for job in jobs)
        if still_open != last_open:
            deadline, last_open = time.monotonic() + stalled_s, still_open
        if jobs and all(job["state"] in FINAL for job in jobs):
            return jobs
        if time.monotonic() > deadline:
            raise AssertionError("jobs are not over: " + str([(j["id"], j["state"]) for j in jobs][:20]))
        time.sleep(0.05 if still_open < 50 else 1)


def check_effects(daemon, ledger, allowed=("succeeded",)):
    """Every acknowledged job is there and over, every effect is there once."""
    jobs = {job["id"]: job for job in wait_final(daemon)}
    for key, number in ledger.acknowledged.items():
        assert number in jobs, f"acknowledged job {number} ({key}) is lost"
        assert jobs[number]["state"] in allowed, jobs[number]
        assert jobs[number]["name"] == ledger.asked[key]["name"]
    merges = [job for job in jobs.values() if job["kind"] == "merge"]
    assert len(merges) == len(ledger.asked), "a request made more than one job"
    models = daemon.all("/models")
    made = [model for model in models if model["origin"] == "merged"]
    assert len({model["digest"] for model in made}) == len(made), "one content, two models"
    succeeded = [job for job in merges if job["state"] == "succeeded"]
    assert {job["model_id"] for job in succeeded} == {model["id"] for model in made}
    scores = daemon.all("/evaluations")
    pairs = [(score["model"]["id"], score["suite"]) for score in scores]
    assert len(set(pairs)) == len(pairs), "one model was scored twice on a suite"
    wanted = {(job["model_id"], suite) for job in succeeded for suite in job["suites"]}
    if allowed == ("succeeded",):
        assert set(pairs) == wanted
    else:
        assert set(pairs) <= wanted
    return len(jobs)


def check_folder(daemon, ignoring=()):
    """With the daemon stopped: nothing half-made is visible, nothing is left over."""
    state = daemon.state
    answer = subprocess.run([str(binary()), "doctor", "--state", str(state), "--json"], capture_output=True,
                            text=True, timeout=120)
    found = json.loads(answer.stdout)
    findings = [finding for finding in found["findings"] if finding["what"] not in ignoring]
    assert not findings, findings
    for path in (state / "staging").iterdir():
        raise AssertionError(f"left in staging: {path}")
    return found["files_checked"]


def workers_of(pid):
    """Process ids of `crucible work` children of any daemon on this state: by parent or orphaned."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if len(command) > 1 and command[1] == b"work" and (pid is None or parent == pid):
                found.append(int(entry.name))
    return found


def write_results(path, name, facts):
    """Dated results: what ran, on what, with which seed."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    digest = hashlib.sha256(binary().read_bytes()).hexdigest()[:16]
    result = {"campaign": name, "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
              "commit": commit.stdout.strip() or "none", "binary_sha256": digest,
              "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}", **facts}
    if path:
        path = pathlib.Path(path)
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
    return result


def seeded(seed):
    random_source = random.Random(seed)
    print(f"seed {seed}", file=sys.stderr)
    return random_source
