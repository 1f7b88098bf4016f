"""Nothing is lost: kills, restarts, cancels, retries."""

import os
import signal
import subprocess
import time

import pytest
import requests
from conftest import SUITES, linear, wait_until


def attempts_of(daemon, job_id):
    """How often a worker was started for the job."""
    return sum(event["state"] == "running" and event["type"] == "state" and
               event["message"].startswith("worker ") for _, event in daemon.events(job_id))


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.3, 0.6, 1.0])
def test_a_killed_daemon_loses_and_repeats_nothing(make_daemon, delay):
    daemon = make_daemon("--retry-delay-ms", "50").start()
    acknowledged = [
        daemon.merge(linear(("sums", 1), ("words", weight)), ["sums", "words"], name=f"m{weight}")["id"]
        for weight in (1, 2, 3)]
    time.sleep(delay)
    daemon.kill()
    started = time.monotonic()
    daemon.start()
    assert time.monotonic() - started < 5
    jobs = {job["id"]: job for job in daemon.wait_all()}
    for job_id in acknowledged:
        assert jobs[job_id]["state"] == "succeeded", jobs[job_id]
        assert len(jobs[job_id]["children"]) == 2
    assert {job["state"] for job in jobs.values()} == {"succeeded"}
    merged = [model for model in daemon.get("/models")["items"] if model["origin"] == "merged"]
    assert sorted(model["name"] for model in merged) == ["m1", "m2", "m3"]
    assert daemon.folders("models") == sorted(model["digest"] for model in merged)
    assert daemon.folders("staging") == []
    evaluations = daemon.get("/evaluations")["items"]
    assert len(evaluations) == 6
    assert len({(item["model"]["id"], item["suite"]) for item in evaluations}) == 6
    succeeded = [event for _, event in daemon.events(acknowledged[0]) if event["state"] == "succeeded"]
    assert len(succeeded) == 1


def test_workers_die_with_their_daemon(make_daemon, slow_suites):
    daemon = make_daemon(suites=slow_suites).start()
    daemon.register("sums")
    job = daemon.post("/evaluations", {"model": "sums", "suites": ["slow"]})["items"][0]
    pid = daemon.worker_pid(job["id"])
    os.kill(pid, 0)
    daemon.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or
               open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z",
               "the worker is gone", 5)


def test_a_killed_worker_is_tried_again_once(make_daemon, slow_suites):
    daemon = make_daemon("--retry-delay-ms", "50", suites=slow_suites).start()
    daemon.register("sums")
    job = daemon.post("/evaluations", {"model": "sums", "suites": ["slow"]})["items"][0]
    os.kill(daemon.worker_pid(job["id"]), signal.SIGKILL)
    wait_until(lambda: daemon.job(job["id"])["attempt"] == 2 and
               daemon.job(job["id"])["state"] == "running", "a second attempt")
    assert "signal 9" in daemon.job(job["id"])["error"]["message"]
    # Twice on the same job is poison.
    second = [event["message"] for event in running_events(daemon, job["id"])][-1]
    os.kill(int(second.split()[1]), signal.SIGKILL)
    dead = daemon.wait_job(job["id"])
    assert dead["state"] == "dead" and dead["attempt"] == 2
    retried = daemon.call("POST", f"/jobs/{job['id']}/retry")
    assert retried.status_code in (200, 202) and retried.json()["state"] in ("queued", "leased", "running")
    assert daemon.wait_job(job["id"])["state"] == "succeeded"
    log = requests.get(daemon.url + f"/api/v1/jobs/{job['id']}/log", headers=daemon.with_token(), timeout=10).text
    assert "attempt 3" in log


def running_events(daemon, job_id):
    """Events so far that announce a worker."""
    events = []
    answer = requests.get(daemon.url + f"/api/v1/jobs/{job_id}/events", headers=daemon.with_token(), stream=True, timeout=5)
    import json
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("data:"):
            event = json.loads(line[5:])
            if event["message"].startswith("worker "):
                events.append(event)
            if len(events) == daemon.job(job_id)["attempt"]:
                break
    answer.close()
    return events


