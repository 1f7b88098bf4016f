#!/usr/bin/env python3
"""Runs clang-tidy over our sources: lint.py BUILD_DIR CACHE_DIR JOBS

A source that passed is not looked at again until something that clang-tidy would see of it changes:
the cache key covers the source, every header of ours that it includes, its compile command, the
checks and the tool's version. Exits 1 when a source has a finding.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINTED = ("merger/", "evaluator/", "server/")
TIDY = "clang-tidy-19"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def includes_of(path, seen):
    """Adds `path` and all files of ours below it to `seen`, a map from path to content."""
    if path in seen or not path.is_file():
        return
    seen[path] = path.read_bytes()
    for name in INCLUDE.findall(seen[path].decode(errors="replace")):
        includes_of(ROOT / name, seen)


def cache_key(entry, common):
    command = entry.get("command") or " ".join(entry["arguments"])
    digest = hashlib.sha256(common + command.replace(str(ROOT), "").encode())
    seen = {}
    includes_of(pathlib.Path(entry["file"]), seen)
    for path in sorted(seen):
        digest.update(str(path.relative_to(ROOT)).encode() + hashlib.sha256(seen[path]).digest())
    return digest.hexdigest()


def lint(source, build_dir):
    run = subprocess.run(
        [TIDY, "--quiet", "-p", build_dir, source], capture_output=True, text=True, check=False
    )
    return run.returncode == 0, run.stdout if run.returncode in (0, 1) else run.stdout + run.stderr


def main():
    build_dir, cache, jobs = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    common = version + (ROOT / ".clang-tidy").read_bytes()

    entries = json.loads((pathlib.Path(build_dir) / "compile_commands.json").read_text())
    pending, total = {}, 0
    for entry in entries:
        name = str(pathlib.Path(entry["file"]).relative_to(ROOT))
        if name.startswith(LINTED):
            total += 1
            stamp = cache / cache_key(entry, common)
            if not stamp.exists():
                pending[name] = stamp

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        work = {pool.submit(lint, str(ROOT / name), build_dir): name for name in pending}
        for done in concurrent.futures.as_completed(work):
            clean, output = done.result()
            if clean:
                pending[work[done]].touch()
            else:
                failed += 1
                print(f"{work[done]}:\n{output}", flush=True)
    print(f"clang-tidy: {total} sources, {total - len(pending)} known clean, {failed} with findings")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
