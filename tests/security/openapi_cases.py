"""Schemathesis against the running binary: examples, coverage, fuzzing, stateful sequences.

    tests/security/openapi_cases.py [--examples N] [--results FOLDER]

Cases are made from schemas/openapi.yaml as the daemon serves it, with an admin's token. Every answer must be
one that the description names, in its schema, and none may be a 5xx but those it names. Left out are streams
that do not end, backups, pausing the queue and revoking the token in use. Schemathesis lies in a virtual
environment of its own below the cache folder; the first run installs it. Writes a dated JSON file.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "scenario"))
from conftest import FAMILY, Daemon  # noqa: E402

VERSION = "4.32.5"
LEFT_OUT = ("streamEvents", "streamJobEvents", "backUp", "pauseQueue", "resumeQueue", "revokeToken")


def tool():
    """The command `st` of the pinned version."""
    cache = pathlib.Path(os.environ.get("CRUCIBLE_CACHE", pathlib.Path.home() / ".cache" / "crucible"))
    venv = cache / f"schemathesis-{VERSION}"
    if not (venv / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "-q", f"schemathesis=={VERSION}"], check=True)
        (venv / "ready").touch()
    return venv / "bin" / "st"


def operations():
    """Ids of the description that are left out, as far as it has them."""
    text = (ROOT / "schemas" / "openapi.yaml").read_text()
    known = set(re.findall(r"operationId: (\w+)", text))
    streams = set(re.findall(r"operationId: (\w*[eE]vents\w*)", text))
    return sorted((set(LEFT_OUT) & known) | streams)


def seeded_daemon(folder):
    """A daemon with models, jobs and a sweep to find, whose queue stands still."""
    daemon = Daemon(pathlib.Path(folder) / "state", FAMILY, FAMILY / "suites").start()
    daemon.register("base", "sums", "words", "feelings")
    recipe = (FAMILY / "slerp.yml").read_text()
    job = daemon.merge(recipe, ["sums"])
    daemon.wait_job(job["id"])
    daemon.wait_all()
    daemon.post("/queue/pause", {}, 200)
    daemon.post("/searches", {"document": (FAMILY / "sweep-weights.yml").read_text()})
    return daemon


def run(daemon, examples):
    checks = "not_a_server_error,status_code_conformance,content_type_conformance," \
             "response_headers_conformance,response_schema_conformance"
    command = [str(tool()), "run", daemon.url + "/openapi.json", "--header",
               f"Authorization: Bearer {daemon.token}", "--phases", "examples,coverage,fuzzing,stateful",
               "--checks", checks, "--max-examples", str(examples), "--seed", "1", "--no-color",
               "--request-timeout", "30"]
    for operation in operations():
        command += ["--exclude-operation-id", operation]
    with tempfile.TemporaryDirectory() as scratch:  # it leaves a database of examples where it runs
        return subprocess.run(command, capture_output=True, text=True, cwd=scratch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=250, help="an operation")
    parser.add_argument("--results", type=pathlib.Path, help="folder of the dated JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        daemon = seeded_daemon(folder)
        try:
            done = run(daemon, options.examples)
            alive = daemon.process.poll() is None
        finally:
            daemon.close()
        log = daemon.log.read_text()
    counts = re.search(r"Test cases:\s*\n\s*([\d,]+) generated(.*)", done.stdout)
    result = {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
              "cases": int(counts.group(1).replace(",", "")) if counts else 0,
              "counts": counts.group(2).strip(" ,") if counts else "", "passed": done.returncode == 0 and alive,
              "daemon_alive": alive, "left_out": operations()}
    print(json.dumps(result, indent=1))
    if not result["passed"]:
        print(done.stdout[-6000:] + done.stderr[-2000:] + log[-2000:])
    if options.results:
        options.results.mkdir(parents=True, exist_ok=True)
        stamp = result["date"].replace(":", "")
        (options.results / f"openapi_cases-{stamp}.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
