"""References to models that lead elsewhere: none may be read, none may hold the daemon up.

    python tests/security/test_paths.py [SEED] [RESULTS_FOLDER]     the long form, with 10 s of races

What lies outside is a model that could be registered, so whatever escapes shows as one.
"""

import json
import os
import pathlib
import platform
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import conftest  # noqa: F401  provides scenario_fixtures
from scenario_fixtures import FAMILY, ROOT, Daemon  # noqa: E402

REFERENCES = 500
LONGEST_S = 5
INSIDE, OUTSIDE = "sums", "words"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
CANARY = "canary-of-the-outside"


class Place:
    """A root with a good model, and beside it a good model that is none of the daemon's business."""

    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.root, self.outside = folder / "root", folder / "outside"
        self.root.mkdir()
        shutil.copytree(FAMILY / INSIDE, self.root / "good")
        shutil.copytree(FAMILY / OUTSIDE, self.outside / "model")
        shutil.copytree(FAMILY / OUTSIDE, folder / "root2")  # a name that begins like the root's
        (self.outside / "secret").write_text(CANARY)
        self.made = 0

    def new_folder(self):
        self.made += 1
        folder = self.root / f"m{self.made}"
        shutil.copytree(FAMILY / INSIDE, folder)
        return folder

    def linked_copy(self):
        """As new_folder, at the cost of names only."""
        self.made += 1
        folder = self.root / f"m{self.made}"
        shutil.copytree(self.root / "good", folder, copy_function=os.link)
        return folder

    def way_out(self, start):
        """Some spelling of the way from a folder to the model outside."""
        target = self.outside / "model"
        relative = os.path.relpath(target, start)
        return self.random.choice([
            str(target), relative, f"./{relative}", relative.replace("../", ".././", 1),
            f"{self.root}/good/../../outside/model", f"//{str(target).lstrip('/')}", f"{relative}/.",
            f"/proc/self/root{target}", f"/proc/self/cwd/{os.path.relpath(target, os.getcwd())}",
            relative.replace("/", "//"), f"{self.root}2", f"{self.root}/../root2"])

    # Each makes one hostile reference and returns its text.

    def spelled_out(self):
        return self.way_out(self.root)

    def spelled_oddly(self):
        return self.random.choice([
            "", ".", "..", "/", "~", "~root", "good\0", "../root/good\0/x", "good\n", "\n", "a" * 5000,
            "a/" * 2000, "../" * 400 + "etc", "%2e%2e/outside/model", "..%2foutside", "\\..\\outside",
            "file://" + str(self.outside / "model"), "http://127.0.0.1/model", "good/config.json",
            "/dev/zero", "/dev/stdin", "/proc/self/fd/0", "/proc/1/root", "/etc", "/etc/shadow", "\u202e..",
            "good/\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "-rf", "$(id)", "`id`",
            "; id", "*", "good/*"]) + self.random.choice(["", "/", "/.", "//"])

    def linked_folder(self):
        name = self.root / f"link{self.made}"
        self.made += 1
        name.symlink_to(self.way_out(self.root), target_is_directory=True)
        return self.random.choice([name.name, str(name), f"{name}/.", f"good/../{name.name}"])

    def linked_parent(self):
        name = self.root / f"parent{self.made}"
        self.made += 1
        name.symlink_to(self.random.choice([str(self.outside), "../outside", "/", ".."]), target_is_directory=True)
        return f"{name.name}/{self.random.choice(['model', 'outside/model', str(self.outside).lstrip('/') + '/model'])}"

    def linked_file(self):
        folder = self.new_folder()
        name = self.random.choice(FILES)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(f"{self.way_out(folder)}/{name}")
        return folder.name

    def linked_twice(self):
        folder = self.new_folder()
        name = self.random.choice(FILES)
        (folder / name).unlink(missing_ok=True)
        (folder / "hop").symlink_to(f"{self.way_out(folder)}/{name}")
        (folder / name).symlink_to("hop")
        return folder.name

    def magic_file(self):
        folder = self.new_folder()
        name = self.random.choice(FILES[:2])
        (folder / name).unlink()
        (folder / name).symlink_to(self.random.choice(
            [f"/proc/self/root{self.outside}/model/{name}", "/proc/self/environ", "/proc/self/fd/0",
             "/dev/zero", "/dev/random", "/dev/full", "/dev/stdin"]))
        return folder.name

    def special_file(self):
        folder = self.new_folder()
        path = folder / self.random.choice(FILES[:2])
        path.unlink()
        kind = self.random.choice(["fifo", "socket", "folder", "device", "empty", "loop"])
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as server:
                here = os.getcwd()
                os.chdir(folder)  # addresses are short
                server.bind(path.name)
                os.chdir(here)
        elif kind == "folder":
            path.mkdir()
        elif kind == "device" and os.getuid() == 0:
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero
        elif kind == "loop":
            path.symlink_to(path.name)
        else:
            path.touch()
        return folder.name

    def indexed(self):
        """Shards that the index names elsewhere."""
        folder = self.new_folder()
        weights = folder / "model.safetensors"
        size = weights.stat().st_size
        weights.unlink()
        shard = self.random.choice([
            f"{self.way_out(folder)}/model.safetensors", "../good/model.safetensors", "/dev/zero", "",
            ".", "..", "model.safetensors\0", "a\nb.safetensors", "x" * 300 + ".safetensors",
            "..\\outside.safetensors", "/proc/self/environ"])
        index = {"metadata": {"total_size": size}, "weight_map": {"model.embed_tokens.weight": shard}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return folder.name

    def references(self, count):
        kinds = [self.spelled_out, self.spelled_oddly, self.linked_folder, self.linked_parent, self.linked_file,
                 self.linked_twice, self.magic_file, self.special_file, self.indexed]
        for number in range(count):
            kind = kinds[number % len(kinds)]
            yield kind.__name__, kind()


# Names of other kinds than a way out; these mean the good folder, or one in it, and may be found.
def is_harmless(model, good):
    return model["digest"] == good["digest"]


def check_references(daemon, place, count):
    good = daemon.post("/models", {"path": "good"}, 201)
    slowest, tried = 0, {}
    for kind, text in place.references(count):
        started = time.monotonic()
        if place.random.random() < 0.2:
            recipe = json.dumps({"merge_method": "linear", "dtype": "float32", "models": [
                {"model": text, "parameters": {"weight": 1}}, {"model": "good", "parameters": {"weight": 1}}]})
            answer = daemon.call("POST", "/merges", {"recipe": recipe, "suites": []})
        else:
            answer = daemon.call("POST", "/models", {"path": text})
        slowest = max(slowest, time.monotonic() - started)
        tried[kind] = tried.get(kind, 0) + 1
        assert answer.status_code < 500, (kind, text, answer.text)
        assert CANARY not in answer.text, (kind, text)
        if answer.status_code == 201:
            assert is_harmless(answer.json(), good), (kind, text, answer.json())
        assert slowest < LONGEST_S, (kind, text)
    for model in daemon.get("/models?limit=100")["items"]:
        assert is_harmless(model, good), model
    assert daemon.process.poll() is None
    return {"references": tried, "slowest_s": round(slowest, 3)}


def exchange(a, b):
    """Swaps two names at once (renameat2)."""
    import ctypes
    ctypes.CDLL(None).renameat2(-100, os.fsencode(a), -100, os.fsencode(b), 2)


def check_races(daemon, place, seconds):
    """Swaps a good folder, and a file in it, with links out of the root while it is registered: each folder
    once, since the digest of a known one is compared."""
    good = daemon.post("/models", {"path": "good"}, 201)
    done = threading.Event()
    pairs, swaps, answers = [], 0, {}

    def swap():
        nonlocal swaps
        while not done.is_set():
            for pair in list(pairs):
                exchange(*pair)
                swaps += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            folder = place.linked_copy()
            (folder / "trap").symlink_to(f"{place.outside}/model/model.safetensors")
            trap = place.root / f"trap{place.made}"
            trap.symlink_to(place.outside / "model", target_is_directory=True)
            pairs[:] = place.random.choice([[(folder, trap)],
                                            [(folder / "model.safetensors", folder / "trap")]])
            answer = daemon.call("POST", "/models", {"path": folder.name})
            pairs.clear()
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, answer.text
            if answer.status_code == 201:
                assert is_harmless(answer.json(), good), answer.json()
    finally:
        done.set()
        thread.join()
    return {"swaps": swaps, "answers": answers}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, 20)


