"""Which grid identifies the exponents best for its minutes? Expected widths of intervals, before anything is trained.

    uv run python benchmarks/design.py RUNS.csv

RUNS is a runs table of a study that ran (``reports/<study>/runs.csv``): its laws, its noise between seeds and its seconds
a cell stand for what another grid would show. For each design: core minutes, and the median over families of the 95 % half
widths of alpha, beta and the log prediction at ten times the largest N and D, by the curvature at the fitted law.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import t as student

from scaling.laws import fit
from scaling.laws.fitting.fitted import Fit
from scaling.laws.forms import known_laws as forms

Grid = dict[float, int]
"""D -> seeds."""


class Family(NamedTuple):
    """What a family showed: its law, variance of a log loss at D = 1,000, its slope in log D, log seconds of a cell [3]."""

    name: str
    found: Fit
    variance: float
    slope: float
    cost: np.ndarray
    sizes: tuple[float, float]


def learn(runs: pl.DataFrame, slope: float) -> list[Family]:
    """Laws, noise and costs of the families of a runs table."""
    families = []
    for (name,), rows in runs.filter(pl.col("status") == "done").group_by("family", maintain_order=True):
        n, d, y, s = (rows[c].cast(pl.Float64).to_numpy() for c in ("params", "images", "loss", "seconds"))
        weights = (d / 1000.0) ** -slope
        found = fit(forms.chinchilla(), {"N": n, "D": d}, y, weights, delta=None)
        variance = float(np.sum(weights * found.residuals**2) / max(len(y) - 5, 1))
        cost = np.linalg.lstsq(np.column_stack([np.ones(len(n)), np.log(n), np.log(d)]), np.log(s), rcond=None)[0]
        families.append(Family(str(name), found, variance, slope, cost, (n.min(), n.max())))
    return families


def evaluate(family: Family, sizes: int, grid: Grid, reach: float) -> tuple[float, np.ndarray]:
    """Core seconds of a design, and the half widths of alpha, beta and the log prediction at 10x, [3]."""
    low, high = family.sizes
    levels = np.geomspace(low, high * reach, sizes)
    n, d = (
        np.array(c)
        for c in zip(*((size, images) for size in levels for images, k in grid.items() for _ in range(k)), strict=True)
    )
    seconds = float(np.exp(family.cost @ np.array([np.ones(len(n)), np.log(n), np.log(d)])).sum())
    law, centre = family.found.law, family.found.centre
    logs = np.log(np.column_stack([n, d])) - centre
    gradient = law.evaluate(family.found.theta[None], logs).gradient()[0]
    variance = family.variance * (d / 1000.0) ** family.slope
    inverse = np.linalg.pinv(gradient.T @ (gradient / variance[:, None]))
    place = np.log([[high * 10.0, 4e4]]) - centre
    far = law.evaluate(family.found.theta[None], place).gradient()[0, 0]
    spread = np.sqrt([inverse[2, 2], inverse[4, 4], far @ inverse @ far])
    return seconds, spread * student.ppf(0.975, len(n) - 5)


DESIGNS: dict[str, tuple[int, Grid, float]] = {
    "4 sizes, D 500 x2, 1k, 2k, 4k": (4, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 1.0),
    "4 sizes, two seeds everywhere": (4, {500: 2, 1000: 2, 2000: 2, 4000: 2}, 1.0),
    "4 sizes, D 500 x3, 1k x3, 2k, 4k": (4, {500: 3, 1000: 3, 2000: 1, 4000: 1}, 1.0),
    "4 sizes, D 500 x3, 1k x2, 2k x2, 4k": (4, {500: 3, 1000: 2, 2000: 2, 4000: 1}, 1.0),
    "4 sizes, 3 seeds, D 500, 1k, 2k": (4, {500: 3, 1000: 3, 2000: 3}, 1.0),
    "5 sizes, D 500 x2, 1k, 2k, 4k": (5, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 1.0),
    "6 sizes, D 500, 1k, 2k, 4k": (6, {500: 1, 1000: 1, 2000: 1, 4000: 1}, 1.0),
    "4 sizes to 2 N, D 500 x3, 1k x2, 2k, 4k": (4, {500: 3, 1000: 2, 2000: 1, 4000: 1}, 2.0),
    "4 sizes to 2 N, D 500 x2, 1k, 2k, 4k": (4, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 2.0),
    "5 sizes to 2 N, D 500 x2, 1k, 2k, 4k": (5, {500: 2, 1000: 1, 2000: 1, 4000: 1}, 2.0),
    "4 sizes, D 500 x2, 1k, 2k, 4k, 8k": (4, {500: 2, 1000: 1, 2000: 1, 4000: 1, 8000: 1}, 1.0),
    "4 sizes, D 300 x2, 600, 1.2k, 2.4k, 4.8k": (4, {300: 2, 600: 1, 1200: 1, 2400: 1, 4800: 1}, 1.0),
    "4 sizes, D 500 x4, 1.4k x2, 4k": (4, {500: 4, 1400: 2, 4000: 1}, 1.0),
    "4 sizes, D 500 x3, 1k x2, 2k x2, 4k x2": (4, {500: 3, 1000: 2, 2000: 2, 4000: 2}, 1.0),
    "4 sizes, D 500 x3, 2k x2, 8k": (4, {500: 3, 2000: 2, 8000: 1}, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--slope", type=float, default=-0.5, help="d log variance / d log D of the noise")
    options = parser.parse_args()
    families = learn(pl.read_csv(options.runs), options.slope)
    print(f"{'design':44} core minutes  half width of alpha, beta, log prediction at 10x (median of families)")
    for name, (sizes, grid, reach) in DESIGNS.items():
        found = [evaluate(family, sizes, grid, reach) for family in families]
        minutes = sum(seconds for seconds, _ in found) / 60
        widths = np.median([width for _, width in found], axis=0)
        print(f"{name:44} {minutes:8.1f}      " + "  ".join(f"{width:.3f}" for width in widths))


if __name__ == "__main__":
    main()
