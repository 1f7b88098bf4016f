"""What a worker can still do after it was taken over: nothing but its work."""

import errno
import json
import os
import pathlib
import re
import socket
import subprocess

import pytest
import requests
from scenario_fixtures import FAMILY, binary, linear

DENIED = {errno.EPERM, errno.EACCES, errno.ENOSYS}
LIMITED = {"memory beyond the limit": errno.ENOMEM, "a file beyond the limit": errno.EFBIG}
# Denied to ordinary users also without a sandbox.
PRIVILEGED = {"read shadow", "read environ", "read maps", "read mem", "mount", "a namespace", "bpf",
              "userfaultfd", "perf"}
MEMORY = 1 << 30


def hostile_worker():
    path = binary().parent / "tests" / "hostile_worker"
    if not path.exists():
        pytest.fail(f"no {path}; it is built with the tests")
    return path


def spec_of(state):
    staging = state / "staging" / "1.1"
    staging.mkdir(parents=True, exist_ok=True)
    model = FAMILY / "sums"
    return {"kind": "evaluation", "model_folder": str(model), "model_name": "sums", "model_digest": "0" * 64,
            "endpoint": None, "judge": None, "suite_file": str(FAMILY / "suites" / "sums.yaml"),
            "datasets": [], "cache": "", "threads": 1, "out": str(staging / "report"),
            "sandbox": {"required": True, "memory_bytes": MEMORY, "roots": [str(FAMILY)], "trusted": []}}


@pytest.fixture
def attempts(daemon):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)

        def run(*flags):
            command = [hostile_worker(), *flags, daemon.state, str(os.getpid()), str(listener.getsockname()[1])]
            done = subprocess.run(command, input=json.dumps(spec_of(daemon.state)), capture_output=True,
                                  text=True, timeout=60, check=False)
            assert done.returncode == 0, (done.returncode, done.stderr)
            return json.loads(done.stdout)

        yield run


def test_a_hostile_worker_is_denied_everything(attempts):
    results = attempts()
    assert len(results) > 35
    for name, result in results.items():
        if name.startswith("work: "):
            assert result == 0, (name, os.strerror(result))
        elif name in LIMITED:
            assert result == LIMITED[name], (name, result)
        else:
            assert result in DENIED, (name, result)


def test_without_the_sandbox_the_same_attempts_succeed(attempts):
    results = attempts("--free")
    for name, result in results.items():
        if os.getuid() == 0 or name not in PRIVILEGED:
            # A file of a terabyte may be more than this file system takes.
            assert result in (0, errno.EFBIG if name in LIMITED else 0), (name, os.strerror(result))


def test_workers_say_what_confines_them(daemon):
    daemon.register("base", "sums")
    job = daemon.wait_job(daemon.merge(linear(("base", 0.5), ("sums", 0.5)), ["sums"])["id"])
    assert job["state"] == "succeeded", job
    logs = list((daemon.state / "logs").rglob("*"))
    texts = [path.read_text() for path in logs if path.is_file()]
    assert any(re.search(r"^sandbox: landlock \d+, seccomp$", text, re.MULTILINE) for text in texts), logs
    metrics = requests.get(daemon.url + "/metrics", headers=daemon.with_token(), timeout=10).text
    assert re.search(r"^crucible_sandbox [1-9]", metrics, re.MULTILINE)


def test_workers_have_no_secrets_in_their_environment(make_daemon, monkeypatch, tmp_path):
    monkeypatch.setenv("CRUCIBLE_CANARY", "canary-4711")
    monkeypatch.setenv("HF_TOKEN", "canary-4711")
    monkeypatch.setenv("OPENAI_API_KEY", "canary-4711")
    daemon = make_daemon().start()
    daemon.register("base", "sums")
    job = daemon.merge(linear(("base", 0.25), ("sums", 0.75)))
    environments = set()
    while daemon.job(job["id"])["state"] not in ("succeeded", "failed", "dead"):
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                status = (folder / "status").read_text()
                # Between fork and exec a child still shows the daemon's own environment.
                if (f"PPid:\t{daemon.process.pid}\n" in status
                        and (folder / "cmdline").read_bytes().split(b"\0")[1:2] == [b"work"]):
                    environments.add((folder / "environ").read_bytes())
            except OSError:
                continue
    for environment in environments:
        assert b"canary" not in environment


def test_off_is_said_and_works(make_daemon):
    daemon = make_daemon("--sandbox", "off").start()
    daemon.register("base", "sums")
    job = daemon.wait_job(daemon.merge(linear(("base", 0.5), ("sums", 0.5)))["id"])
    assert job["state"] == "succeeded"
    assert "sandbox: off" in daemon.log.read_text()
    metrics = requests.get(daemon.url + "/metrics", headers=daemon.with_token(), timeout=10).text
    assert "\ncrucible_sandbox 0" in metrics
