#!/usr/bin/env python3
"""Runs the test stages for deploy/test, which prepares the environment: run_stages.py [STAGE…]

Every stage runs, whatever became of those before it. Counts come from the runners' own JUnit files; a
linter counts as one check. The last line is "N passed, N failed"; the exit code is 1 on any failure.
"""

import dataclasses
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ["CRUCIBLE_CACHE"])
JOBS = os.environ["CRUCIBLE_JOBS"]
PRESET = os.environ.get("CRUCIBLE_PRESET", "release")
BUILD = ROOT / "build" / PRESET
RESULTS = ROOT / "build" / "test-results"
LOG_TAIL = 150  # lines of a failed stage's output


@dataclasses.dataclass
class Stage:
    name: str
    command: str  # for bash, in the root; writes JUnit to $JUNIT where it has several cases
    what: str
    needs: str = ""  # a path without which there is nothing to run
    junit: bool = False
    build: bool = False  # needs the build


SHELL_FILES = "$(git grep -lI --untracked '^#!.*bash' -- deploy .ci)"

STAGES = [
    Stage("build", f"deploy/build {PRESET}", "the binary, the page and the tests compile"),
    Stage("format", "deploy/format --check", "clang-format"),
    Stage("shell", f"shellcheck -x {SHELL_FILES}", "shellcheck"),
    Stage("structure", "deploy/check-structure", "include direction, sizes, machine paths"),
    Stage("unit", f"ctest --test-dir {BUILD} -j {JOBS} --output-on-failure --no-tests=error"
          " --output-junit $JUNIT", "unit tests and golden comparisons", junit=True, build=True),
    Stage("scenario", "python -m pytest -q tests/scenario --junitxml $JUNIT",
          "black-box scenarios against the binary", "tests/scenario", junit=True, build=True),
    Stage("security", "python -m pytest -q tests/security --junitxml $JUNIT",
          "access, edge, sandbox, paths, units", "tests/security", junit=True, build=True),
    Stage("fault", "python -m pytest -q tests/fault --junitxml $JUNIT",
          "kills, full disks: the short forms", "tests/fault", junit=True, build=True),
    Stage("page", "cd tests/web && npm test --silent", "the page in a browser",
          "tests/web/package.json", junit=True, build=True),
    Stage("page-types", "cd server/web && npm run --silent check", "the page's types",
          "server/web/package.json", build=True),
    Stage("page-unit", "cd server/web && npx vitest run --reporter=default --reporter=junit"
          " --outputFile.junit=$JUNIT", "the page's unit tests",
          "server/web/package.json", junit=True, build=True),
    Stage("lint", f"deploy/lint.py {BUILD} {CACHE}/lint {JOBS}", "clang-tidy", build=True),
]


def count_junit(path):
    """(passed, failed, skipped) of a JUnit file."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def counts_of(stage, code, junit):
    if not stage.junit:
        return (1, 0, 0) if code == 0 else (0, 1, 0)
    try:
        passed, failed, skipped = count_junit(junit)
    except (OSError, ElementTree.ParseError):
        passed, failed, skipped = 0, 0, 0
    if failed == 0 and (code != 0 or passed == 0):
        failed = 1  # the runner died, or found no test
    return passed, failed, skipped


def run(stage):
    log = RESULTS / f"{stage.name}.log"
    junit = RESULTS / f"{stage.name}.xml"
    junit.unlink(missing_ok=True)
    environment = dict(os.environ, JUNIT=str(junit), CRUCIBLE_BINARY=str(BUILD / "crucible"),
                       PYTHONDONTWRITEBYTECODE="1")
    with log.open("w") as output:
        code = subprocess.run(["bash", "-c", stage.command], cwd=ROOT,
                              env=environment, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, check=False).returncode
    counts = counts_of(stage, code, junit)
    if counts[1]:
        lines = log.read_text(errors="replace").splitlines()
        print("\n".join(lines[-LOG_TAIL:]))
        print(f"({stage.name}: exit code {code}, whole output in {log.relative_to(ROOT)})")
    return counts


def report(stage, counts, seconds):
    passed, failed, skipped = counts
    note = f", {skipped} skipped" if skipped else ""
    print(f"[{stage.name}] {passed} passed, {failed} failed{note} in {seconds:.1f} s: {stage.what}",
          flush=True)


def choose(names):
    unknown = set(names) - {stage.name for stage in STAGES}
    if unknown:
        sys.exit(f"no stage {', '.join(sorted(unknown))}; there are: "
                 + ", ".join(stage.name for stage in STAGES))
    chosen = [stage for stage in STAGES if not names or stage.name in names]
    if any(stage.build for stage in chosen) and STAGES[0] not in chosen:
        chosen.insert(0, STAGES[0])
    return chosen


def main():
    RESULTS.mkdir(parents=True, exist_ok=True)
    total_passed = total_failed = 0
    built = True
    for stage in choose(sys.argv[1:]):
        start = time.monotonic()
        if stage.needs and not (ROOT / stage.needs).exists():
            print(f"[{stage.name}] nothing to run: there is no {stage.needs}")
            continue
        if stage.build and not built:
            print(f"[{stage.name}] not run: the build failed")
            counts = (0, 1, 0)
        else:
            counts = run(stage)
        if stage.name == "build":
            built = counts[1] == 0
        report(stage, counts, time.monotonic() - start)
        total_passed += counts[0]
        total_failed += counts[1]
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    sys.exit(main())
