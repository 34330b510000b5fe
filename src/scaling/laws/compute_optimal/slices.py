"""IsoFLOP slices: rows of (nearly) equal compute, found in a table or interpolated between the points of a crossed grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from scaling.laws.compute_optimal.frontier import Compute
from scaling.laws.forms.terms import Floats

SAME_FLOP = 0.1
"""Rows whose compute differs by less than this share belong to one slice (assumption)."""
SAME_SIZE = 0.02
"""Sizes that differ by less than this share count as one (assumption)."""
LEAST_SIZES = 3
"""Sizes that a slice needs: a parabola has three coefficients."""
LEAST_GROUPED = 5
"""Sizes that a group of rows needs to be a slice (assumption): evenly spread compute falls into many small groups by chance."""
LEAST_SLICES = 3
"""Slices that an exponent needs: with two, its line would leave no scatter."""
GRID_SLICES = 5
"""Slices interpolated in a crossed grid (assumption)."""


@dataclass(frozen=True)
class Slice:
    """Points of equal compute at which a response is known.

    Attributes:
        log_flop: log C.
        logs: log N and log D of the m points [m, 2].
        weights: of the points [m].
        reader: sparse [m, n], each row with sum 1. The log response of a point is the law's value there plus ``reader`` times
            the table's residuals: exact for a point that is a row of the table, and between rows if the law holds.
        interpolated: whether points lie between rows.
    """

    log_flop: float
    logs: Floats
    weights: Floats
    reader: csr_array
    interpolated: bool


def slices_of(params: Floats, images: Floats, flop: Floats, compute: Compute, weights: Floats | None = None) -> list[Slice]:
    """Slices of a table: groups of its rows or interpolated points, whichever span more compute; in order of compute.

    Args:
        params, images, flop: N, D and training compute of the rows [n].
        compute: the price of (N, D), for interpolation.
        weights: of the rows [n]; None for 1.
    """
    weight = np.ones(len(flop)) if weights is None else weights
    found = _grouped(np.log(params), np.log(images), np.log(flop), weight)
    read = _between(np.log(params), np.log(images), compute, weight)
    return found if _reach(found) >= _reach(read) else read


def _reach(slices: list[Slice]) -> float:
    """Width in log C that slices span; -1 for too few slices."""
    return slices[-1].log_flop - slices[0].log_flop if len(slices) >= LEAST_SLICES else -1.0


def distinct_sizes(log_params: Floats) -> int:
    """Number of sizes among log N [m] that differ by more than SAME_SIZE."""
    return 1 + int(np.sum(np.diff(np.sort(log_params)) > SAME_SIZE)) if len(log_params) else 0


def _grouped(log_n: Floats, log_d: Floats, log_c: Floats, weights: Floats) -> list[Slice]:
    """Windows of log C no wider than SAME_FLOP with enough sizes; windows with the most rows are taken first."""
    order = np.argsort(log_c, kind="stable")
    ends = np.searchsorted(log_c[order], log_c[order] + np.log1p(SAME_FLOP), side="right")
    taken = np.zeros(len(order), bool)
    found = []
    for start in np.argsort(np.arange(len(order)) - ends, kind="stable"):
        rows = order[start : ends[start]]
        if taken[start : ends[start]].any() or distinct_sizes(log_n[rows]) < LEAST_GROUPED:
            continue
        taken[start : ends[start]] = True
        shape = (len(rows), len(order))
        reader = csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows)), shape=shape)
        logs = np.column_stack([log_n[rows], log_d[rows]])
        found.append(Slice(float(log_c[rows].mean()), logs, weights[rows], reader, False))
    return sorted(found, key=lambda one: one.log_flop)


def _between(log_n: Floats, log_d: Floats, compute: Compute, weights: Floats) -> list[Slice]:
    """Slices of a crossed grid: at each budget, the sizes N at which its D lies within the range of D trained at that size."""
    levels = [np.flatnonzero(log_n == level) for level in np.unique(log_n)]
    levels = [rows for rows in levels if len(np.unique(log_d[rows])) > 1]
    if len(levels) < LEAST_SIZES or len(levels) > len(log_n) / 2:
        return []
    sizes = np.array([log_n[rows[0]] for rows in levels])
    spans = np.array([[log_d[rows].min(), log_d[rows].max()] for rows in levels])
    budgets = np.linspace(*compute.log_flop, 2000)
    bought = np.array([compute.log_images(budget, sizes) for budget in budgets])
    inside = (bought >= spans[:, 0] - 1e-9) & (bought <= spans[:, 1] + 1e-9)
    enough = np.flatnonzero(inside.sum(axis=1) >= LEAST_SIZES)
    if not len(enough):
        return []
    # Evenly over the budgets with enough sizes, half a step from either end, where a size has only just become affordable.
    chosen = np.unique(enough[((np.arange(GRID_SLICES) + 0.5) / GRID_SLICES * len(enough)).astype(int)])
    return [_read(float(budgets[at]), sizes, bought[at], inside[at], levels, log_d, weights) for at in chosen]


def _read(
    log_flop: float,
    sizes: Floats,
    bought: Floats,
    inside: np.ndarray,
    levels: list[np.ndarray],
    log_d: Floats,
    weights: Floats,
) -> Slice:
    """One slice: residuals linear in log D between two neighbouring points of the grid, each the mean of its rows."""
    places, columns, values, point_weights = [], [], [], []
    members = np.flatnonzero(inside)
    for point, member in enumerate(members):
        rows = levels[member]
        steps, cell = np.unique(log_d[rows], return_inverse=True)
        right = int(np.clip(np.searchsorted(steps, bought[member]), 1, len(steps) - 1))
        share = float(np.clip((bought[member] - steps[right - 1]) / (steps[right] - steps[right - 1]), 0.0, 1.0))
        total = 0.0
        for index, part in ((right - 1, 1.0 - share), (right, share)):
            own = rows[cell == index]
            mean = weights[own] / weights[own].sum()
            places += [point] * len(own)
            columns += own.tolist()
            values += (part * mean).tolist()
            total += part * float(weights[own].sum())
        point_weights.append(total)
    reader = csr_array((values, (places, columns)), shape=(len(members), len(log_d)))
    logs = np.column_stack([sizes[members], bought[members]])
    return Slice(log_flop, logs, np.array(point_weights), reader, True)
