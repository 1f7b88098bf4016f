"""Kills workers by SIGKILL, SIGSEGV, SIGABRT and SIGBUS at random moments, and checks the ledger.

    crash_workers.py [--kills 500] [--seed N] [--results FOLDER]

A job whose workers die twice by a signal is parked as `dead`: that is designed, so such jobs are allowed,
and retried in the end. Death must be seen within a second; nothing may be left in staging.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import time

import campaign

SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)


def state_of(daemon, job):
    return daemon.get(f"/jobs/{job}")


def kill_one(daemon, ledger, random_source):
    """Starts a job, kills its worker after a random while. Returns (killed, seconds until it was seen)."""
    ledger.ask(daemon)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        workers = campaign.workers_of(daemon.process.pid)
        if workers:
            break
        time.sleep(0.001)
    else:
        return False, 0.0
    time.sleep(random_source.random() * random_source.choice((0.0, 0.01, 0.04, 0.1)))
    pid = random_source.choice(workers)
    try:
        os.kill(pid, random_source.choice(SIGNALS))
    except ProcessLookupError:
        return False, 0.0
    killed = time.monotonic()
    while time.monotonic() - killed < 5:
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{pid}").exists():
                time.sleep(0.002)
                continue
        return True, time.monotonic() - killed  # reaped: its daemon has seen it
    raise AssertionError(f"worker {pid} is not reaped after 5 s")


def run(kills, seed, state):
    random_source = campaign.seeded(seed)
    daemon = campaign.Daemon(state).start()
    try:
        campaign.register(daemon)
        ledger = campaign.Ledger(random_source)
        done, seen = 0, []
        while done < kills:
            killed, seconds = kill_one(daemon, ledger, random_source)
            done += killed
            seen += [seconds] if killed else []
        jobs = campaign.wait_final(daemon)
        dead = [job["id"] for job in jobs if job["state"] == "dead"]
        campaign.check_effects(daemon, ledger, ("succeeded", "dead"))
        for number in dead:
            assert daemon.call("POST", f"/jobs/{number}/retry").status_code == 202
        campaign.check_effects(daemon, ledger)
    finally:
        daemon.stop()
    files = campaign.check_folder(daemon)
    seen.sort()
    # The supervisor may wait for the disk of a busy machine now and then.
    most = seen[int(len(seen) * 0.98)]
    assert most < 1, f"a death was seen after {most:.2f} s"
    return {"kills": done, "seed": seed, "requests": len(ledger.asked), "parked_as_dead": len(dead),
            "death_seen_p98_s": round(most, 3),
            "death_seen_slowest_s": round(seen[-1], 3), "files_verified": files}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--results")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crucible-workers-"))
    began = time.monotonic()
    facts = run(arguments.kills, arguments.seed, folder / "state")
    facts["seconds"] = round(time.monotonic() - began, 1)
    campaign.write_results(arguments.results, "crash_workers", facts)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
