"""The lives of fail_calls.py: a daemon, or a command, with one failed call; then one without; then checks."""

import collections
import datetime
import pathlib
import shutil
import subprocess
import tempfile
import time

import campaign
import fail_call_checks as checks
import fail_call_control as control
import requests

SUITE = "sums"
MODELS = ("base", "sums")
RECIPE = ("merge_method: linear\ndtype: float32\nmodels:\n- {model: base, parameters: {weight: 0.25}}\n"
          "- {model: sums, parameters: {weight: 0.75}}\n")
PATIENCE_S = 20.0  # for one life
FAULT_LASTS_S = 0.4  # where all calls from the n-th on fail
ORDERLY = (0, 1, 3, 4, 5, 6)  # exit codes of a program that ended by itself (server/cli/exit_codes.hpp)


class Client:
    """One request with its key, sent again until it is acknowledged."""

    def __init__(self):
        self.job = None
        self.seen = {}  # job -> last state that was answered
        self.refusals = collections.Counter()  # by status; to be repeated until the answer is another
        self.refused = ""
        self.findings = []

    def register(self, daemon, tick):
        """Until both models are known."""
        deadline = time.monotonic() + PATIENCE_S
        missing = set(MODELS)
        while missing and time.monotonic() < deadline:
            tick()
            for name in sorted(missing):
                answer = daemon.call("POST", "/models", {"path": str(campaign.FAMILY / name), "name": name})
                if answer.ok:
                    missing.discard(name)
                else:
                    self.refuse(f"registering {name}", answer)
            time.sleep(0.03 if missing else 0)
        if missing:
            self.findings.append(f"not registered after {PATIENCE_S:.0f} s: {missing}; {self.refused}")

    def refuse(self, what, answer):
        self.refusals[answer.status_code] += 1
        self.refused = f"{what} was refused: {answer.status_code} {answer.text[:400]}"

    def submit(self, daemon):
        body = {"recipe": RECIPE, "suites": [SUITE], "name": "merged"}
        answer = daemon.call("POST", "/merges", body, "the key")
        if answer.status_code == 202:
            self.job = answer.json()["id"]
        else:
            self.refuse("the submission", answer)
        return self.job is not None

    def look(self, daemon):
        """All jobs, or None when the daemon does not say."""
        answer = daemon.call("GET", "/jobs?limit=100")
        if answer.status_code != 200:
            self.refusals[answer.status_code] += 1
            return None
        jobs = answer.json()["items"]
        for job in jobs:
            if self.seen.get(job["id"]) == "succeeded" != job["state"]:
                self.findings.append(f"job {job['id']} had succeeded and is {job['state']} now")
            self.seen[job["id"]] = job["state"]
        return jobs

    def hurry(self, daemon, job):
        """A full disk is waited out for half a minute: somebody who knows better says again."""
        if job["state"] != "retry_wait":
            return
        wait = datetime.datetime.fromisoformat(job["not_before"]) - datetime.datetime.now(datetime.UTC)
        if wait.total_seconds() > 1 and daemon.call("POST", f"/jobs/{job['id']}/cancel", {}).ok:
            daemon.call("POST", f"/jobs/{job['id']}/retry", {})

    def until_over(self, daemon, tick):
        """Asks and waits until all jobs are over."""
        deadline = time.monotonic() + PATIENCE_S
        jobs = None
        while time.monotonic() < deadline:
            tick()
            if self.job is not None or self.submit(daemon):
                jobs = self.look(daemon)
                if jobs and all(job["state"] in campaign.FINAL for job in jobs):
                    return jobs
                for job in jobs or ():
                    self.hurry(daemon, job)
            time.sleep(0.03)
        state = [(job["id"], job["state"], job.get("error")) for job in jobs or ()]
        self.findings.append(f"not over after {PATIENCE_S:.0f} s: {state}; {self.refused}")
        return jobs or []