def test_cancel_ends_the_worker_and_cleans_up(make_daemon, slow_suites):
    daemon = make_daemon(suites=slow_suites).start()
    daemon.register("sums", "words")
    running, waiting = (
        daemon.post("/evaluations", {"model": model, "suites": ["slow"]})["items"][0]["id"]
        for model in ("sums", "words"))
    pid = daemon.worker_pid(running)
    assert daemon.call("POST", f"/jobs/{waiting}/cancel").json()["state"] == "cancelled"
    started = time.monotonic()
    assert daemon.call("POST", f"/jobs/{running}/cancel").json()["cancel_requested"]
    assert daemon.wait_job(running)["state"] == "cancelled"
    assert time.monotonic() - started < 12
    assert not os.path.exists(f"/proc/{pid}")
    assert daemon.folders("staging") == []
    assert daemon.call("POST", f"/jobs/{running}/cancel").status_code == 409
    assert daemon.get("/evaluations")["items"] == []
    assert daemon.call("POST", f"/jobs/{waiting}/retry").status_code in (200, 202)
    assert daemon.wait_job(waiting)["state"] == "succeeded"


def test_a_stop_drains_and_costs_no_attempt(make_daemon, slow_suites):
    daemon = make_daemon(suites=slow_suites).start()
    daemon.register("sums")
    job = daemon.post("/evaluations", {"model": "sums", "suites": ["slow"]})["items"][0]
    daemon.worker_pid(job["id"])
    code, seconds = daemon.stop()
    assert code == 0 and seconds < 15
    assert not (daemon.state / "daemon.json").exists()
    daemon.start()
    done = daemon.wait_job(job["id"])
    assert done["state"] == "succeeded" and done["error"] is None


def test_one_daemon_a_state_folder(make_daemon):
    first = make_daemon().start()
    second = subprocess.run(first.command(), capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode != 0
    assert "another daemon" in second.stderr
    assert first.get("/jobs")["items"] == []
    assert (first.state.stat().st_mode & 0o777) == 0o700


def test_events_resume_where_they_stopped(daemon):
    job = daemon.merge(linear(("sums", 1), ("words", 1)), ["sums"])
    daemon.wait_all()
    events = daemon.events(job["id"])
    states = [event["state"] for _, event in events if event["type"] == "state"]
    assert states == ["queued", "leased", "running", "publishing", "succeeded"]
    numbers = [number for number, _ in events]
    assert numbers == sorted(set(numbers))
    answer = requests.get(daemon.url + f"/api/v1/jobs/{job['id']}/events", stream=True, timeout=30,
                          headers=daemon.with_token({"Last-Event-ID": str(numbers[1])}))
    text = ""
    for line in answer.iter_lines(decode_unicode=True):
        text += line + "\n"
        if line.startswith("event: end") or line.startswith("event:end"):
            break
    answer.close()
    seen = [int(line[3:]) for line in text.splitlines() if line.startswith("id:")]
    assert [number for number in seen if number in numbers] == numbers[2:]


def test_a_changed_model_is_not_merged_under_its_old_name(make_daemon, tmp_path):
    import shutil
    from conftest import FAMILY
    models = tmp_path / "models"
    for name in ("sums", "words"):
        shutil.copytree(FAMILY / name, models / name)
    daemon = make_daemon(models=models).start()
    daemon.register("sums", "words")
    shutil.copy(FAMILY / "feelings" / "model.safetensors", models / "sums" / "model.safetensors")
    answer = daemon.call("POST", "/merges", {"recipe": linear(("sums", 1), ("words", 1))})
    assert answer.status_code == 422
    assert "changed" in answer.text


def test_a_cancelled_sweep_stops(make_daemon, slow_suites):
    daemon = make_daemon(suites=slow_suites).start()
    recipe = linear(("sums", 1), ("words", "${w}"))
    sweep = daemon.post("/sweeps", {"recipe": recipe, "parameter": "w", "values": [1, 2, 3, 4],
                                    "suites": ["slow"]})
    daemon.wait_job(sweep["trials"][0]["job_id"])
    assert daemon.call("POST", f"/sweeps/{sweep['id']}/cancel").status_code in (200, 202)
    daemon.wait_all()
    sweep = daemon.get(f"/sweeps/{sweep['id']}")
    assert sweep["state"] == "cancelled"
    assert "cancelled" in {trial["state"] for trial in sweep["trials"]}
