#!/usr/bin/env python3
"""Compares the samplers with pycma, optuna, pymoo and scipy, on functions whose optimum is known.

    check_samplers.py DRIVER [--seeds 50] [--only cma_es,tpe,..]

DRIVER is the executable made of drive_samplers.cpp. Needs: pip install cma optuna pymoo scipy.
Both sides see the same functions, each seed with its own optimum, and the same number of
evaluations. A row passes if our median is within a tenth of the other's:

- "orders": how many orders of magnitude the error fell below the median error of a uniform point;
  for errors near zero, where a ratio of the errors themselves says nothing. At least 0.9 of theirs.
- "error": the error itself, where it stays of the order of one. At most 1.1 of theirs.
- "missing volume": the hypervolume that the best front has and this one lacks. At most 1.1.

p is the one-sided Mann-Whitney probability of ours being this much worse by chance.
Exits with 1 if a row fails.
"""

import argparse
import json
import math
import subprocess
import sys
import warnings

import numpy as np
from scipy import stats

warnings.filterwarnings("ignore")

DIMENSIONS = 5
LOW, HIGH = -5.0, 5.0
CMA_BUDGET = 600
TPE_BUDGET = 120
ZDT_DIMENSIONS, ZDT_POPULATION, ZDT_GENERATIONS = 30, 100, 100


