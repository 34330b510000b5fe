"""Do the intervals cover? Twelve named settings, tables drawn from known laws.

    uv run python benchmarks/coverage.py [--replicates 2000] [--pairs 40] [--crossed 200]

For alpha, beta and the prediction at ten times the largest N and D: share of tables whose 95 % interval holds the truth,
share that is "not identifiable", and the median width beside that of the plain pair bootstrap.
With 2,000 replicates about one minute on one core, most of it the bootstraps.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import t as student

from scaling.analysis.family_evidence import judge_families
from scaling.analysis.fits_rows import crossed_intervals
from scaling.analysis.usable_runs import cells_of
from scaling.laws.fitting.newton import HUBER_EFFICIENCY, HuberProblem, minimise
from scaling.laws.fitting.points import huber_problem
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.profile import prediction_ends, profile_ends

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from synthetic_runs import TRUTHS, synthetic_runs

LOSS = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}
ERROR = {"E": 0.08, "A": 3.0, "alpha": 0.46, "B": 4.0, "beta": 0.45}
DECADES = 2.0
RESAMPLES = 200


class Setting(NamedTuple):
    """A grid of sizes x sizes, seeds, noise in log units, its tails, and the law."""

    sizes: int
    seeds: int
    noise: float
    heavy: bool
    bounded: bool

    @property
    def name(self) -> str:
        tails = "t3" if self.heavy else "Gaussian"
        law = "bounded" if self.bounded else "unbounded"
        seeds = f"{self.seeds} seed{'s' if self.seeds > 1 else ''}"
        return f"{self.sizes}x{self.sizes}, {seeds}, {self.noise:.1%} {tails}, {law}"


SETTINGS = tuple(
    Setting(*row)
    for row in (
        (4, 1, 0.005, False, False),
        (4, 1, 0.02, False, False),
        (4, 3, 0.02, False, False),
        (5, 1, 0.005, False, False),
        (5, 1, 0.02, True, False),
        (5, 3, 0.02, False, False),
        (6, 1, 0.02, False, False),
        (6, 3, 0.005, True, False),
        (4, 3, 0.02, True, True),
        (5, 1, 0.02, False, True),
        (6, 1, 0.02, True, True),
        (6, 3, 0.02, False, True),
    )
)


class Tables(NamedTuple):
    """Many tables of one design, fitted: problem, optima [R, p], rises of the objective at the ends [R], truths."""

    problem: HuberProblem
    theta: np.ndarray
    rise: np.ndarray
    centre: np.ndarray
    place: np.ndarray
    truth: dict[str, float]
    log_prediction: float


def draw_and_fit(setting: Setting, replicates: int, seed: int) -> Tables:
    """Draw tables from a known law and fit each with delta = 1.345 times its own spread, as ``fit(delta=None)`` does."""
    rng = np.random.default_rng(seed)
    law, truth = (forms.bounded(0.9), ERROR) if setting.bounded else (forms.chinchilla(), LOSS)
    sizes, images = (3e3 * 10 ** np.linspace(0, DECADES, setting.sizes), 300 * 10 ** np.linspace(0, DECADES, setting.sizes))
    n, d = (np.tile(axis.ravel(), setting.seeds) for axis in np.meshgrid(sizes, images))
    raw = np.log(np.column_stack([n, d]))
    centre = raw.mean(axis=0)
    logs = raw - centre
    theta = law.internal(np.array([[truth[name] for name in law.parameters]]), centre)
    rows, size = len(n), len(law.parameters)
    errors = rng.standard_t(3, (replicates, rows)) / np.sqrt(3) if setting.heavy else rng.normal(size=(replicates, rows))
    log_y = law.log_values(theta, logs)[0] + setting.noise * errors
    problem, weights = huber_problem(law, logs, log_y, 10.0), np.ones(rows)
    wide = minimise(problem, np.repeat(theta, replicates, axis=0), weights)
    spread = 1.4826 * np.median(np.abs(log_y - law.log_values(wide.theta, logs)), axis=1, keepdims=True)
    problem = problem._replace(delta=HUBER_EFFICIENCY * spread * np.sqrt(rows / (rows - size)))
    found = minimise(problem, wide.theta, weights)
    clipped = log_y - law.log_values(found.theta, logs)
    inside = np.mean(np.abs(clipped) <= problem.delta, axis=1)
    clipped = np.clip(clipped, -problem.delta, problem.delta)
    factor = (1 + size / rows * (1 - inside) / inside) ** 2
    variance = np.sum(clipped**2, axis=1) / (rows - size) / inside * factor
    rise = 0.5 * student.ppf(0.975, rows - size) ** 2 * variance
    place = raw.max(axis=0) + np.log(10.0) - centre
    return Tables(problem, found.theta, rise, centre, place, truth, float(law.log_values(theta, place[None])[0, 0]))


def bootstrap_widths(tables: Tables, count: int, seed: int) -> np.ndarray:
    """Median widths for alpha, beta and the prediction of percentile intervals from resampled rows."""
    rng, law = np.random.default_rng(seed), tables.problem.law
    rows, widths = len(tables.problem.logs), []
    for table in range(min(count, len(tables.theta))):
        counts = np.array([np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(RESAMPLES)], float)
        problem = tables.problem._replace(log_y=tables.problem.log_y[table], delta=float(tables.problem.delta[table, 0]))
        starts = np.repeat(tables.theta[table : table + 1], RESAMPLES, axis=0)
        theta = minimise(problem, starts, counts, tolerance=1e-8, iterations=60).theta
        values = np.column_stack([theta[:, 2], theta[:, 4], law.log_values(theta, tables.place[None])[:, 0]])
        widths.append(np.diff(np.quantile(values, [0.025, 0.975], axis=0), axis=0)[0])
    return np.median(widths, axis=0)


CROSSED = ((4, (3, 2, 1, 1), 0.3), (4, (3, 2, 1, 1), 0.7), (4, (3, 3, 3, 3), 0.5), (6, (2, 2, 2, 1, 1, 1), 0.3))
"""Crossed studies: sizes and data sizes, seeds of each D, share of the variance common to all cells of a (seed, D)."""


def crossed(studies: int) -> None:
    """Intervals of alpha and beta in studies of seven families whose cells share the luck of their subsets."""
    print(f"crossed design, {studies} studies of seven families: cover / not identifiable, for alpha and beta")
    for sizes, seeds, shared in CROSSED:
        inside: dict[str, list[bool]] = {"alpha": [], "beta": []}
        unknown = dict.fromkeys(inside, 0)
        for index in range(studies):
            runs = synthetic_runs(sizes=sizes, data_sizes=sizes, seeds=max(seeds), noise=0.015, shared=shared, seed=index)
            levels = sorted(runs["images"].unique())
            few = pl.col("images").replace_strict(levels, list(seeds), return_dtype=pl.Int64)
            families = [cells_of(runs.filter(pl.col("seed") < few), family, "loss") for family in TRUTHS]
            for one in judge_families(families, forms.chinchilla(), seed=index, resamples=2):
                intervals, _ = crossed_intervals(one)
                for name in inside:
                    if intervals[name] is None:
                        unknown[name] += 1
                    else:
                        low, high = intervals[name]
                        inside[name].append(low <= TRUTHS[one.cells.family][name] <= high)
        count = studies * len(TRUTHS)
        cells = [f"{np.mean(inside[name]):.3f} / {unknown[name] / count:.3f}" for name in inside]
        print(f"{sizes}x{sizes}, seeds {seeds}, {shared:.0%} shared: {'; '.join(cells)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=20, help="tables whose pair bootstrap is computed")
    parser.add_argument("--crossed", type=int, default=0, help="studies of the crossed design, instead of the twelve settings")
    options = parser.parse_args()
    if options.crossed:
        crossed(options.crossed)
        return
    print("cover / not identifiable / width / width of the pair bootstrap, for alpha, beta and log prediction at 10x")
    for setting in SETTINGS:
        clock = time.process_time()
        tables = draw_and_fit(setting, options.replicates, seed=1)
        weights = np.ones(len(tables.problem.logs))
        low, high = profile_ends(tables.problem, tables.theta, weights, tables.rise, (2, 4))
        ends = prediction_ends(tables.problem, tables.theta, weights, tables.rise, tables.place)
        low, high = np.column_stack([low, ends[0]]), np.column_stack([high, ends[1]])
        truths = (tables.truth["alpha"], tables.truth["beta"], tables.log_prediction)
        pairs = bootstrap_widths(tables, options.pairs, seed=2)
        cells = []
        for i, truth in enumerate(truths):
            closed = np.isfinite(low[:, i]) & np.isfinite(high[:, i])
            cover = np.mean((low[:, i] <= truth) & (truth <= high[:, i]))
            width = np.median((high - low)[closed, i])
            cells.append(f"{cover:.3f} / {1 - closed.mean():.3f} / {width:.3f} / {pairs[i]:.3f}")
        print(f"{setting.name}: {'; '.join(cells)} ({time.process_time() - clock:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
