#!/usr/bin/env python3
"""Writes goldens/statistics.json: what scipy and statsmodels say of small samples.

Needs numpy, scipy and statsmodels; run it again when a case is added.
"""

import json
import pathlib

import numpy as np
import scipy
import scipy.stats
import statsmodels
import statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

GOLDEN = pathlib.Path(__file__).parent / "goldens" / "statistics.json"


def wilson_cases():
    for hits, trials in [(0, 1), (1, 1), (2, 2), (0, 50), (50, 50), (7, 10), (313, 1000), (13999, 14042)]:
        low, high = proportion_confint(hits, trials, alpha=0.05, method="wilson")
        yield {"hits": hits, "trials": trials, "low": float(low), "high": float(high)}


def mcnemar_cases():
    for wins, losses in [(0, 0), (1, 0), (5, 0), (6, 0), (3, 9), (10, 10), (11, 10), (120, 80), (900, 1000)]:
        p = mcnemar([[5, wins], [losses, 7]], exact=True).pvalue if wins + losses else 1.0
        yield {"wins": wins, "losses": losses, "p": min(float(p), 1.0)}


def cluster_cases(random):
    for clusters, size in [(3, 2), (8, 5), (40, 3)]:
        names = np.repeat(np.arange(clusters), size)
        values = (random.random(len(names)) < 0.3 + 0.4 * (names % 2)).astype(float)
        fit = sm.OLS(values, np.ones(len(values))).fit(
            cov_type="cluster", cov_kwds={"groups": names, "use_correction": False})
        yield {"values": values.tolist(), "clusters": names.tolist(), "standard_error": float(fit.bse[0])}


def paired_cases(random):
    for count in [5, 30, 400]:
        a = random.normal(0.5, 1, count)
        b = a + random.normal(0.1, 0.5, count)
        test = scipy.stats.ttest_rel(a, b)
        yield {"a": a.tolist(), "b": b.tolist(), "p": float(test.pvalue)}


def bootstrap_cases(random):
    for count in [50, 300]:
        values = random.exponential(2, count)
        drawn = scipy.stats.bootstrap((values,), np.mean, n_resamples=200_000, method="percentile",
                                      random_state=1, batch=2000)
        yield {"values": values.tolist(), "low": float(drawn.confidence_interval.low),
               "high": float(drawn.confidence_interval.high), "standard_error": float(drawn.standard_error)}


def main():
    random = np.random.default_rng(7)
    golden = {
        "made_by": f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}",
        "wilson": list(wilson_cases()),
        "mcnemar": list(mcnemar_cases()),
        "cluster": list(cluster_cases(random)),
        "paired_t": list(paired_cases(random)),
        "bootstrap": list(bootstrap_cases(random)),
        "power_constant": float((scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)) ** 2),
    }
    GOLDEN.write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
