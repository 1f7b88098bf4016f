"""A state folder on a real file system of 64 MB that fills up while merges run.

    fill_disk.py [--results FOLDER]        as root: it mounts a tmpfs

The disk fills between the check at submission and the work: the queue holds the job with its reason, reads
are answered, submissions that cannot fit are refused with 507; when there is room again everything ends
by itself. A disk that fills in the middle of a write is not simulated.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import campaign

SIZE = 64 << 20


def can_mount():
    return os.geteuid() == 0


def free(folder):
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def fill(folder, leave):
    """A file that leaves so many bytes free."""
    with open(folder / "filler", "wb") as filler:
        while free(folder) > leave + (1 << 20):
            filler.write(b"\0" * (1 << 20))
            filler.flush()


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("not within time: " + what)


def writes_fail(folder, ledger, random_source):
    """The disk fills between the check at submission and the work."""
    daemon = campaign.Daemon(folder / "state").start()
    try:
        campaign.register(daemon)
        assert daemon.call("POST", "/queue/pause", {}).status_code == 200
        for _ in range(3):
            ledger.ask(daemon)
        assert len(ledger.acknowledged) == 3
        fill(folder, 2 << 20)
        assert daemon.call("POST", "/queue/resume", {}).status_code == 200
        first = min(ledger.acknowledged.values())
        held = wait_for(lambda: held_up(daemon, first), "the job waits for room")
        refused = daemon.call("POST", "/merges", {"recipe": campaign.recipe(random_source)})
        assert refused.status_code == 507, refused.text
        assert daemon.call("GET", "/leaderboard").status_code == 200
        assert daemon.call("GET", "/jobs").status_code == 200
        (folder / "filler").unlink()
        campaign.check_effects(daemon, ledger)
    finally:
        daemon.stop()
    campaign.check_folder(daemon, ignoring=("the disk is almost full",))
    return held


def held_up(daemon, number):
    job = daemon.get(f"/jobs/{number}")
    assert job["state"] not in ("failed", "dead", "succeeded"), job
    waiting = daemon.get("/queue")["waiting_for"]
    if job["state"] == "queued" and "disk" in waiting:
        return "queue: " + waiting
    if job["state"] == "retry_wait":
        return "retry_wait: " + job["error"]["message"]
    return None


def run(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", folder], check=True)
    random_source = campaign.seeded(3)
    try:
        held = writes_fail(folder, campaign.Ledger(random_source), random_source)
    finally:
        subprocess.run(["umount", folder], check=True)
    return {"file_system_bytes": SIZE, "held_up_by": held, "resumed": True}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--results")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crucible-disk-"))
    campaign.write_results(arguments.results, "fill_disk", run(folder / "disk"))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
