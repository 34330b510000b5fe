"""Rolling origins: smaller rows to learn from, larger ones to predict, inside the rows that are given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scaling.laws.forms.terms import Floats

CURVE_ORIGINS = ((1.5, 2.3), (2.2, 2.3), (3.2, 2.3), (4.7, 2.3))
"""Origins of a curve: learn up to the largest x over the first number, predict up to the second number times further
(assumption: about as far as users extrapolate)."""
GRID_SHARES = (0.12, 0.25, 0.4, 0.55)
"""Origins of a grid: the share of the range of log N, log D and log N D that is held out at its upper end (assumption)."""
LEAST_ROWS = 6
"""Fewest rows that an origin of a grid learns from (assumption)."""
SLACK = 1e-9
"""Distance in log units that is rounding."""


class Origin(NamedTuple):
    """Masks of the rows learnt from and predicted [n], and how far each row lies beyond those learnt from, in log units [n]."""

    train: np.ndarray
    test: np.ndarray
    beyond: Floats


def curve_origins(size: Floats) -> list[Origin]:
    """Origins over log x [n], nearest the end first."""
    result = []
    for back, reach in CURVE_ORIGINS:
        train = size <= size.max() - np.log(back) + 1e-6
        if not train.any():
            continue
        test = ~train & (size <= size[train].max() + np.log(reach) + 1e-6)
        if test.any():
            result.append(Origin(train, test, distance(size[train][:, None], size[:, None])))
    return result


def grid_origins(logs: Floats) -> list[Origin]:
    """Origins over log N, log D and log N D of a grid's logs [n, k], on each axis the one nearest the end first; none twice."""
    plane = logs[:, :2]
    result, seen = [], set()
    for axis in (plane[:, 0], plane[:, 1], plane.sum(axis=1)):
        for share in GRID_SHARES:
            train = axis <= axis.max() - share * np.ptp(axis) + SLACK
            if train.all() or train.sum() < LEAST_ROWS or train.tobytes() in seen:
                continue
            seen.add(train.tobytes())
            result.append(Origin(train, ~train, distance(plane[train], plane)))
    return result


def distance(known: Floats, places: Floats) -> Floats:
    """Distance [m] of places [m, k] beyond known ones [n, k], in log units: root of the sum of squares over the variables.

    A place lies within the known ones if one of them is at least as large in every variable, and none of its variables is
    smaller than all known ones. A large N with a large D is thus far from a table that has either only with a small other one.
    """
    above = np.full(len(places), np.inf)
    for one in largest_rows(known):
        above = np.minimum(above, np.sum(np.maximum(places - one, 0.0) ** 2, axis=1))
    below = np.sum(np.maximum(known.min(axis=0) - places, 0.0) ** 2, axis=1)
    return np.sqrt(above + below)


def largest_rows(rows: Floats) -> Floats:
    """Those of rows [n, k], k at most 2, of which no other is at least as large in every variable: [m, k]."""
    if rows.shape[1] == 1:
        return rows.max(axis=0, keepdims=True)
    ordered = rows[np.lexsort((-rows[:, 1], -rows[:, 0]))]
    # From the largest first variable down, a row counts if its second one is larger than all before it.
    before = np.concatenate([[-np.inf], np.maximum.accumulate(ordered[:, 1])[:-1]])
    return ordered[ordered[:, 1] > before]
