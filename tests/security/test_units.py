"""The files in deploy/ that run the daemon as a service, held against the daemon itself."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest
import requests
import yaml
from scenario_fixtures import FAMILY, SUITES, Daemon, binary, linear, wait_until

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
UNIT = DEPLOY / "crucible.service"
MOST_EXPOSED = 1.5  # of 10, by systemd's own count
METRIC = re.compile(r"\b(?:crucible|process)_[a-z0-9_]+\b")

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")


class Started(Daemon):
    """A daemon whose command and environment a test prepares."""

    prefix = ()
    environment = {}
    descriptors = ()

    def command(self):
        return [*self.prefix, *super().command()]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, pass_fds=self.descriptors,
                                            env={**os.environ, **self.environment})
        note = self.state / "daemon.json"

        def written():
            assert self.process.poll() is None, self.log.read_text()
            return note.exists()

        wait_until(written, "the daemon listens", 20)
        self.url = json.loads(note.read_text())["url"]
        self.token = (self.state / "token").read_text().strip()
        return self


@pytest.fixture
def prepared(tmp_path):
    daemons = []

    def make(*flags):
        daemons.append(Started(tmp_path / "state", FAMILY, FAMILY / "suites", *flags))
        return daemons[-1]

    yield make
    for one in daemons:
        one.close()


@contextlib.contextmanager
def notify_socket(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        receiver.settimeout(20)
        yield receiver


def activated(daemon):
    """Starts the daemon as systemd does for crucible.socket; returns the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    descriptor = listener.fileno()
    daemon.prefix = ("bash", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{descriptor}', "bash")
    daemon.descriptors = (descriptor,)
    return listener


@needs_systemd
def test_the_unit_is_hardened():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           f"--threshold={int(MOST_EXPOSED * 10)}", UNIT], capture_output=True, text=True,
                          check=False)
    exposure = float(re.search(r"Overall exposure level for crucible.service: ([\d.]+)", done.stdout).group(1))
    assert done.returncode == 0 and exposure <= MOST_EXPOSED, done.stdout
    assert "Unknown" not in done.stderr and "Failed" not in done.stderr, done.stderr


@needs_systemd
def test_the_units_can_be_read(tmp_path):
    for name in ("crucible.service", "crucible.socket"):
        text = (DEPLOY / name).read_text().replace("/usr/local/bin/crucible", str(binary()))
        (tmp_path / name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / "crucible.service",
                           tmp_path / "crucible.socket"], capture_output=True, text=True, check=False)
    assert str(tmp_path) not in done.stderr, done.stderr


@needs_systemd
def test_jobs_run_under_the_units_restrictions(prepared):
    daemon = prepared()
    daemon.prefix = (sys.executable, str(pathlib.Path(__file__).with_name("unit_restrictions.py")), str(UNIT))
    daemon.start()
    daemon.register("base", "sums", "words")
    job = daemon.merge(linear(("sums", 0.5), ("words", 0.5)), SUITES)
    done = daemon.wait_job(job["id"])
    assert done["state"] == "succeeded", done
    assert all(job["state"] == "succeeded" for job in daemon.wait_all())
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    code, _ = daemon.stop()
    assert code == 0


def test_readiness_watchdog_and_end_are_told(prepared, tmp_path):
    daemon = prepared()
    with notify_socket(tmp_path / "notify") as manager:
        daemon.prefix = ("bash", "-c", 'WATCHDOG_PID=$$ exec "$@"', "bash")
        daemon.environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        daemon.start()
        assert b"READY=1" in manager.recv(4096)
        for _ in range(3):
            assert manager.recv(4096) == b"WATCHDOG=1"
        # A daemon that stands still says nothing, so that it is started again.
        os.kill(daemon.process.pid, 19)
        manager.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(4):
                manager.recv(4096)
        os.kill(daemon.process.pid, 18)
        manager.settimeout(20)
        assert manager.recv(4096) == b"WATCHDOG=1"
        daemon.process.terminate()
        said = b""
        while b"STOPPING=1" not in said:
            said = manager.recv(4096)
        assert daemon.process.wait(20) == 0


