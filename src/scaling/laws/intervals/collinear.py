"""Variables that move together: where D is a multiple, or a power, of N, a table does not determine their terms separately."""

from __future__ import annotations

import numpy as np

from scaling.laws.forms.terms import Floats
from scaling.laws.least_squares import ols

TOGETHER = 1e-3
"""Share of a variable's variance (in logs) below which what the others leave unexplained does not count (assumption): over
three decades it is a deviation of 7 %, and the split between two terms would depend on that alone."""


def moving_together(names: tuple[str, ...], raw_logs: Floats) -> str | None:
    """Which variables move together, as a reason; None where each varies independently.

    Args:
        names: of the variables.
        raw_logs: their logs [n, k].
    """
    if len(names) < 2 or len(raw_logs) < 3:
        return None
    logs = raw_logs - raw_logs.mean(axis=0)
    power = np.sum(logs**2, axis=0)
    moving = power > 0
    pairs = [(i, j) for i in range(len(names)) for j in range(i) if moving[i] and moving[j]]
    for i, j in pairs:
        left = 1.0 - (logs[:, i] @ logs[:, j]) ** 2 / (power[i] * power[j])
        if left < TOGETHER:
            return f"not identifiable: {names[j]} and {names[i]} move together"
    for i in np.flatnonzero(moving):
        others = [j for j in np.flatnonzero(moving) if j != i]
        if not others:
            continue
        if ols(logs[:, others], logs[:, i]).squares < TOGETHER * power[i]:
            return f"not identifiable: {', '.join(names[j] for j in sorted((*others, i)))} move together"
    return None
