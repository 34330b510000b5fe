"""Fit one law to many small tables at once: Newton's method takes a step for all of them together.

On a table of 100 rows numpy spends more time on calls than on sums, so that a step for a batch of tables costs about as much as
for one table. There are fewer starts than for a single table; each certificate says how many.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.large import LARGE
from scaling.laws.fitting.newton import HuberProblem, Optima, minimise
from scaling.laws.fitting.points import Points, points_of, spread_of, too_few
from scaling.laws.fitting.projection import project
from scaling.laws.fitting.solver import PATH_FACTORS, SAME_OPTIMUM, automatic_delta, distinct, fit, judged, path, wide_delta
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats


def fit_many(
    law: Law,
    tables: Sequence[tuple[Mapping[str, ArrayLike], ArrayLike]],
    *,
    delta: float | None = 1e-3,
    starts: int = 4,
    seed: int = 0,
) -> list[Fit]:
    """``solver.fit`` of every table, in their order, with the same objective, path of deltas and certificate.

    A table is fitted alone if it is large, has too few rows, or did not converge together with the others. All tables are
    fitted alone if a term of the law cannot be evaluated at many tables at once.

    Args:
        law: the form.
        tables: for each table its variables, one array each, and its response.
        delta: Huber's, as for ``solver.fit``.
        starts: random starts per table; seed: of the starts.

    Raises:
        ValueError: if a value is not positive and finite.
    """
    clock = time.perf_counter()
    points = [points_of(law, data, response) for data, response in tables]
    together = [
        i for i, one in enumerate(points) if law.stacks and len(one.log_y) <= LARGE and not too_few(law, one.logs + one.centre)
    ]
    found: dict[int, Fit | None] = {}
    if together:
        found = dict(zip(together, _fit_batch(law, [points[i] for i in together], delta, starts, seed, clock), strict=True))
    return [
        found.get(i) or fit(law, data, response, delta=delta, starts=starts, seed=seed)
        for i, (data, response) in enumerate(tables)
    ]


def _fit_batch(
    law: Law, points: Sequence[Points], delta: float | None, starts: int, seed: int, clock: float
) -> list[Fit | None]:
    """The fits of a batch of tables; None where the best candidate has not converged."""
    batch = _batch(law, points)
    begun = np.concatenate([_starts(law, one, starts, seed) for one in points])
    owner = np.repeat(np.arange(len(points)), starts)
    wide = np.array([wide_delta(one.log_y) for one in points])
    first = np.maximum(wide, delta or 0.0)
    found = _minimise(batch, first, owner, begun, 1e-6)
    leaders = [int(np.argmin(np.where(owner == i, found.objective, np.inf))) for i in range(len(points))]
    deltas = np.array(
        [
            delta if delta is not None else automatic_delta(law, one.logs, one.log_y, one.weights, found.theta[best])
            for one, best in zip(points, leaders, strict=True)
        ]
    )
    basins, counts, owner = _basins(found, owner, len(points))
    widths = _falling_widths(wide, deltas)
    for step in range(widths.shape[1]):
        tolerance = 1e-14 if step == widths.shape[1] - 1 else 1e-4
        found = _minimise(batch, widths[:, step], owner, basins, tolerance)
        basins = found.theta
    fits: list[Fit | None] = []
    for i, one in enumerate(points):
        mine = np.flatnonzero(owner == i)
        values = found.objective[mine]
        leader, best = mine[np.argmin(values)], float(values.min())
        if not found.converged[leader]:
            fits.append(None)
            continue
        share = float(counts[mine][values <= best + SAME_OPTIMUM * abs(best) + 1e-24].sum() / starts)
        done = judged(law, one, found.theta[leader], best, float(deltas[i]), starts=starts, share=share, clock=clock)
        fits.append(done if done.parameters else None)
    seconds = (time.perf_counter() - clock) / len(points)
    return [one and replace(one, seconds=seconds) for one in fits]


def _falling_widths(wide: Floats, deltas: Floats) -> Floats:
    """Deltas [T, steps] from wide [T] to the final ones [T] as by ``solver.path``, with one number of steps for all tables."""
    steps = max(len(path(float(a), float(b), PATH_FACTORS[0])) for a, b in zip(wide, deltas, strict=True))
    return np.array([[*np.geomspace(max(a, b), b, steps + 1)[1:-1], b] for a, b in zip(wide, deltas, strict=True)])


def _batch(law: Law, points: Sequence[Points]) -> tuple[HuberProblem, Floats]:
    """The problem of all tables, each padded to the longest with rows of weight 0; and the weights [T, n]."""
    tables, rows = len(points), max(len(one.log_y) for one in points)
    logs = np.zeros((tables, rows, len(law.variables)))
    log_y, weights = np.zeros((tables, rows)), np.zeros((tables, rows))
    for i, one in enumerate(points):
        own = len(one.log_y)
        logs[i, :own], log_y[i, :own], weights[i, :own] = one.logs, one.log_y, one.weights
    bounds = [law.bounds(spread_of(one.logs, one.log_y)) for one in points]
    lower, upper = (np.array(side) for side in zip(*bounds, strict=True))
    return HuberProblem(law, logs, log_y, np.ones((tables, 1)), lower, upper), weights


def _minimise(batch: tuple[HuberProblem, Floats], delta: Floats, owner: np.ndarray, theta: Floats, tolerance: float) -> Optima:
    """Optima of candidates [B, p] that belong to the tables ``owner`` [B], with one delta per table."""
    problem, weights = batch
    own = problem._replace(delta=delta[:, None]).at(owner)
    return minimise(own, theta, weights[owner], tolerance=tolerance)


def _starts(law: Law, points: Points, count: int, seed: int) -> Floats:
    """Random starts of a table, the same as those of ``solver.fit``."""
    drawn = law.starts(spread_of(points.logs, points.log_y), np.random.default_rng(seed), count)
    return project(law, drawn, points.logs, points.log_y, points.weights)


def _basins(found: Optima, owner: np.ndarray, tables: int) -> tuple[Floats, np.ndarray, np.ndarray]:
    """Distinct candidates of each table, how many starts each stands for, and their owners."""
    # A table without any finite objective keeps its starts: they will not converge, and it is fitted alone.
    finite = np.isfinite(found.objective)
    parts = []
    for i in range(tables):
        mine = owner == i
        parts.append(distinct(found.theta[mine & finite if (mine & finite).any() else mine]))
    kept = [len(theta) for theta, _ in parts]
    return (
        np.concatenate([theta for theta, _ in parts]),
        np.concatenate([counts for _, counts in parts]),
        np.repeat(np.arange(tables), kept),
    )