def test_a_socket_that_was_handed_over_is_used(prepared):
    daemon = prepared()
    with activated(daemon) as listener:
        port = listener.getsockname()[1]
        # Asked before anybody listens: the answer comes when the daemon is there.
        with socket.create_connection(("127.0.0.1", port), timeout=30) as early:
            early.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            daemon.start()
            assert early.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert daemon.url == f"http://127.0.0.1:{port}"
        daemon.kill()
        daemon.start()
        assert requests.get(daemon.url + "/healthz", timeout=10).status_code == 200


def test_what_is_no_socket_is_refused(prepared, tmp_path):
    daemon = prepared()
    with open(tmp_path / "file", "wb") as file:
        daemon.prefix = ("bash", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{file.fileno()}', "bash")
        daemon.descriptors = (file.fileno(),)
        with pytest.raises(AssertionError, match="no listening TCP socket"):
            daemon.start()


def test_the_dashboard_and_the_alerts_show_what_there_is(daemon):
    daemon.register("base", "sums")
    daemon.wait_job(daemon.merge(linear(("base", 0.5), ("sums", 0.5)))["id"])
    text = requests.get(daemon.url + "/metrics", headers=daemon.with_token(), timeout=10).text
    exported = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    dashboard = json.loads((DEPLOY / "grafana" / "crucible.json").read_text())
    shown = [query["expr"] for panel in dashboard["panels"] for query in panel["targets"]]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "crucible.rules.yaml").read_text())
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(shown) > 15 and len(alerts) > 5
    for expression in shown + alerts:
        for name in METRIC.findall(expression):
            assert name in exported, (name, expression)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_log_lines_say_what_they_are_about(make_daemon):
    daemon = make_daemon("--log-format", "json", "--log-level", "debug").start()
    daemon.register("base", "sums")
    job = daemon.wait_job(daemon.merge(linear(("base", 0.5), ("sums", 0.5)))["id"])
    answer = daemon.call("GET", f"/jobs/{job['id']}")
    wait_until(lambda: answer.headers["X-Request-Id"] in daemon.log.read_text(), "the request is logged", 10)
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert all({"at", "level", "message"} <= set(line) for line in lines)
    (asked,) = [line for line in lines if line.get("request_id") == answer.headers["X-Request-Id"]]
    assert asked["method"] == "GET" and asked["status"] == 200 and asked["seconds"] >= 0
    about = [line for line in lines if line.get("job") == job["id"]]
    assert about and about[0]["attempt"] == 1, lines


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no Debian system")
def test_the_container_has_the_libraries_of_the_binary():
    """No container is built here; what can be held against the binary is."""
    text = (DEPLOY / "Containerfile").read_text()
    final = text[text.index("FROM debian:12-slim"):]
    assert "USER 7345" in final and "HEALTHCHECK" in final and "--cap-drop all" in text
    listed = set(re.findall(r"\b(?:lib[a-z0-9.+-]+)", final))
    needed = set()
    for line in subprocess.run(["ldd", binary()], capture_output=True, text=True, check=True).stdout.splitlines():
        found = re.search(r"=> (/\S+)", line)
        if found:
            path = str(pathlib.Path(found.group(1)).resolve())
            # Packages name some files without the /usr that the directories were merged into.
            owner = subprocess.run(["dpkg", "-S", path, path.removeprefix("/usr")], capture_output=True,
                                   text=True, check=False).stdout
            assert owner, path
            needed.add(owner.split(":")[0])
    base = {"libc6", "libgcc-s1", "libstdc++6"}  # of debian:12-slim, or needed by all that are listed
    implied = subprocess.run(["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests",
                              "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", *sorted(listed)],
                             capture_output=True, text=True, check=False).stdout.split()
    assert needed - base <= set(implied) | listed, needed - base - set(implied) - listed


def test_a_daemon_leaves_no_core_and_no_door_to_its_memory(daemon):
    limits = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)
    # The kernel gives the files of such a process to root.
    assert os.stat(f"/proc/{daemon.process.pid}/environ").st_uid == 0
