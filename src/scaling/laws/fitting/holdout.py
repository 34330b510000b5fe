"""Prediction of larger runs from smaller ones: rolling origins over N, over D and over both.

At each origin the law is fitted to the runs up to a level and predicts those of the next level, so that every run of a high
enough level is predicted once. The score is skill = 1 - RMSE / RMSE of persistence on the log response, where persistence
repeats the response of the nearest smaller run: a family that does not scale has skill 0, not a good score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.newton import minimise
from scaling.laws.fitting.points import huber_problem, spread_of, too_few
from scaling.laws.fitting.projection import project
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats

Origin = Literal["params", "images", "both"]
ORIGINS: tuple[Origin, ...] = ("params", "images", "both")
ORIGIN_STARTS = 8
"""Random starts of each refit, in addition to the fit to the whole table (assumption)."""
MOST_STEPS = 16
"""Most origins along an axis (assumption). A table with more distinct sizes, as scattered points have, is cut into this many
steps of equally many sizes, so that the work does not grow with their number."""
ITERATIONS = 40
"""Most steps of a refit (assumption): a longer search only moves parameters that the grid does not identify."""


@dataclass(frozen=True)
class Split:
    """One origin: the rows that the law is fitted to, those that it predicts, and for each of these the row of persistence."""

    train: np.ndarray
    test: np.ndarray
    nearest: np.ndarray


def rolling_splits(law: Law, params: Floats, images: Floats, seeds: Floats, origin: Origin) -> list[Split]:
    """Splits of a grid at which the law can be fitted; none where the grid is too small.

    Args:
        law: of N and D.
        params, images, seeds: N, D and seed of the rows [n].
        origin: what is larger in the rows predicted.
    """
    (rank_n, steps_n), (rank_d, steps_d) = _steps(params), _steps(images)
    top = {"params": steps_n, "images": steps_d, "both": min(steps_n, steps_d)}[origin]
    raw = np.log(np.column_stack([params, images]))
    splits = []
    for cut in range(1, top):
        if origin == "params":
            rank = rank_n
        elif origin == "images":
            rank = rank_d
        else:
            rank = np.maximum(rank_n - (steps_n - top), rank_d - (steps_d - top))
        train, test = np.flatnonzero(rank < cut), np.flatnonzero(rank == cut)
        if not len(test) or not len(train) or too_few(law, raw[train]):
            continue
        splits.append(Split(train, test, _nearest_smaller(raw, seeds, train, test)))
    return splits


def _steps(axis: Floats) -> tuple[np.ndarray, int]:
    """Step of each row along an axis, from 0, and their number."""
    levels, rank = np.unique(axis, return_inverse=True)
    steps = min(len(levels), MOST_STEPS)
    return rank * steps // len(levels), steps


def _nearest_smaller(raw: Floats, seeds: Floats, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Row of the nearest training run that is larger in neither N nor D; of the same seed where there is one."""
    nearest = np.empty(len(test), int)
    for i, row in enumerate(test):
        gap = raw[row] - raw[train]
        distance = np.abs(gap).sum(axis=1) + np.where((gap >= -1e-9).all(axis=1), 0.0, 1e6)
        nearest[i] = train[np.argmin(distance + np.where(seeds[train] == seeds[row], 0.0, 1e-6))]
    return nearest


def predict_splits(
    found: Fit, raw: Floats, log_y: Floats | None, splits: Sequence[Split], *, delta: float, near: bool = False, seed: int = 0
) -> Floats:
    """Log predictions [B, m] of all test rows of the splits, in their order, for each of B log responses.

    A small grid may have its optimum far from that of the whole table, where it predicts badly. So the runs are refitted from
    the fit to the whole table and from random points, and resamples from that fit and from where the runs ended. From the whole
    table's fit alone, resamples would hardly ever go as far as the runs, and intervals of skill would be too narrow.

    Args:
        found: the fit to the whole table, whose law and weights are used and from which each refit starts.
        raw: log N and log D of its rows [n, 2].
        log_y: of resamples of the fit [B, n]; None for the runs themselves, B = 1.
        splits: origins.
        delta: Huber's, in log units.
        near: start from the fit to the whole table alone, for the runs as for resamples.
        seed: of the random points.
    """
    law, columns = found.law, []
    for split in splits:
        centre = raw[split.train].mean(axis=0)
        logs, own_y, weights = raw[split.train] - centre, found.log_y[split.train], found.weights[split.train]
        whole = law.shifted(found.theta[None], centre - found.centre)
        starts = [whole]
        if not near:
            drawn = law.starts(spread_of(logs, own_y), np.random.default_rng(seed), ORIGIN_STARTS)
            starts.append(project(law, drawn, logs, own_y, weights))
        theta = _refitted(law, logs, own_y[None], weights, np.concatenate(starts), delta)
        if log_y is not None:
            known = whole if near else np.concatenate([whole, theta])
            theta = _refitted(law, logs, log_y[:, split.train], weights, known, delta)
        columns.append(law.log_values(theta, raw[split.test] - centre))
    return np.concatenate(columns, axis=1)


def _refitted(law: Law, logs: Floats, log_y: Floats, weights: Floats, starts: Floats, delta: float) -> Floats:
    """Coordinates [B, p] fitted to each of B log responses [B, n]: of all starts [S, p] the one that ends best."""
    problem = huber_problem(law, logs, np.repeat(log_y, len(starts), axis=0), delta)
    tried = minimise(problem, np.tile(starts, (len(log_y), 1)), weights, tolerance=1e-7, iterations=ITERATIONS)
    best = np.argmin(tried.objective.reshape(len(log_y), -1), axis=1) + np.arange(len(log_y)) * len(starts)
    return tried.theta[best]


def root_mean_square(values: Floats) -> Floats:
    """Root of the mean square over the last axis: [..., n] -> [...]."""
    return np.sqrt(np.mean(values**2, axis=-1))
