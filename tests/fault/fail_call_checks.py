"""What must hold after a life with a failed call: effects, files, durability. Each returns findings."""

import collections
import errno
import hashlib
import json
import sqlite3
import subprocess

import campaign


class Reference(collections.namedtuple("Reference", "model score weights evaluation", defaults=(None,) * 4)):
    """What the job makes without fault: digest, score, digest of the weights' file, evaluation's folder."""

    @classmethod
    def of(cls, state):
        with sqlite3.connect(state / "crucible.db") as database:
            model = database.execute("SELECT digest FROM models WHERE origin = 'merged'").fetchone()[0]
            score, key = database.execute("SELECT score, work_key FROM evaluations").fetchone()
        weights = digest_of(state / "models" / model / "model.safetensors")
        return cls(model, score, weights, key)

    def needles(self):
        """Bytes of the database's rows of published files: the folder, and in the next column a file's name."""
        return f"models/{self.model}config.json", f"evaluations/{self.evaluation}report.json"


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def effects(daemon, job, reference):
    """Through the API: one merge, one evaluation, one model, one score, those of the reference."""
    found = []
    jobs = daemon.all("/jobs")
    kinds = sorted((each["kind"], each["state"]) for each in jobs)
    if kinds != [("evaluation", "succeeded"), ("merge", "succeeded")]:
        found.append(f"jobs are {[(each['id'], each['kind'], each['state'], each.get('error')) for each in jobs]}")
    if job not in [each["id"] for each in jobs if each["kind"] == "merge"]:
        found.append(f"the acknowledged job {job} is not the merge")
    models = [model for model in daemon.all("/models") if model["origin"] == "merged"]
    scores = daemon.all("/evaluations")
    if len(models) != 1 or len(scores) != 1:
        found.append(f"{len(models)} models and {len(scores)} scores instead of one each")
    if reference.model is not None:
        if [model["digest"] for model in models] != [reference.model]:
            found.append(f"another model: {[model['digest'] for model in models]}")
        if [score["score"] for score in scores] != [reference.score]:
            found.append(f"another score: {[score['score'] for score in scores]}")
    return found


def folder(state):
    """With the daemon stopped: `crucible doctor` and the eye find nothing."""
    answer = subprocess.run([str(campaign.binary()), "doctor", "--state", str(state), "--json"],
                            capture_output=True, text=True, timeout=120)
    try:
        found = [f"doctor: {finding['what']}: {finding['where']}" for finding in
                 json.loads(answer.stdout)["findings"] if finding["what"] != "the disk is almost full"]
    except (ValueError, KeyError):
        found = [f"doctor failed: {answer.returncode} {answer.stdout[-300:]} {answer.stderr[-300:]}"]
    for place in ("staging", "trash"):
        if (state / place).is_dir():
            found += [f"left over: {path}" for path in (state / place).iterdir()]
    found += [f"left over: {path}" for path in state.glob("*.new")]
    found += [f"left over: {path}" for path in state.glob("models/*") if len(path.name) != 64]
    return found


def published(state):
    with sqlite3.connect(state / "crucible.db") as database:
        return database.execute("SELECT folder, name, bytes, digest FROM artefact_files").fetchall()


def files(state, reference):
    """The rows' files are there, whole, and the weights are the reference's."""
    found, folders = [], set()
    for place, name, size, digest in published(state):
        path = state / place / name
        folders.add(place)
        if not path.is_file() or path.stat().st_size != size or digest_of(path) != digest:
            found.append(f"not what was published: {path}")
        if reference.weights and name == "model.safetensors" and digest != reference.weights:
            found.append(f"other weights: {path}")
    if len(folders) != 2:
        found.append(f"published folders: {sorted(folders)}")
    return found


def durability(state, journal, needles):
    """Power loss: all of what the database calls published had been synced when it said so."""
    found = []
    for place, name, _, _ in published(state):
        found += unsynced_file(f"{place}/{name}", (state / place / name).stat().st_ino, journal)
        found += unsynced_entries(place, (state / place).stat().st_ino, journal, commits_of(place, journal, needles))
    for area in ("models", "evaluations"):
        found += unsynced_renames(state / area, journal, needles)
    return sorted(set(found))


def commits_of(place, journal, needles):
    """When the log was told that the folder is published, by transactions that came to an end or not."""
    marks = {str(number) for number, needle in enumerate(needles) if needle.startswith(place)}
    return [call.sequence for call in journal
            if call.path.endswith("-wal") and call.error == 0 and marks & set(call.operation.split())]


def last(journal, condition):
    return max((call.sequence for call in journal if condition(call)), default=-1)


def is_synced_after(journal, inode, begin, commits=()):
    """Before the first commit after `begin`."""
    end = min((commit for commit in commits if commit > begin), default=float("inf"))
    return any(call.operation == "sync" and call.error == 0 and call.file == inode and
               begin < call.sequence < end for call in journal)


def unsynced_file(name, inode, journal):
    calls = [call for call in journal if call.file == inode]
    begun = max((call.sequence for call in calls if call.operation == "create"), default=-1)
    calls = [call for call in calls if call.sequence >= begun]
    found = [f"a sync of {name} failed, and it was published nevertheless" for call in calls
             if call.operation == "sync" and call.error not in (0, errno.EINTR)]
    written = last(calls, lambda call: call.operation.startswith("write") and call.error == 0)
    if not is_synced_after(calls, inode, written):
        found.append(f"{name} was not synced after its last write")
    return found


def unsynced_entries(name, inode, journal, commits=()):
    made = last(journal, lambda call: call.operation == "create" and call.folder == inode and call.error == 0)
    if is_synced_after(journal, inode, made, commits):
        return []
    return [f"folder {name} was not synced after its last file was made"]


def unsynced_renames(area, journal, needles):
    """The renames into models/ and evaluations/."""
    found = []
    inode = area.stat().st_ino
    for call in journal:
        if call.operation != "rename" or call.error != 0 or not call.other.startswith(f"{area}/"):
            continue
        place = call.other[len(str(area.parent)) + 1:]
        if not is_synced_after(journal, inode, call.sequence, commits_of(place, journal, needles)):
            found.append(f"the rename to {place} was not synced before it was called published")
    return found


def synced_tree(made, journal):
    """A command's new folder: the files it lists, the folders that hold them and the rename were synced."""
    found = []
    paths = [path for name in ("crucible.db", "manifest.json", "models/*/*", "evaluations/*/*")
             for path in made.glob(name)]
    for path in paths:
        found += unsynced_file(path.relative_to(made), path.stat().st_ino, journal)
    for place in {made, *(path.parent for path in paths), *(path.parent.parent for path in paths)} - {made.parent}:
        found += unsynced_entries(place.relative_to(made.parent), place.stat().st_ino, journal)
    renamed = last(journal, lambda call: call.operation == "rename" and call.other == str(made))
    if not is_synced_after(journal, made.parent.stat().st_ino, renamed):
        found.append(f"the rename to {made.name} was not synced")
    return found
