#!/usr/bin/env python3
"""Runs several hundred small recipes with mergekit 0.1.5 and with an engine, and compares every value.

    compare_methods.py --engine "build/release/crucible merge" --engine-args "--compatibility mergekit"
    compare_methods.py --only ties,della --kind bf16 --verbose
    compare_methods.py --recipe ties-three --keep /tmp/look      # recipe, models, both outputs stay there
    compare_methods.py --markdown table.md
    compare_methods.py --reference-only                          # fills the cache, runs no engine

The recipes are METHODS in method_recipes.py. What mergekit wrote is kept under --cache, by the digest of
recipe, models and seed, so that a second run takes seconds and needs neither torch nor mergekit.

Exit code 1 when the demand is missed: identical values; for the methods that take sums over a whole tensor
(LOOSE), at most 1 ulp of the output type on at most 0.1 % of a recipe's values. The table has the largest
difference in two units: the last place of the value itself (asked for in 16-bit outputs), and the last place
of the tensor's largest value (asked for in float32 and float64, where sums that nearly cancel make the first
one large). Recipes that mergekit refuses count as met when the engine refuses them too, and are listed when
it does not. Values are equal as numbers: the sign of zero is not compared.
"""
import argparse
import collections
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported

import yaml

from method_recipes import METHODS
from toy_models import Difference, compare_folders, make_model, run_mergekit

LOOSE = {"slerp", "nuslerp", "multislerp", "karcher", "model_stock", "arcee_fusion"}
LOOSE_ULP, LOOSE_SHARE = 1.0, 0.001
GENERATOR = "mergekit 0.1.5, models 1"  # part of the cache's key: count up when the models change


@dataclasses.dataclass
class Recipe:
    method: str
    kind: str
    name: str
    case: object
    text: str

    def key(self):
        models = [self.case.model(letter, self.kind) for letter in self.case.letters()]
        content = json.dumps([GENERATOR, self.text, self.case.seed, repr(models)])
        return hashlib.sha256(content.encode()).hexdigest()[:32]


@dataclasses.dataclass
class Outcome:
    recipe: Recipe
    state: str  # compared, unknown (to the engine), refused (by both), engine, reference: only that one refuses
    difference: Difference = dataclasses.field(default_factory=Difference)
    message: str = ""
    tensors: dict = dataclasses.field(default_factory=dict)

    def met(self):
        if self.state == "engine":
            return False
        found = self.difference
        if found.fault:
            return False
        if self.recipe.method in LOOSE:
            return found.differ <= LOOSE_SHARE * found.values and found.demanded_ulp <= LOOSE_ULP
        return found.differ == 0


def all_recipes(arguments):
    for method in arguments.only or METHODS:
        for case in METHODS[method]:
            for kind in case.kinds:
                name = f"{method}-{case.note}-{kind}"
                if arguments.kind and kind not in arguments.kind or arguments.recipe not in name:
                    continue
                text = yaml.safe_dump(case.recipe(method, kind), sort_keys=False, default_flow_style=None, width=100)
                yield Recipe(method, kind, name, case, text)


def make_models(recipe, folder):
    for letter in recipe.case.letters():
        name, settings = recipe.case.model(letter, recipe.kind)
        if not (folder / "models" / name).exists():
            make_model(folder / "models" / name, **settings)


def reference(recipe, folder, cache):
    """Folder with what mergekit wrote, or with refused.txt; models lie in `folder`."""
    kept = cache / recipe.key()
    if kept.exists():
        return kept
    fresh = pathlib.Path(tempfile.mkdtemp(prefix="making-", dir=cache))
    with contextlib.chdir(folder):
        try:
            run_mergekit(yaml.safe_load(recipe.text), fresh / "out", recipe.case.seed)
        except Exception as error:  # whatever it raises is its answer to the recipe
            shutil.rmtree(fresh / "out", ignore_errors=True)
            (fresh / "out").mkdir()
            (fresh / "out" / "refused.txt").write_text(f"{type(error).__name__}: {error}\n")
    os.replace(fresh / "out", kept)
    fresh.rmdir()
    return kept


def run_engine(recipe, folder, out, arguments):
    """The engine's error message, or "" when it wrote `out`."""
    path = folder / f"{recipe.name}.yml"
    path.write_text(recipe.text)
    command = [*arguments.engine, str(path), str(out), "--seed", str(recipe.case.seed), *arguments.engine_args]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""


def judge(recipe, folder, arguments):
    make_models(recipe, folder)
    if arguments.reference_only:
        refused = reference(recipe, folder, arguments.cache) / "refused.txt"
        return Outcome(recipe, "refused" if refused.exists() else "compared")
    out = folder / "out" / recipe.name
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(exist_ok=True)
    error = run_engine(recipe, folder, out, arguments)
    if "unknown merge method" in error:
        return Outcome(recipe, "unknown")
    want = reference(recipe, folder, arguments.cache)
    refused = want / "refused.txt"
    if refused.exists():
        return Outcome(recipe, "refused" if error else "reference", message=refused.read_text().strip())
    if error:
        return Outcome(recipe, "engine", message=error)
    difference, tensors = compare_folders(out, want)
    if arguments.keep:
        shutil.copytree(want, folder / "reference" / recipe.name, dirs_exist_ok=True)
    else:
        shutil.rmtree(out)
    return Outcome(recipe, "compared", difference, tensors=tensors)


