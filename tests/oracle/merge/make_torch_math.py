#!/usr/bin/env python3
"""Writes torch_math.txt beside this file: what torch's acos, sin and cos give for some floats.

Development only: needs torch (2.15; another version, or another maker of processor, may change
last bits). Half of the points of each function are drawn freely, half among those where torch's
result is not the correctly rounded one, so that a plain mathematical library cannot pass for torch.
"""

import pathlib

import numpy as np
import torch

POINTS = 100  # of each kind
RANGES = {"acos": (-0.9995, 0.9995), "sin": (-10.0, 10.0), "cos": (-10.0, 10.0)}


def points(name, draws):
    low, high = RANGES[name]
    x = draws.uniform(low, high, 20000).astype(np.float32)
    y = getattr(torch, name)(torch.from_numpy(x)).numpy()
    exact = {"acos": np.arccos, "sin": np.sin, "cos": np.cos}[name](x.astype(np.float64))
    differs = y != exact.astype(np.float32)
    chosen = np.concatenate([np.arange(POINTS), np.flatnonzero(differs)[:POINTS]])
    return [(float(x[i]).hex(), float(y[i]).hex()) for i in chosen]


def main():
    draws = np.random.default_rng(20)
    lines = [f"{name} {x} {y}" for name in RANGES for x, y in points(name, draws)]
    pathlib.Path(__file__).with_name("torch_math.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