class Driver:
    """Speaks to drive_samplers."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def request(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def run(self, dimensions, method, seed, budget, objective, batch):
        """Objectives (maximised) of every trial, in order, and their points."""
        self.request(create={"space": {"dimensions": dimensions}, "method": method, "seed": seed, "budget": budget})
        values, points = [], []
        while True:
            answer = self.request(ask=batch)
            if not answer["trials"]:
                assert answer["status"] == "exhausted", answer
                return values, points
            told = []
            for number, point in answer["trials"]:
                value = objective(np.array(point))
                told.append([number, value])
                values.append(value)
                points.append(point)
            self.request(tell=told)


def floats(count, low=LOW, high=HIGH):
    return [{"name": f"x{i}", "kind": "float", "low": low, "high": high} for i in range(count)]


def sphere(z):
    return float(np.sum(z**2))


def rosenbrock(z):
    z = z + 1
    return float(np.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2))


def rastrigin(z):
    return float(10 * len(z) + np.sum(z**2 - 10 * np.cos(2 * np.pi * z)))


def shifted(function, seed):
    """The function with its optimum, of value 0, at a place drawn from the middle half."""
    optimum = np.random.default_rng(1000 + seed).uniform(LOW / 2, HIGH / 2, DIMENSIONS)
    return lambda x: function(np.asarray(x) - optimum)


def uniform_error(function):
    rng = np.random.default_rng(0)
    return float(np.median([shifted(function, s)(rng.uniform(LOW, HIGH, DIMENSIONS)) for s in range(500)]))


class Table:
    def __init__(self):
        self.failed = False
        print(f"{'sampler':10} {'function':22} {'measure':15} {'ours':>10} {'theirs':>10} {'ratio':>7} {'p':>6}  of")

    def row(self, sampler, function, measure, ours, theirs, more_is_better, whose):
        a, b = float(np.median(ours)), float(np.median(theirs))
        ratio = a / b if b else (1.0 if a == b else math.inf)
        passes = ratio >= 0.9 if more_is_better else ratio <= 1.1
        p = stats.mannwhitneyu(ours, theirs, alternative="less" if more_is_better else "greater").pvalue
        self.failed |= not passes
        verdict = "" if passes else "  FAILS"
        print(f"{sampler:10} {function:22} {measure:15} {a:10.4g} {b:10.4g} {ratio:7.3f} {p:6.3f}  {whose}{verdict}")
        sys.stdout.flush()


def pycma_best(objective, seed):
    import cma

    options = {"bounds": [0, 1], "seed": seed + 1, "verbose": -9, "maxfevals": CMA_BUDGET}
    search = cma.CMAEvolutionStrategy(DIMENSIONS * [0.5], 1 / 6, options)
    best = math.inf
    evaluations = 0
    while evaluations < CMA_BUDGET and not search.stop():
        units = search.ask()
        values = [objective(LOW + (HIGH - LOW) * np.asarray(u)) for u in units]
        search.tell(units, values)
        evaluations += len(values)
        best = min(best, *values)
    return best


def check_cma_es(driver, table, seeds):
    for function in (sphere, rosenbrock, rastrigin):
        start = uniform_error(function)
        ours, theirs = [], []
        for seed in range(seeds):
            objective = shifted(function, seed)
            values, _ = driver.run(floats(DIMENSIONS), {"name": "cma_es"}, seed, CMA_BUDGET, lambda x: [-objective(x)], 1000)
            ours.append(-max(v[0] for v in values))
            theirs.append(pycma_best(objective, seed))
        if function is rastrigin:
            table.row("cma_es", function.__name__, "error", ours, theirs, False, "pycma")
        else:
            orders = [np.log10(start / np.maximum(x, 1e-30)) for x in (ours, theirs)]
            table.row("cma_es", function.__name__, "orders", *orders, True, "pycma")


def optuna_best(seed, budget, suggest):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(multivariate=True, seed=seed))
    study.optimize(suggest, n_trials=budget)
    return study.best_value


def mixed(x, seed):
    """Two numbers, an integer, a logarithmic number and a choice that shifts the rest."""
    rng = np.random.default_rng(2000 + seed)
    order = rng.permutation(4)
    optimum = rng.uniform(-2, 2, 2)
    wanted, exponent = rng.integers(0, 21), rng.uniform(-4, -1)
    penalty = float(order[int(x[4])])
    return float(
        np.sum((np.asarray(x[:2]) - optimum) ** 2)
        + ((x[2] - wanted) / 5) ** 2
        + (math.log10(x[3]) - exponent) ** 2
        + 0.5 * penalty
    )


MIXED = floats(2) + [
    {"name": "n", "kind": "int", "low": 0, "high": 20},
    {"name": "rate", "kind": "float", "low": 1e-5, "high": 1.0, "log": True},
    {"name": "method", "kind": "choice", "choices": 4},
]


def check_tpe(driver, table, seeds):
    def suggest_floats(trial):
        return [trial.suggest_float(f"x{i}", LOW, HIGH) for i in range(DIMENSIONS)]

    for function in (sphere, rosenbrock, rastrigin):
        ours, theirs = [], []
        for seed in range(seeds):
            objective = shifted(function, seed)
            values, _ = driver.run(floats(DIMENSIONS), {"name": "tpe"}, seed, TPE_BUDGET, lambda x: [-objective(x)], 1)
            ours.append(-max(v[0] for v in values))
            theirs.append(optuna_best(seed, TPE_BUDGET, lambda trial: objective(suggest_floats(trial))))
        if function is rastrigin:
            table.row("tpe", function.__name__, "error", ours, theirs, False, "optuna")
        else:
            start = uniform_error(function)
            orders = [np.log10(start / np.array(x)) for x in (ours, theirs)]
            table.row("tpe", function.__name__, "orders", *orders, True, "optuna")
    ours, theirs = [], []
    for seed in range(seeds):

        def suggest_mixed(trial):
            x = [trial.suggest_float(f"x{i}", LOW, HIGH) for i in range(2)]
            x += [trial.suggest_int("n", 0, 20), trial.suggest_float("rate", 1e-5, 1.0, log=True)]
            return mixed(x + [trial.suggest_categorical("method", [0, 1, 2, 3])], seed)

        values, _ = driver.run(MIXED, {"name": "tpe"}, seed, TPE_BUDGET, lambda x: [-mixed(x, seed)], 1)
        ours.append(-max(v[0] for v in values))
        theirs.append(optuna_best(seed, TPE_BUDGET, suggest_mixed))
    start = float(np.median([mixed([*np.random.default_rng(s).uniform(LOW, HIGH, 2), 10, 0.01, s % 4], s) for s in range(500)]))
    table.row("tpe", "mixed", "orders", *[np.log10(start / np.array(x)) for x in (ours, theirs)], True, "optuna")


def zdt1(x):
    g = 1 + 9 * np.mean(x[1:])
    return [float(x[0]), float(g * (1 - math.sqrt(x[0] / g)))]


def missing_volume(front):
    """Of the hypervolume under (1.1, 1.1), what the true front f2 = 1 - sqrt(f1) has more."""
    from pymoo.indicators.hv import HV

    best = 1.1 * 1.1 - 1 / 3  # the area under the curve from 0 to 1
    return best - float(HV(ref_point=np.array([1.1, 1.1]))(np.array(front)))


def check_nsga2(driver, table, seeds):
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.optimize import minimize

    class Zdt1(Problem):
        def __init__(self):
            super().__init__(n_var=ZDT_DIMENSIONS, n_obj=2, xl=0.0, xu=1.0)

        def _evaluate(self, x, out, *args, **kwargs):
            out["F"] = np.array([zdt1(row) for row in x])

    budget = ZDT_POPULATION * ZDT_GENERATIONS
    method = {"name": "nsga2", "population": ZDT_POPULATION}
    ours, theirs = [], []
    for seed in range(seeds):
        negated = lambda x: [-v for v in zdt1(x)]  # noqa: E731
        values, _ = driver.run(floats(ZDT_DIMENSIONS, 0.0, 1.0), method, seed, budget, negated, 1000)
        ours.append(missing_volume([[-v for v in values[i]] for i in driver.request(population=True)]))
        found = minimize(Zdt1(), NSGA2(pop_size=ZDT_POPULATION), ("n_gen", ZDT_GENERATIONS), seed=seed)
        theirs.append(missing_volume(found.F))
    table.row("nsga2", f"zdt1, {budget} trials", "missing volume", ours, theirs, False, "pymoo")


def check_sobol(driver, table, seeds):
    from scipy.stats import qmc

    method = {"name": "sobol", "scramble": "none"}
    _, points = driver.run(floats(20, 0.0, 1.0), method, 0, 1023, lambda x: [0.0], 2000)
    if not np.array_equal(np.array(points), qmc.Sobol(20, scramble=False, bits=32).random(1024)[1:]):
        table.failed = True
        print("sobol: the unscrambled sequence is not scipy's  FAILS")
    for scramble in ("owen", "digital_shift"):
        ours, theirs = [], []
        for seed in range(seeds):
            method = {"name": "sobol", "scramble": scramble}
            _, points = driver.run(floats(DIMENSIONS, 0.0, 1.0), method, seed, 256, lambda x: [0.0], 1000)
            ours.append(qmc.discrepancy(np.array(points)))
            theirs.append(qmc.discrepancy(qmc.Sobol(DIMENSIONS, scramble=True, rng=seed).random(256)))
        table.row("sobol", f"256 points, {scramble}", "error", ours, theirs, False, "scipy (discrepancy)")


def check_adaptive(driver, table, seeds):
    """A noisy hump: how far the place recommended is below the top, against as many even points."""
    for noise in (0.0, 0.02, 0.1):
        ours, theirs, counts = [], [], []
        for seed in range(seeds):
            rng = np.random.default_rng(3000 + seed)
            top, width = rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.5)
            hump = lambda x: math.exp(-(((x - top) / width) ** 2))  # noqa: E731
            noisy = lambda x: [hump(float(x[0])) + noise * rng.standard_normal()]  # noqa: E731
            values, _ = driver.run(floats(1, 0.0, 1.0), {"name": "adaptive"}, seed, 0, noisy, 1)
            counts.append(len(values))
            ours.append(1 - hump(driver.request(recommendation=True)[0]))
            even = np.linspace(0, 1, len(values))
            theirs.append(1 - hump(even[np.argmax([noisy([x])[0] for x in even])]))
        name = f"hump, noise {noise:g}"
        table.row("adaptive", name, "error", ours, theirs, False, f"even grid of {np.median(counts):g} points, as many")


CHECKS = {
    "sobol": check_sobol,
    "adaptive": check_adaptive,
    "cma_es": check_cma_es,
    "tpe": check_tpe,
    "nsga2": check_nsga2,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--only", default=",".join(CHECKS))
    arguments = parser.parse_args()
    driver = Driver(arguments.driver)
    table = Table()
    for name in arguments.only.split(","):
        CHECKS[name](driver, table, arguments.seeds)
    driver.close()
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
