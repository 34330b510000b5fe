"""A table as a law sees it: logs of its variables about a centre, log response and weights, and the problem that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.newton import HuberProblem
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats, Spread


class Points(NamedTuple):
    """A table as a law sees it: centred logs [n, k], their centre [k], log response and weights [n]."""

    logs: Floats
    centre: Floats
    log_y: Floats
    weights: Floats


def points_of(law: Law, data: Mapping[str, ArrayLike], response: ArrayLike, weights: ArrayLike | None = None) -> Points:
    """A table as a law sees it.

    Args:
        law: the form.
        data: one array [n] per variable of the law; response: [n].
        weights: [n]; None for 1.

    Raises:
        ValueError: if a value is not positive and finite, or a weight is negative or not finite.
    """
    raw, log_y = log_table(law, data, response)
    rows = len(log_y)
    weight = np.ones(rows) if weights is None else np.asarray(weights, float)
    if weight.shape != log_y.shape or not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError(f"weights must be {rows} finite numbers >= 0, got shape {weight.shape}")
    centre = law.centre(raw)
    return Points(raw - centre, centre, log_y, weight)


def log_table(law: Law, data: Mapping[str, ArrayLike], response: ArrayLike) -> tuple[Floats, Floats]:
    """Logs of the law's variables [n, k] and of the response [n].

    Args:
        law: its ``variables`` name the columns.
        data: column -> values [n].
        response: [n].

    Raises:
        ValueError: if a column is missing, of another length, or holds a value that is not positive and finite.
    """
    columns = []
    y = np.asarray(response, float)
    for name in law.variables:
        if name not in data:
            raise ValueError(f"{law.name} needs the column {name}, got {', '.join(data) or 'none'}")
        columns.append(np.asarray(data[name], float))
    for name, column in zip((*law.variables, "response"), (*columns, y), strict=True):
        if column.shape != y.shape or column.ndim != 1:
            raise ValueError(f"{name} has shape {column.shape}; the response has {y.shape}")
        bad = ~(np.isfinite(column) & (column > 0))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"{name} is {column[row]} in row {row}; it must be positive and finite")
    if "U" in law.variables:
        # Of unique data only the part that was seen counts.
        unique, seen = law.variables.index("U"), law.variables.index("D")
        columns[unique] = np.minimum(columns[unique], columns[seen])
    return np.log(np.column_stack(columns)), np.log(y)


def too_few(law: Law, raw_logs: Floats) -> dict[str, str]:
    """Why a table, by its uncentred logs [n, k], cannot determine the law's parameters; {} where it can."""
    rows, needed = len(raw_logs), len(law.parameters) + 1
    reasons = {}
    if rows < needed:
        reasons["all"] = f"{rows} rows; {needed} are needed for {len(law.parameters)} parameters"
    for column, name in enumerate(law.variables):
        distinct = len(np.unique(raw_logs[:, column]))
        if distinct < law.levels:
            reasons[name] = f"{distinct} distinct {name}; {law.levels} are needed"
    return reasons


def huber_problem(law: Law, logs: Floats, log_y: Floats, delta: float) -> HuberProblem:
    """The problem of fitting a law, with the bounds that follow from its table.

    Args:
        law: the form.
        logs: centred logs [n, k]; log_y: log response [n] or [B, n].
        delta: Huber's, in log units.
    """
    spread = spread_of(logs, log_y)
    return HuberProblem(law, logs, log_y, delta, *law.bounds(spread))


def spread_of(logs: Floats, log_y: Floats) -> Spread:
    """Ranges of the log response and of the centred logs [n, k]."""
    return Spread(np.array([log_y.min(), log_y.max()]), np.column_stack([logs.min(axis=0), logs.max(axis=0)]))
