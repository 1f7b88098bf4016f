"""Sweeps that search: found, killed, paused, extended, exported."""

import csv
import io
import json
import pathlib
import sqlite3
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from conftest import FAMILY, binary, wait_until

DOCUMENT = (FAMILY / "sweep-weights.yml").read_text()


def small(**changes):
    """The family's document with fewer trials."""
    document = DOCUMENT.replace("trials: 60", "trials: 12")
    return {"document": document, "name": "small", **changes}


def wait_sweep(daemon, sweep_id, *states):
    return wait_until(lambda: (sweep := daemon.get(f"/sweeps/{sweep_id}"))["state"] in states and sweep,
                      f"sweep {sweep_id} {states}")


def trials(daemon, sweep_id):
    return daemon.get(f"/sweeps/{sweep_id}/trials?limit=10000")["items"]


@pytest.fixture
def daemon(make_daemon):
    daemon = make_daemon().start()
    daemon.register("base", "sums", "words", "feelings")
    return daemon


def test_the_winner_becomes_a_model_with_scores_and_says_how_sure_it_is(daemon):
    sweep = daemon.post("/searches", small())
    assert sweep["state"] in ("queued", "running")
    sweep = wait_sweep(daemon, sweep["id"], "succeeded", "failed")
    assert sweep["state"] == "succeeded", sweep
    result = sweep["search"]["result"]
    assert result["winner"]["report"]["low"] < result["winner"]["report"]["score"]
    assert {one["name"] for one in result["references"]} == {
        "parent base", "parent sums", "parent words", "parent feelings", "default"}
    assert result["winner"]["name"] in result["verdict"]
    found = trials(daemon, sweep["id"])
    assert len([one for one in found if one["trial"] is not None]) == 12
    assert all(one["seen"] > 0 for one in found)
    # Its merge and evaluations follow by themselves; the model knows where it comes from.
    job = daemon.job(sweep["search"]["job_id"])
    merge = daemon.wait_job(job["children"][0])
    assert merge["state"] == "succeeded"
    model = daemon.get(f"/models/{merge['model_id']}")
    assert model["sweep_id"] == sweep["id"]
    assert model["name"] == f"small-{result['winner']['name']}"
    for child in merge["children"]:
        assert daemon.wait_job(child)["state"] == "succeeded"
    # The trials were never written.
    assert len(list((daemon.state / "models").iterdir())) == 1


def same_result(one, other):
    return json.dumps(one["search"]["result"], sort_keys=True) == json.dumps(
        other["search"]["result"], sort_keys=True)


def test_a_killed_daemon_goes_on_with_the_same_trials(daemon, make_daemon):
    whole = daemon.post("/searches", small(name="whole"))
    whole = wait_sweep(daemon, whole["id"], "succeeded")
    wanted = [(one["name"], one["values"]) for one in trials(daemon, whole["id"])]
    broken = daemon.post("/searches", small(name="broken"))
    for _ in range(3):
        before = daemon.get(f"/sweeps/{broken['id']}")["search"]["evaluations"]
        wait_until(lambda: daemon.get(f"/sweeps/{broken['id']}")["search"]["evaluations"] > before
                   or daemon.get(f"/sweeps/{broken['id']}")["state"] == "succeeded", "progress")
        daemon.kill()
        daemon.start()
    after = wait_sweep(daemon, broken["id"], "succeeded", "failed")
    assert [(one["name"], one["values"]) for one in trials(daemon, broken["id"])] == wanted
    assert same_result(whole, after)


def test_pause_resume_extend_and_fork(daemon):
    sweep = daemon.post("/searches", {"document": DOCUMENT, "name": "long"})
    wait_until(lambda: daemon.get(f"/sweeps/{sweep['id']}")["search"]["evaluations"] > 0, "a start")
    wait_until(lambda: daemon.get(f"/sweeps/{sweep['id']}")["search"]["eta_seconds"], "a pace")
    daemon.post(f"/sweeps/{sweep['id']}/pause")
    paused = wait_sweep(daemon, sweep["id"], "paused")
    assert paused["search"]["eta_seconds"] is None
    kept = paused["search"]["evaluations"]
    assert kept > 0
    assert daemon.call("POST", f"/sweeps/{sweep['id']}/pause").status_code == 409
    daemon.post(f"/sweeps/{sweep['id']}/resume")
    done = wait_sweep(daemon, sweep["id"], "succeeded")
    assert done["search"]["evaluations"] > kept
    assert daemon.call("POST", f"/sweeps/{sweep['id']}/resume", {}).status_code == 409
    more = daemon.post(f"/sweeps/{sweep['id']}/resume", {"budget": {"trials": 70}})
    assert more["state"] in ("queued", "running")
    more = wait_sweep(daemon, sweep["id"], "succeeded")
    assert more["search"]["result"]["race"]["trials"] == 70
    fork = daemon.post(f"/sweeps/{sweep['id']}/fork", {"trial": 3})
    assert fork["name"] == f"fork-of-{sweep['id']}-t3"
    assert '"start"' in fork["search"]["document"]
    daemon.post(f"/sweeps/{fork['id']}/cancel")
    wait_sweep(daemon, fork["id"], "cancelled")


