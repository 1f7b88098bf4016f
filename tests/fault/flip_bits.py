"""Flips single bits in a stopped daemon's files and looks whether they are found.

    flip_bits.py [--flips 1000] [--seed N] [--results FOLDER]

Half of the flips hit published files (weights, configuration, tokenizer, samples), each of which has a
SHA-256 in the database: all must be found by `crucible doctor`. The others hit the database: each is found
by it, or changes nothing that can be read, or is counted as undetected: SQLite's pages carry no checksums.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time

import campaign


def examine(state):
    """The doctor's findings; a crash of it is a failure of the campaign."""
    done = subprocess.run([str(campaign.binary()), "doctor", "--state", str(state), "--json"], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode in (0, 1), f"the doctor ended with {done.returncode}: {done.stderr[-500:]}"
    return json.loads(done.stdout)["findings"]


def dump(database):
    """All rows, as far as they can be read."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as store:
        store.text_factory = lambda text: text.decode("latin-1")
        return list(store.iterdump())


@contextlib.contextmanager
def flipped(path, random_source):
    data = path.read_bytes()
    place, bit = random_source.randrange(len(data)), random_source.randrange(8)
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    path.write_bytes(changed)
    try:
        yield place
    finally:
        path.write_bytes(data)


def fill(state):
    """A state folder with models and scores, its log merged into the database."""
    random_source = campaign.seeded(11)
    daemon = campaign.Daemon(state).start()
    try:
        campaign.register(daemon)
        ledger = campaign.Ledger(random_source)
        for _ in range(6):
            ledger.ask(daemon)
        campaign.check_effects(daemon, ledger)
    finally:
        daemon.stop()
    campaign.check_folder(daemon)


def run(flips, seed, state):
    random_source = campaign.seeded(seed)
    fill(state)
    files = sorted(path for area in ("models", "evaluations") for path in (state / area).rglob("*") if path.is_file())
    for _ in range(flips // 2):
        path = random_source.choice(files)
        with flipped(path, random_source) as place:
            assert [finding["where"] for finding in examine(state)] == [str(path)], f"{path} byte {place}"
    database = state / "crucible.db"
    whole = database.read_bytes()
    before = dump(database)
    counts = {"found": 0, "harmless": 0, "undetected": 0}
    for _ in range(flips - flips // 2):
        with flipped(database, random_source):
            kept = database.read_bytes()
            found = examine(state)
            for name in ("-wal", "-shm"):
                pathlib.Path(str(database) + name).unlink(missing_ok=True)
            database.write_bytes(kept)
            if found:
                counts["found"] += 1
            else:
                try:
                    counts["harmless" if dump(database) == before else "undetected"] += 1
                except sqlite3.Error:
                    counts["undetected"] += 1
    assert database.read_bytes() == whole
    assert examine(state) == []
    return {"seed": seed, "artefact_flips": flips // 2, "artefact_flips_found": flips // 2, "database_flips": counts}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--results")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crucible-flips-"))
    began = time.monotonic()
    facts = run(arguments.flips, arguments.seed, folder / "state")
    facts["seconds"] = round(time.monotonic() - began, 1)
    campaign.write_results(arguments.results, "flip_bits", facts)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
