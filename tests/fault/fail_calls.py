"""Fails the n-th write, fsync, rename, open, close or fallocate of a daemon or its workers, for every n.

    fail_calls.py [--points 40 | --points all] [--seed N] [--results FOLDER] [--only WORD] [--beside 2]

A library (fail_call.c, made with cc) stands between the processes and the C library: it counts the calls
on files of the state folder and of the models, and fails the n-th with an errno. Each point is a life of
its own. Scene "job": a daemon on a copy of one state folder gets one merge with one suite; scene "first
start": a daemon on an empty folder gets two models to register. The fault hits somewhere between its start
and its end; then it is started once more without fault, and does what is left. Where the job ends well,
model and score are those of a life without fault; where it does not, it says why and succeeds when retried;
nobody dies of a signal, `crucible doctor` finds nothing, nothing is left over, and what was published was
synced before the database said so (the library's journal tells). Scenes "backup" and "restore": the command
succeeds, and what it made holds and was synced; or it says why not, leaves nothing and succeeds when repeated.
"""

import argparse
import collections
import concurrent.futures
import errno
import itertools
import pathlib
import random
import shutil
import tempfile
import time

import campaign
import fail_call_control as control
import fail_call_lives as lives

EVER = 1 << 40

# What each family may fail with; "+" = that call and all later ones for a while.
ERRORS = {
    "write": ("EIO", "ENOSPC", "SHORT", "EINTR"),
    "sync": ("EIO", "ENOSPC", "EINTR"),
    "rename": ("EIO", "ENOSPC"),
    "open": ("EIO", "EMFILE", "EINTR"),
    "close": ("EIO", "EINTR", "ENOSPC"),
    "reserve": ("EIO", "ENOSPC", "EINTR"),
    "make folder": ("EIO", "ENOSPC"),
    "remove": ("EIO",),
}
LASTING = {"write": ("EIO+", "ENOSPC+"), "sync": ("EIO+",), "open": ("EMFILE+",)}
FULL_DISK = ("write", "reserve", "make folder")  # fail together with ENOSPC+


class Point(collections.namedtuple("Point", "scene role family error number")):
    def __str__(self):
        return f"{self.scene}: {self.role} {self.family} {self.number} {self.error}"

    def has(self, words):
        return set(words) <= set(str(self).replace(":", "").split())

    def fault(self):
        lasts = self.error.endswith("+")
        name = self.error.rstrip("+")
        families = FULL_DISK if self.error == "ENOSPC+" else (self.family,)
        code = control.SHORT_WRITE if name == "SHORT" else getattr(errno, name)
        return control.Fault(self.role, self.family, self.number, families, code, EVER if lasts else 1)


def all_points(counts):
    """Every call that a life without fault makes and a few more: no two lives make quite the same."""
    points = []
    for scene, calls in counts.items():
        for (role, family), count in calls.items():
            for number in range(1, count + 1 + count // 20):
                errors = ERRORS[family] + (LASTING.get(family, ()) if number % 3 == 0 else ())
                points += [Point(scene, role, family, error, number) for error in errors]
    return points


def sample(points, count, random_source):
    """So many, of every kind alike."""
    kinds = collections.defaultdict(list)
    for point in points:
        kinds[point[:4]].append(point)
    chosen = []
    while len(chosen) < min(count, len(points)):
        for kind in random_source.sample(sorted(kinds), len(kinds)):
            if kinds[kind] and len(chosen) < count:
                chosen.append(kinds[kind].pop(random_source.randrange(len(kinds[kind]))))
    return chosen


class Lives:
    """Runs points, each in a folder of its own."""

    def __init__(self, prepared, keep):
        self.prepared, self.keep = prepared, keep
        self.numbers = itertools.count()

    def one(self, point):
        folder = self.prepared.folder / f"life-{next(self.numbers)}"
        try:
            facts = lives.SCENES[point.scene](self.prepared, folder, point.scene, point.fault()).run()
        except Exception as problem:  # the campaign's own fault: told, not swallowed
            facts = {"hits": 0, "where": "", "ended": "",
                     "findings": [f"the campaign failed: {type(problem).__name__} {problem}"]}
        if facts["findings"] and self.keep:
            kept = pathlib.Path(self.keep) / str(point).replace(": ", "-").replace(" ", "-")
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept)
        shutil.rmtree(folder, ignore_errors=True)
        return {"point": str(point), **facts}


def run(count, seed, folder, only="", beside=2, keep=None, on_each=lambda facts: None):
    """`count` None = every point."""
    random_source = random.Random(seed)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    prepared = lives.Prepared(folder)
    points = [point for point in all_points(prepared.counts) if point.has(only.split())]
    if count is not None:
        points = sample(points, count, random_source)
    results = []
    with concurrent.futures.ThreadPoolExecutor(beside) as pool:
        for facts in pool.map(Lives(prepared, keep).one, points):
            results.append(facts)
            on_each(facts)
    ends = collections.Counter(facts["ended"].split(";")[0] for facts in results if facts["hits"])
    jobs = collections.Counter(part.split(":")[0].strip() for facts in results
                               for part in facts["ended"].split(";")[1:])
    calls = {f"{scene}: {role} {family}": number for scene, counts in prepared.counts.items()
             for (role, family), number in counts.items() if number}
    return {"seed": seed, "calls": calls,
            "points": len(points), "hit": sum(facts["hits"] > 0 for facts in results),
            "ended": dict(ends), "on_the_way": dict(jobs),
            "findings": [facts for facts in results if facts["findings"]]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", default="40")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--only", default="", help="points with these words, such as 'daemon sync EIO'")
    parser.add_argument("--beside", type=int, default=2)
    parser.add_argument("--results")
    parser.add_argument("--keep", help="folder for the states of lives with findings")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crucible-calls-"))
    began = time.monotonic()

    def tell(facts):
        is_plain = facts["ended"].endswith(("in order", "with 5"))
        if facts["findings"] or arguments.points != "all" or not is_plain:
            print(f"{facts['point']}: {facts['where']}; {facts['ended']}; {facts['findings']}", flush=True)

    count = None if arguments.points == "all" else int(arguments.points)
    facts = run(count, arguments.seed, folder, arguments.only, arguments.beside, arguments.keep, tell)
    facts["seconds"] = round(time.monotonic() - began, 1)
    campaign.write_results(arguments.results, "fail_calls", facts)
    shutil.rmtree(folder)
    raise SystemExit(1 if facts["findings"] else 0)


if __name__ == "__main__":
    main()