def describe(outcome, verbose):
    found = outcome.difference
    if outcome.state in ("engine", "reference"):
        refuser = "the engine refuses" if outcome.state == "engine" else "only mergekit refuses"
        return f"{outcome.recipe.name}: {refuser}: {outcome.message}"
    if found.fault:
        return f"{outcome.recipe.name}: {found.fault}"
    text = (f"{outcome.recipe.name}: {found.differ} of {found.values} differ, {found.ulp:.3g} ulp "
            f"({found.tensor_ulp:.3g} of the tensor's largest)")
    if verbose:
        for name, one in outcome.tensors.items():
            text += f"\n    {name}: {one.differ} of {one.values}, {one.ulp:.3g} ulp ({one.tensor_ulp:.3g})"
    return text


COLUMNS = ("method", "type", "recipes", "values", "identical", "share that differs", "max ulp", "of largest", "met")


def rows_of(outcomes):
    groups = collections.defaultdict(list)
    for outcome in outcomes:
        groups[outcome.recipe.method, outcome.recipe.kind].append(outcome)
    for (method, kind), group in groups.items():
        if all(outcome.state == "unknown" for outcome in group):
            yield method, kind, len(group), "", "", "", "", "", "not in the engine"
            continue
        total = Difference()
        for outcome in group:
            total.add(outcome.difference)
        same = total.values - total.differ
        identical = f"{100 * same / total.values:.4f} %" if total.values else ""
        if same == total.values:
            identical = "all"
        met = sum(outcome.met() for outcome in group)
        yield (method, kind, len(group), total.values, identical, f"{total.differ / max(1, total.values):.2g}",
               f"{total.ulp:.3g}", f"{total.tensor_ulp:.3g}", "yes" if met == len(group) else f"{met} of {len(group)}")


def print_table(rows, file, markdown):
    rows = [COLUMNS, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for number, row in enumerate(rows):
        cells = [cell.ljust(w) if i in (0, 1, 8) else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        print("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells), file=file)
        if markdown and number == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|", file=file)


def summary(outcomes):
    states = collections.Counter(outcome.state for outcome in outcomes)
    identical = sum(o.state == "compared" and not o.difference.fault and not o.difference.differ for o in outcomes)
    met = sum(outcome.met() for outcome in outcomes if outcome.state != "unknown")
    return (f"{len(outcomes)} recipes: {states['compared']} compared, {identical} identical in every value; "
            f"{states['refused']} refused by both, {states['reference']} by mergekit only, {states['engine']} by the "
            f"engine only; {states['unknown']} of methods that the engine lacks. Demand met by {met} of "
            f"{len(outcomes) - states['unknown']}.")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = lambda text: text.split(",")  # noqa: E731
    default_cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    parser.add_argument("--engine", type=shlex.split, default=["crucible", "merge"])
    parser.add_argument("--engine-args", type=shlex.split, default=["--compatibility", "mergekit"])
    parser.add_argument("--only", type=names, metavar="METHOD,...", help="these methods")
    parser.add_argument("--kind", type=names, metavar="KIND,...", help="f32, bf16, f16, f64, mixed, mixed16")
    parser.add_argument("--recipe", default="", metavar="TEXT", help="recipes with this in their name")
    parser.add_argument("--cache", type=pathlib.Path, default=default_cache / "crucible" / "merge-oracle")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="work here and leave everything")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write the table for the docs")
    parser.add_argument("--verbose", action="store_true", help="name the tensors that differ")
    parser.add_argument("--reference-only", action="store_true", help="fill the cache, run no engine")
    parser.add_argument("--list", action="store_true", help="print the recipes' names, run nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.only or ()) - METHODS.keys()
    if unknown:
        parser.error(f"unknown methods: {', '.join(sorted(unknown))}")
    return arguments


def run_all(recipes, folder, arguments):
    outcomes = []
    for number, recipe in enumerate(recipes, start=1):
        outcome = judge(recipe, folder, arguments)
        outcomes.append(outcome)
        if outcome.state == "reference" or outcome.state != "unknown" and (not outcome.met() or outcome.tensors):
            print(f"[{number}/{len(recipes)}]", describe(outcome, arguments.verbose), flush=True)
    return outcomes


def main():
    arguments = parse_arguments()
    recipes = list(all_recipes(arguments))
    if arguments.list:
        for recipe in recipes:
            print(recipe.name)
        return 0
    arguments.cache.mkdir(parents=True, exist_ok=True)
    if pathlib.Path(arguments.engine[0]).exists():
        arguments.engine[0] = str(pathlib.Path(arguments.engine[0]).resolve())
    with tempfile.TemporaryDirectory(prefix="compare-methods-") as scratch:
        folder = arguments.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = run_all(recipes, folder.resolve(), arguments)
    rows = list(rows_of(outcomes))
    print_table(rows, sys.stdout, markdown=False)
    print(summary(outcomes))
    if arguments.markdown:
        with arguments.markdown.open("w") as file:
            print_table(rows, file, markdown=True)
            print("\n" + summary(outcomes), file=file)
    return 0 if all(outcome.met() for outcome in outcomes if outcome.state != "unknown") else 1


if __name__ == "__main__":
    sys.exit(main())