def test_faults_come_before_any_work(daemon):
    def faults(document):
        answer = daemon.call("POST", "/searches", {"document": document})
        assert answer.status_code in (404, 422), answer.text
        return [(one["pointer"], one["message"]) for one in answer.json()["errors"]]

    def paths(document):
        return [pointer for pointer, _ in faults(document)]

    assert "#/document/space/sums/float" in paths(DOCUMENT.replace("sums: {float: [0, 1.2]", "sums: {float: [2, 1.2]"))
    assert any("model" in pointer for pointer in paths(DOCUMENT.replace("model: words", "model: nowhere")))
    assert any("suites" in pointer for pointer in paths(DOCUMENT.replace("suites: [sums", "suites: [sumz")))
    assert "#/document/budget/items" in paths(DOCUMENT.replace("trials: 60", "items: 100"))
    assert daemon.get("/sweeps")["items"] == []
    assert daemon.get("/jobs")["items"] == []


def command(daemon, *arguments, code=0):
    done = subprocess.run([str(binary()), *arguments, "--server", daemon.url, "--token-file",
                           str(daemon.state / "token")], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


def test_the_command_line(daemon, tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text(small()["document"])
    out = command(daemon, "sweep", "start", str(file), "--name", "mine", "--watch")
    assert "items that the sweep did not see" in out
    table = list(csv.DictReader(io.StringIO(command(daemon, "sweep", "trials", "1", "--format", "csv"))))
    assert len(table) == 12 + 5
    assert {"name", "trial", "standing", "estimate", "sums", "words", "feelings"} <= set(table[0])
    as_json = json.loads(command(daemon, "sweep", "trials", "1", "--format", "json"))
    assert [one["name"] for one in as_json] == [row["name"] for row in table]
    study = tmp_path / "study.db"
    command(daemon, "sweep", "trials", "1", "--format", "optuna", "-o", str(study))
    with sqlite3.connect(study) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM trials GROUP BY state"))
        assert sum(states.values()) == 12
        assert connection.execute("SELECT count(*) FROM trial_params").fetchone() == (36,)
        best = connection.execute("SELECT max(value) FROM trial_values").fetchone()[0]
    assert best == max(one["estimate"] for one in as_json if one["standing"] == "racing" and one["trial"] is not None)
    recipe = tmp_path / "slerp.yml"
    recipe.write_text("merge_method: slerp\nbase_model: base\nmodels: [{model: base}, {model: sums}]\n"
                      "parameters: {t: 0.5}\ndtype: float32\n")
    out = command(daemon, "sweep", "start", str(recipe), "--vary", "parameters.t=0:1:5", "-s", "sums",
                  "--watch")
    assert "5 trials" in out


def test_without_a_daemon_the_same_bytes_come_again(tmp_path):
    def run(folder):
        subprocess.run([str(binary()), "sweep", "run", str(FAMILY / "sweep-weights.yml"), "--suites-dir",
                        str(FAMILY / "suites"), "-o", str(tmp_path / folder)], check=True,
                       capture_output=True, timeout=120)
        return (tmp_path / folder / "result.json").read_bytes()

    first = run("one")
    assert run("two") == first
    report = json.loads(first)
    verdicts = {one["name"]: one["verdict"] for one in report["references"]}
    assert set(verdicts.values()) == {"beats"}, verdicts
    # What was killed in the middle goes on to the same result.
    journal = (tmp_path / "one" / "journal.jsonl").read_text().splitlines()
    half = tmp_path / "half"
    half.mkdir()
    (half / "journal.jsonl").write_text("\n".join(journal[: len(journal) // 2]) + "\n{\"torn")
    assert run("half") == first
    assert pathlib.Path(tmp_path / "half" / "winner.yml").read_text().startswith("merge_method")


def test_the_operators_address_is_told_of_the_end(make_daemon):
    told, refusals = [], [503, 200, 200, 200]

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = refusals.pop(0) if refusals else 200
            if status == 200:
                told.append(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    listener = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        daemon = make_daemon("--webhook", f"http://127.0.0.1:{listener.server_port}/hook").start()
        daemon.register("base", "sums", "words", "feelings")
        sweep = daemon.post("/searches", small())
        wait_until(lambda: told, "the webhook")
    finally:
        listener.shutdown()
    assert told[0]["event"] == "sweep_finished"
    assert told[0]["sweep"]["id"] == sweep["id"]
    assert "items that the sweep did not see" in told[0]["sweep"]["search"]["result"]["verdict"]