def test_hostile_references(make_daemon, place):
    daemon = make_daemon(models=place.root).start()
    counts = check_references(daemon, place, REFERENCES)
    assert sum(counts["references"].values()) == REFERENCES


def test_hard_links_are_files_like_others(make_daemon, place):
    """Nothing tells a hard link from a file: whoever can make one could read the file anyway."""
    folder = place.new_folder()
    (folder / "model.safetensors").unlink()
    os.link(place.root / "good" / "model.safetensors", folder / "model.safetensors")
    daemon = make_daemon(models=place.root).start()
    daemon.post("/models", {"path": folder.name}, 201)


def test_snapshots_of_the_hub_cache_are_read(make_daemon, place):
    repository = place.root / "models--org--name"
    snapshot = repository / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for file in (FAMILY / INSIDE).iterdir():
        shutil.copy(file, repository / "blobs" / f"blob-{file.name}")
        (snapshot / file.name).symlink_to(f"../../blobs/blob-{file.name}")
    daemon = make_daemon(models=place.root).start()
    daemon.post("/models", {"path": str(snapshot), "name": "cached"}, 201)
    recipe = "merge_method: linear\ndtype: float32\nmodels:\n" + "".join(
        f"  - {{model: {name}, parameters: {{weight: 0.5}}}}\n" for name in ("cached", "good"))
    job = daemon.wait_job(daemon.merge(recipe, ["sums"])["id"])
    assert job["state"] == "succeeded", job
    assert all(one["state"] == "succeeded" for one in daemon.wait_all())


def test_races_are_not_won(make_daemon, place):
    counts = check_races(make_daemon(models=place.root).start(), place, 3)
    assert counts["swaps"] > 100


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else time.time_ns() % 1_000_000
    results = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        place = Place(pathlib.Path(folder), seed)
        daemon = Daemon(pathlib.Path(folder) / "state", place.root, FAMILY / "suites").start()
        try:
            found = check_references(daemon, place, 4 * REFERENCES) | check_races(daemon, place, 10)
        finally:
            daemon.close()
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    found |= {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "seed": seed,
              "commit": commit.stdout.strip(), "machine": platform.platform(), "escapes": 0}
    print(json.dumps(found, indent=1))
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        (results / f"paths-{found['at'].replace(':', '')}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
