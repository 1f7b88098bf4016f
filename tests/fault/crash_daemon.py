"""Kills the daemon with SIGKILL at random moments of its life, start-up included, and checks the ledger.

    crash_daemon.py [--kills 1000] [--seed N] [--results FOLDER] [--state FOLDER]

Each life: start, a few requests, SIGKILL after a random time. After the last one every request is sent
again with its key, all jobs end, and the effects are counted. Exit code 1 at the first thing that is
not as promised.
"""

import argparse
import contextlib
import pathlib
import shutil
import tempfile
import threading
import time

import campaign
import requests


def one_life(daemon, ledger, random_source):
    """True when it got as far as answering."""
    delay = random_source.choice((0.05, 0.2, 0.5, 1.0)) * random_source.random()
    spawned = threading.Event()

    def end():
        spawned.wait()
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            daemon.process.kill()

    killer = threading.Thread(target=end)
    killer.start()
    answered = False
    try:
        daemon.start(spawned.set)
        answered = True
        for _ in range(random_source.randint(1, 3)):
            ledger.ask(daemon)
            time.sleep(random_source.random() * 0.05)
        killer.join()
    except (campaign.DaemonEnded, requests.RequestException):
        killer.join()
        if daemon.process.wait() != -9:
            raise
    finally:
        spawned.set()
        killer.join()
    daemon.process.wait()
    return answered


def check_acknowledged(daemon, ledger, since):
    """Right after a restart: what was acknowledged before is there."""
    for key in list(ledger.acknowledged)[since:]:
        assert daemon.call("GET", f"/jobs/{ledger.acknowledged[key]}").status_code == 200, f"{key} is lost"


def run(kills, seed, state):
    random_source = campaign.seeded(seed)
    daemon = campaign.Daemon(state)
    ledger = campaign.Ledger(random_source)
    daemon.start()
    campaign.register(daemon)
    daemon.kill()
    answered, checked, recoveries = 0, 0, []
    for number in range(kills):
        answered += one_life(daemon, ledger, random_source)
        if number % 20 == 19:  # a quiet life now and then, so that work gets done and is looked at
            daemon.start()
            recoveries.append(daemon.recovery_s)
            check_acknowledged(daemon, ledger, checked)
            checked = len(ledger.acknowledged)
            time.sleep(0.5)
            daemon.kill()
    daemon.start()
    recoveries.append(daemon.recovery_s)
    acknowledged = len(ledger.acknowledged)
    ledger.repeat_all(daemon)
    jobs = campaign.check_effects(daemon, ledger)
    daemon.stop()
    time.sleep(0.2)
    assert not [pid for pid in campaign.workers_of(None) if is_ours(pid)], "workers outlived their daemon"
    files = campaign.check_folder(daemon)
    slowest = max(recoveries)
    assert slowest < 2, f"recovery took {slowest:.2f} s"
    return {"kills": kills, "seed": seed, "lives_that_answered": answered, "requests": len(ledger.asked),
            "acknowledged_before_repeats": acknowledged, "jobs": jobs, "lost": 0, "duplicate_effects": 0,
            "files_verified": files, "slowest_recovery_s": round(slowest, 3)}


def is_ours(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/exe").resolve() == campaign.binary().resolve()
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--results")
    parser.add_argument("--state")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.state or tempfile.mkdtemp(prefix="crucible-crash-"))
    began = time.monotonic()
    facts = run(arguments.kills, arguments.seed, folder / "state")
    facts["seconds"] = round(time.monotonic() - began, 1)
    campaign.write_results(arguments.results, "crash_daemon", facts)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