class Life:
    """One fault (None = none): a life with it, one without, the checks."""

    def __init__(self, prepared, folder, fault, counted):
        self.prepared, self.fault, self.folder = prepared, fault, folder
        self.injection = control.Injection(folder, prepared.library, counted)
        self.findings = []
        self.ended = "in order"
        self.counts = {}

    def run(self):
        """What became of it, for the results."""
        if self.fault is not None:
            self.injection.arm(self.fault)
        try:
            self.with_fault()
            hits = self.injection.hits()
            self.counts = self.injection.counts()
            self.injection.disarm()
            self.without_fault()
        finally:
            self.leave()
        journal = self.injection.journal()
        self.check(journal)
        where = next((call for call in journal if call.injected), None)
        return {"hits": hits, "where": where.say(self.folder) if where else "", "ended": self.ended,
                "findings": [str(finding) for finding in self.findings]}


class DaemonLife(Life):
    """Scene "job": a daemon that knows the models gets a merge. "first start": on an empty folder, it gets models."""

    def __init__(self, prepared, folder, scene, fault=None):
        folder.mkdir()
        self.scene, state = scene, folder / "state"
        if scene == "job":
            shutil.copytree(prepared.template, state, copy_function=shutil.copy)
        else:
            state.mkdir(mode=0o700)
        super().__init__(prepared, folder, fault, (state, folder / "home" / "state", campaign.FAMILY))
        self.injection.mark(*prepared.needles)
        self.daemon = campaign.Daemon(state, environment=self.injection.environment)
        self.client = Client()
        self.findings = self.client.findings
        self.first_hit = None

    def tick(self):
        """Ends a lasting fault after a while."""
        if self.first_hit is None and self.injection.hits():
            self.first_hit = time.monotonic()
        elif self.first_hit is not None and time.monotonic() - self.first_hit > FAULT_LASTS_S:
            self.injection.disarm()

    def with_fault(self):
        try:
            self.daemon.start()
            if self.scene == "job":
                self.client.until_over(self.daemon, self.tick)
            else:
                self.client.register(self.daemon, self.tick)
        except campaign.DaemonEnded:
            self.ended = "at its start"
        except requests.ConnectionError:
            self.ended = "while it worked"
        except (requests.RequestException, AssertionError) as problem:
            self.findings.append(f"no answer: {type(problem).__name__} {str(problem)[:400]}")
        self.stop(may_fail=True)
        self.ended += "".join(f"; refused {status}: {self.client.refused}" for status in self.client.refusals
                              if status < 500)

    def stop(self, may_fail):
        """The daemon ends, by itself or because it is asked to."""
        process = self.daemon.process
        try:
            if self.ended == "in order" or not may_fail:
                process.terminate()
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.findings.append("it does not end")
            process.kill()
            process.wait()
            return
        code = process.returncode
        if code not in (ORDERLY if may_fail else (0,)):
            self.findings.append(f"the daemon ended with {code}")
        elif code != 0 and "[critical]" not in self.daemon.tail() and "[error]" not in self.daemon.tail():
            self.findings.append(f"it ended with {code} and does not say why: {self.daemon.tail()[-300:]}")
        if code != 0:
            self.ended += f" with {code}"

    def without_fault(self):
        self.client.refusals.clear()
        try:
            self.daemon.start()
            self.client.register(self.daemon, lambda: None)
            if self.client.job is not None and self.daemon.call(
                    "GET", f"/jobs/{self.client.job}").status_code != 200:
                self.findings.append("the acknowledged job is lost")
            jobs = self.client.until_over(self.daemon, lambda: None)
            for job in jobs:
                if job["state"] != "succeeded":
                    self.retry(job)
            self.findings += checks.effects(self.daemon, self.client.job, self.prepared.reference)
        except (campaign.DaemonEnded, requests.RequestException, AssertionError) as problem:
            self.findings.append(f"without fault: {type(problem).__name__} {str(problem)[:600]}")
        self.stop(may_fail=False)

    def retry(self, job):
        """What failed for good says why, and succeeds when somebody asks again."""
        if not (job.get("error") or {}).get("message"):
            self.findings.append(f"job {job['id']} is {job['state']} and does not say why")
        self.ended += f"; {job['kind']} {job['state']}: {(job.get('error') or {}).get('message', '')[:160]}"
        self.daemon.call("POST", f"/jobs/{job['id']}/retry", {})
        self.client.until_over(self.daemon, lambda: None)

    def leave(self):
        if self.daemon.process is not None and self.daemon.process.poll() is None:
            self.daemon.kill()

    def check(self, journal):
        state = self.daemon.state
        self.findings += checks.folder(state)
        self.findings += checks.files(state, self.prepared.reference)
        self.findings += checks.durability(state, journal, self.prepared.needles)
        if self.findings:
            self.findings.append(f"its log: {self.daemon.tail()[-1500:]}")


