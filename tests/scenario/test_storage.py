"""Backups, restoring, garbage collection and the doctor, through the commands that people use."""

import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess

import pytest
from conftest import binary, linear, wait_until


def command(*arguments):
    return subprocess.run([str(binary()), *map(str, arguments)], capture_output=True, text=True, timeout=120)


def answer_of(*arguments, code=0):
    done = command(*arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def filled(daemon):
    """Two merged models, one of them scored; (daemon, models by name)."""
    daemon.register("base", "sums", "words")
    daemon.merge(linear(("base", 0.5), ("sums", 0.5)), ["sums"], name="scored")
    daemon.merge(linear(("base", 0.5), ("words", 0.5)), name="plain")
    daemon.wait_all()
    return daemon, {model["name"]: model for model in daemon.get("/models")["items"]}


def board(daemon):
    return [(row["model"]["name"], row["scores"]) for row in daemon.get("/leaderboard")["rows"]]


@pytest.mark.parametrize("online", [True, False])
def test_a_backup_comes_back(filled, make_daemon, tmp_path, online):
    daemon, models = filled
    before = board(daemon)
    if not online:
        daemon.stop()
    made = answer_of("backup", tmp_path / "backup", "--state", daemon.state, "--with-models")
    assert made["files"] > 10
    again = command("backup", tmp_path / "backup", "--state", daemon.state)
    assert again.returncode != 0 and "exists" in again.stderr
    daemon.stop()
    shutil.rmtree(daemon.state)
    restored = answer_of("restore", tmp_path / "backup", "--state", tmp_path / "elsewhere")
    assert restored["models_without_files"] == 0
    assert command("doctor", "--state", tmp_path / "elsewhere").returncode == 0
    revived = make_daemon(state=tmp_path / "elsewhere").start()
    assert board(revived) == before
    scored = revived.get("/evaluations")["items"][0]
    assert revived.call("GET", f"/evaluations/{scored['id']}/samples").status_code == 200
    # The restored model can be used: its folder is where the row says.
    job = revived.merge(linear(("scored", 0.5), ("base", 0.5)))
    assert revived.wait_job(job["id"])["state"] == "succeeded"


def test_without_models_recipes_make_them_again(filled, make_daemon, tmp_path):
    daemon, models = filled
    answer_of("backup", tmp_path / "backup", "--state", daemon.state)
    daemon.stop()
    restored = answer_of("restore", tmp_path / "backup", "--state", tmp_path / "new")
    assert restored["models_without_files"] == 2
    revived = make_daemon(state=tmp_path / "new").start()
    gone = revived.get(f"/models/{models['scored']['id']}")
    assert gone["removed_at"] is not None
    refused = revived.call("POST", "/merges", {"recipe": linear(("scored", 0.5), ("base", 0.5))})
    assert refused.status_code == 422 and "submit its recipe again" in refused.text
    assert revived.call("POST", "/evaluations", {"model": "scored", "suites": ["words"]}).status_code == 409
    job = revived.merge(linear(("base", 0.5), ("sums", 0.5)))
    assert revived.wait_job(job["id"])["model_id"] == gone["id"]
    back = revived.get(f"/models/{gone['id']}")
    assert back["removed_at"] is None and back["digest"] == gone["digest"]


@pytest.mark.parametrize("damage", ["flip", "truncate", "missing", "escape", "number", "format"])
def test_a_damaged_backup_is_refused_whole(filled, tmp_path, damage):
    daemon, models = filled
    backup = tmp_path / "backup"
    answer_of("backup", backup, "--state", daemon.state, "--with-models")
    victim = backup / "models" / models["plain"]["digest"] / "config.json"
    if damage == "flip":
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    elif damage == "truncate":
        os.truncate(backup / "crucible.db", 4096)
    elif damage == "missing":
        victim.unlink()
    else:
        manifest = json.loads((backup / "manifest.json").read_text())
        if damage == "escape":
            manifest["files"][1]["path"] = "../escaped"
        elif damage == "number":
            manifest["files"][1] = 1
        else:
            manifest["format"] = "1"
        (backup / "manifest.json").write_text(json.dumps(manifest))
    done = command("restore", backup, "--state", tmp_path / "new")
    assert done.returncode not in (0, 1) and done.stderr  # 1: a fault of the program's own
    assert not (tmp_path / "new").exists() and not (tmp_path / "escaped").exists()
    assert not list(tmp_path.glob("*.partial*"))


def test_a_backup_of_a_newer_program_is_refused(filled, tmp_path):
    daemon, _ = filled
    answer_of("backup", tmp_path / "backup", "--state", daemon.state)
    manifest = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    manifest["schema"] += 1
    (tmp_path / "backup" / "manifest.json").write_text(json.dumps(manifest))
    done = command("restore", tmp_path / "backup", "--state", tmp_path / "new")
    assert done.returncode != 0 and "newer" in done.stderr


def test_garbage_is_listed_first_and_needed_models_stay(filled):
    daemon, models = filled
    gc = ("gc", "--state", daemon.state)
    assert answer_of(*gc)["items"] == []
    folder = daemon.state / "models" / models["plain"]["digest"]
    listed = answer_of(*gc, "--model", "plain")
    assert [item["path"] for item in listed["items"]] == [str(folder)] and not listed["applied"]
    assert folder.exists()
    daemon.post(f"/models/{models['plain']['id']}/pin", {}, 200)
    pinned = command(*gc, "--model", "plain", "--apply")
    assert pinned.returncode != 0 and "pinned" in pinned.stderr and folder.exists()
    daemon.post("/models/plain/unpin", {}, 200)
    daemon.post("/queue/pause", {}, 200)
    job = daemon.merge(linear(("plain", 0.5), ("base", 0.5)))
    used = command(*gc, "--model", "plain", "--apply")
    assert used.returncode != 0 and f"job {job['id']}" in used.stderr and folder.exists()
    registered = command(*gc, "--model", "base", "--apply")
    assert registered.returncode != 0 and "registered" in registered.stderr
    daemon.post(f"/jobs/{job['id']}/cancel", {})
    removed = answer_of(*gc, "--model", "plain", "--apply")
    assert removed["applied"] and not folder.exists()
    assert daemon.folders("trash") == []
    assert daemon.get("/models/plain")["removed_at"] is not None
    assert answer_of(*gc)["items"] == []
    daemon.stop()
    assert command("doctor", "--state", daemon.state).returncode == 0


def test_old_models_go_but_for_the_best(filled):
    daemon, models = filled
    listed = answer_of("gc", "--state", daemon.state, "--older-than", "0", "--keep-best", "5")
    assert [item["path"] for item in listed["items"]] == [models["plain"]["path"]]
    everything = answer_of("gc", "--state", daemon.state, "--older-than", "0", "--keep-best", "0")
    assert len(everything["items"]) == 2
    assert answer_of("gc", "--state", daemon.state, "--older-than", "1")["items"] == []


def test_leftovers_and_old_logs_go(filled):
    daemon, models = filled
    daemon.stop()
    for path in ("models/" + "0" * 64, "models/" + models["plain"]["digest"] + ".damaged-1.1",
                 "evaluations/" + "1" * 64, "staging/77.1"):
        (daemon.state / path).mkdir()
        (daemon.state / path / "file").write_text("x" * 100)
    listed = answer_of("gc", "--state", daemon.state, "--log-days", "0", "--cache-size", "0")
    reasons = {item["reason"] for item in listed["items"]}
    assert len(reasons) == 5, reasons
    assert command("doctor", "--state", daemon.state).returncode == 1
    answer_of("gc", "--state", daemon.state, "--apply")
    assert command("doctor", "--state", daemon.state).returncode == 0
    daemon.start()
    assert len(board(daemon)) >= 1


def test_the_doctor_finds_what_was_done_to_files(filled, tmp_path):
    daemon, models = filled
    daemon.stop()
    healthy = answer_of("doctor", "--state", daemon.state)
    assert healthy["healthy"] and healthy["files_checked"] > 10 and healthy["schema"]
    files = [path for area in ("models", "evaluations") for path in (daemon.state / area).rglob("*")
             if path.is_file()]
    chance = random.Random(5)
    for path in files:
        data = path.read_bytes()
        flipped = bytearray(data)
        place = chance.randrange(len(data))
        flipped[place] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        found = answer_of("doctor", "--state", daemon.state, code=1)
        assert [finding["where"] for finding in found["findings"]] == [str(path)], (path, place)
        path.write_bytes(data)
    victim = files[0]
    victim.rename(tmp_path / "kept")
    assert "missing" in answer_of("doctor", "--state", daemon.state, code=1)["findings"][0]["what"]
    (tmp_path / "kept").rename(victim)
    (victim.parent / "stranger").write_text("x")
    assert "nobody" in answer_of("doctor", "--state", daemon.state, code=1)["findings"][0]["what"]
    (victim.parent / "stranger").unlink()
    os.chmod(daemon.state / "token", 0o644)
    assert "others" in answer_of("doctor", "--state", daemon.state, code=1)["findings"][0]["what"]


def test_the_doctor_finds_damage_in_the_database(filled):
    daemon, models = filled
    daemon.stop()
    with sqlite3.connect(daemon.state / "crucible.db") as database:
        database.execute("UPDATE models SET recipe = recipe || ' ' WHERE name = 'plain'")
    found = answer_of("doctor", "--state", daemon.state, code=1)
    whats = [finding["what"] for finding in found["findings"]]
    assert "not as the daemon left it" in whats[0]
    assert found["findings"][1]["where"] == "model plain"
    size = (daemon.state / "crucible.db").stat().st_size
    with open(daemon.state / "crucible.db", "r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 4096)
    assert answer_of("doctor", "--state", daemon.state, code=1)["findings"]
    with open(daemon.state / "crucible.db", "r+b") as file:
        file.write(b"not a database at all")
    findings = answer_of("doctor", "--state", daemon.state, code=1)["findings"]
    assert any("cannot be read" in finding["what"] for finding in findings)


def test_the_doctor_does_not_disturb_a_daemon(filled):
    daemon, _ = filled
    done = command("doctor", "--state", daemon.state)
    assert done.returncode not in (0, 1) and "stop it first" in done.stderr


def test_priorities_and_pauses_decide_what_runs(make_daemon):
    daemon = make_daemon().start()
    daemon.register("base", "sums")
    daemon.post("/queue/pause", {"kind": "merge"}, 200)
    jobs = [daemon.merge(linear(("base", weight), ("sums", 1.0)), priority=priority)
            for weight, priority in ((0.1, 0), (0.2, 5), (0.3, -5), (0.4, 5))]
    daemon.post(f"/jobs/{jobs[2]['id']}/priority", {"priority": 100}, 200)
    status = daemon.get("/queue")
    assert [(c["kind"], c["state"], c["jobs"]) for c in status["counts"]] == [("merge", "queued", 4)]
    assert status["pauses"][0]["kind"] == "merge" and status["oldest_queued"]["merge"]
    daemon.stop()
    daemon.start()  # a pause outlives the daemon
    assert daemon.get("/queue")["pauses"]
    daemon.post("/queue/resume", {}, 200)
    done = daemon.wait_all()
    order = sorted(done, key=lambda job: job["started_at"])
    assert [job["id"] for job in order] == [jobs[i]["id"] for i in (2, 1, 3, 0)]
    assert daemon.call("POST", f"/jobs/{jobs[0]['id']}/priority", {"priority": 1}).status_code == 409
    assert daemon.call("POST", f"/jobs/{jobs[0]['id']}/priority", {"priority": 101}).status_code == 422


def test_nothing_starts_below_the_floor(make_daemon):
    floor = os.statvfs("/tmp").f_bavail * os.statvfs("/tmp").f_frsize + (1 << 40)
    daemon = make_daemon("--disk-floor", str(floor)).start()
    daemon.register("base", "sums")
    refused = daemon.call("POST", "/merges", {"recipe": linear(("base", 0.5), ("sums", 0.5))})
    assert refused.status_code == 507 and "crucible gc" in refused.text
    assert daemon.get("/leaderboard")["rows"] == []


def workers_of(pid):
    """How many children of a process run."""
    count = 0
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        count += int(parent) == pid and state != "Z"
    return count


def test_a_job_above_the_memory_budget_runs_alone(make_daemon):
    daemon = make_daemon("--memory-budget", "1MB", "--max-evaluations", "4", "--max-merges", "4").start()
    daemon.register("base", "sums", "words")
    for weight in (0.1, 0.2, 0.3):
        daemon.merge(linear(("base", weight), ("sums", 1.0)), ["sums"])
    busy = 0

    def done():
        nonlocal busy
        # Processes, not states: a job stays `running` for a moment after its worker has ended.
        busy = max(busy, workers_of(daemon.process.pid))
        return all(job["state"] == "succeeded" for job in daemon.jobs())

    wait_until(done, "all jobs succeed, one after another")
    assert busy == 1
