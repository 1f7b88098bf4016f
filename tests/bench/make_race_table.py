#!/usr/bin/env python3
"""Makes the table that bench_race replays: which of 1,536 items each of 53 models of the demo family answers.

    VENV/bin/python tests/bench/make_race_table.py SCRATCH [--engine build/release/crucible] [--out FILE]

Items come from the generators of deploy/demo-family/make_family.py with a seed of their own: 512 a suite, so that most
are questions the specialists were trained on; how the candidates differ on them is what matters here. The merges are
made by `crucible merge` and scored by `crucible eval` in float32. FILE (default: race_table.json beside this script)
holds a row of hexadecimal digits a candidate, most significant bit first, one bit an item. VENV needs what
make_family.py needs. One or two minutes.
"""
import argparse
import hashlib
import importlib.util
import json
import pathlib
import random
import shlex
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAMILY = ROOT / "deploy" / "demo-family"
SKILLS = ("sums", "words", "feelings")
ITEMS = 512
SEED = 20_261


def generators():
    spec = importlib.util.spec_from_file_location("make_family", FAMILY / "make_family.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"sums": module.sums_items(), "words": module.words_items(), "feelings": module.feelings_items()}


def write_suite(folder, name, questions):
    """ITEMS different items: questions in random order, over and over, with fresh wrong answers each time."""
    rng = random.Random(f"{SEED} {name}")
    lines, clusters, seen = [], [], set()
    while len(lines) < ITEMS:
        before = len(lines)
        for number in rng.sample(range(len(questions)), len(questions)):
            text, answer, wrong = questions[number]
            choices = [answer] + rng.sample(wrong, 3)
            key = (text, frozenset(choices))
            if key in seen or len(lines) == ITEMS:
                continue
            seen.add(key)
            rng.shuffle(choices)
            lines.append({"query": f"Question: {text}\nAnswer:", "choices": [" " + c for c in choices],
                          "gold": choices.index(answer), "cluster": str(number)})
            clusters.append(number)
        assert len(lines) > before, f"{name}: too few different items"
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"{name}.jsonl").write_text(text)
    (folder / f"{name}.yaml").write_text(
        f"name: {name}\nversion: '1'\ntasks:\n  - name: {name}\n    format: multiple_choice_jsonl\n"
        f"    data: {name}.jsonl\n    primary_metric: acc\n    fields: {{cluster: cluster}}\n")
    return {"name": name, "items": ITEMS, "sha256": hashlib.sha256(text.encode()).hexdigest(), "clusters": clusters}


def recipe(method, weights, density=None, scale=None):
    models = []
    for skill, weight in zip(SKILLS, weights):
        parameters = {"weight": weight} | ({"density": density} if density is not None else {})
        models.append({"model": skill, "parameters": parameters})
    made = {"merge_method": method, "base_model": "base", "models": models, "dtype": "float32",
            "out_dtype": "bfloat16"}
    if scale is not None:
        made["parameters"] = {"normalize": False, "lambda": scale}
    return made


def slerp(first, second, share):
    return {"merge_method": "slerp", "base_model": first, "models": [{"model": first}, {"model": second}],
            "parameters": {"t": share}, "dtype": "float32", "out_dtype": "bfloat16"}


# The default recipe first, then a sweep's grid and points close to its best.
TRIPLES = [(.5, .5, .5), (.7, .5, .5), (.8, .5, .5), (.9, .5, .5), (.7, .6, .5), (.7, .5, .6), (.6, .5, .6), (.8, .6, .6),
           (.7, .4, .5), (.7, .5, .4), (.6, .6, .5), (.75, .55, .55), (.72, .52, .5), (.5, .7, .5), (.5, .5, .7),
           (1, .3, .3), (.3, 1, .3), (.3, .3, 1), (1, .5, .5), (1, .6, .5)]


def recipes():
    made = {}
    for triple in TRIPLES:
        made["task_arithmetic " + "/".join(str(w) for w in triple)] = recipe("task_arithmetic", triple)
    for weight in (.2, .3, .4, .55, .6, .65, .8, 1):
        made[f"task_arithmetic {weight}"] = recipe("task_arithmetic", (weight,) * 3)
    for density in (.3, .5, .7, .9):
        for scale in (.6, .8, 1):
            made[f"ties {density} x{scale}"] = recipe("ties", (1, 1, 1), density, scale)
    for density in (.5, .6, .7, .8):
        made[f"dare_ties {density}"] = recipe("dare_ties", (.7, .7, .7), density)
    for first, second in (("sums", "words"), ("words", "feelings"), ("feelings", "sums")):
        for share in (.4, .6):
            made[f"slerp {first} {second} {share}"] = slerp(first, second, share)
    return made


def run(engine, *arguments, folder):
    done = subprocess.run([*engine, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr[-2000:]}")


def answers(engine, model, scratch):
    """Right and wrong by item, suite after suite."""
    out = scratch / "results"
    shutil.rmtree(out, ignore_errors=True)
    run(engine, "eval", model, "--out", out, "--no-cache", "--threads", 2,
        *(part for skill in SKILLS for part in ("--suite", scratch / "suites" / f"{skill}.yaml")), folder=scratch)
    bits = []
    for skill in SKILLS:
        (samples,) = out.glob(f"*/samples_{skill}_*.jsonl")
        rows = [json.loads(line) for line in samples.open()]
        rows.sort(key=lambda row: row["doc_id"])
        assert [row["doc_id"] for row in rows] == list(range(ITEMS))
        bits += [int(row["acc"]) for row in rows]
    return bits


def row(name, made, bits):
    packed = "".join(f"{int(''.join(map(str, bits[i:i + 4])), 2):x}" for i in range(0, len(bits), 4))
    means = [round(sum(bits[i * ITEMS:(i + 1) * ITEMS]) / ITEMS, 4) for i in range(len(SKILLS))]
    print(f"{name:40} {' '.join(f'{m:.3f}' for m in means)}  {sum(means) / len(means):.4f}", flush=True)
    return {"name": name, "reference": made is None or name == "task_arithmetic 0.5/0.5/0.5", "recipe": made,
            "right": packed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--engine", type=shlex.split, default=[str(ROOT / "build" / "release" / "crucible")])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).with_name("race_table.json"))
    arguments = parser.parse_args()
    scratch = arguments.scratch.resolve()
    (scratch / "suites").mkdir(parents=True, exist_ok=True)
    for name in ("base", *SKILLS):
        shutil.copytree(FAMILY / name, scratch / name, dirs_exist_ok=True)
    suites = [write_suite(scratch / "suites", name, questions) for name, questions in generators().items()]

    rows = [row(name, None, answers(arguments.engine, scratch / name, scratch)) for name in SKILLS]
    merged = scratch / "merged"
    for name, made in recipes().items():
        (scratch / "recipe.yml").write_text(json.dumps(made))
        shutil.rmtree(merged, ignore_errors=True)
        run(arguments.engine, "merge", scratch / "recipe.yml", merged, folder=scratch)
        rows.append(row(name, made, answers(arguments.engine, merged, scratch)))
    version = subprocess.run([*arguments.engine, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    table = {"made_by": "tests/bench/make_race_table.py", "engine": version, "suites": suites, "candidates": rows}
    text = json.dumps(table, separators=(",", ":")).replace('{"name"', '\n{"name"')
    arguments.out.write_text(text + "\n")
    print(f"{arguments.out}: {len(rows)} candidates, {ITEMS * len(SKILLS)} items, {len(text)} bytes")


if __name__ == "__main__":
    main()