class CommandLife(Life):
    """Scene "backup": `crucible backup` of a state folder with a finished job. "restore": of a backup."""

    def __init__(self, prepared, folder, scene, fault=None):
        folder.mkdir()
        place = folder / "place"
        place.mkdir()
        super().__init__(prepared, folder, fault, (place, prepared.backup))
        self.state, self.backup, self.again = place / "state", place / "backup", folder / "again"
        if scene == "backup":
            self.call(None, "restore", prepared.backup, "--state", self.state)
            self.arguments = ("backup", self.backup, "--with-models", "--state", self.state)
            self.made = self.backup
        else:
            self.arguments = ("restore", prepared.backup, "--state", self.state)
            self.made = self.state

    def call(self, environment, *arguments):
        done = subprocess.run([str(campaign.binary()), *map(str, arguments)], env=environment, text=True,
                              capture_output=True, timeout=PATIENCE_S)
        if environment is None and done.returncode != 0:
            self.findings.append(f"without fault: {arguments[0]} ended with {done.returncode}: {done.stderr[-600:]}")
        return done

    def with_fault(self):
        done = self.call(self.injection.environment, *self.arguments)
        self.succeeded = done.returncode == 0
        if self.succeeded:
            return
        self.ended = f"with {done.returncode}"
        if done.returncode not in ORDERLY or not done.stderr.strip():
            self.findings.append(f"{self.arguments[0]} ended with {done.returncode}: {done.stderr[-600:]}")
        if self.made.exists():
            self.findings.append(f"{self.arguments[0]} failed, and its folder is there: {done.stderr[-300:]}")

    def without_fault(self):
        if self.fault is not None and not {"open", "remove"} & set(self.fault.families):  # it could remove them
            self.findings += [f"left over: {path}" for path in self.folder.glob("place/*.partial-*")]
        if not self.made.exists():
            self.call(None, *self.arguments)
        if self.made == self.backup:
            self.call(None, "restore", self.backup, "--state", self.again)
        else:
            self.again = self.state

    def leave(self):
        """Nothing runs."""

    def check(self, journal):
        for state in {self.state, self.again}:
            self.findings += checks.folder(state)
            self.findings += checks.files(state, self.prepared.reference)
        if self.succeeded:
            self.findings += checks.synced_tree(self.made, journal)


class Prepared:
    """A state folder with the models registered, what the job makes of it without fault, a backup of that."""

    def __init__(self, folder):
        self.folder = folder
        self.library = control.build(folder)
        self.needles = ("", "")
        self.reference = checks.Reference()
        self.template = folder / "template" / "state"
        self.backup = folder / "backup"
        self.template.parent.mkdir()
        daemon = campaign.Daemon(self.template).start()
        Client().register(daemon, lambda: None)
        daemon.stop()
        first = self.without_fault("job")
        self.reference = checks.Reference.of(first.daemon.state)
        self.needles = self.reference.needles()
        subprocess.run([str(campaign.binary()), "backup", str(self.backup), "--with-models", "--state",
                        str(first.daemon.state)], check=True, stdout=subprocess.DEVNULL)
        second = self.without_fault("job")
        marks = {mark for call in second.injection.journal() for mark in call.operation.split()}
        assert {"0", "1"} <= marks, "the journal does not show the commits"
        self.counts = {scene: self.without_fault(scene).counts for scene in SCENES}

    def without_fault(self, scene):
        life = SCENES[scene](self, pathlib.Path(tempfile.mkdtemp(dir=self.folder)) / "life", scene)
        facts = life.run()
        assert not facts["findings"], facts
        return life


SCENES = {"job": DaemonLife, "first start": DaemonLife, "backup": CommandLife, "restore": CommandLife}
