"""Statistics of benchmarks by rounds: each round times every setting once, so that ratios within a round are paired."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from scipy.stats import binom

from scaling.analysis.claims.claim import MissingEvidence

ByRound = Mapping[int, float]


def median_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Interval of the median between two order statistics, for any distribution; None if there are too few values.

    It is the narrowest symmetric pair that covers the median with at least ``level`` (Conover 1999, "Practical Nonparametric
    Statistics", section 3.2). For 0.95 six values are needed.
    """
    ordered, count = sorted(values), len(values)
    ranks = [rank for rank in range(1, count // 2 + 1) if 1 - 2 * binom.cdf(rank - 1, count, 0.5) >= level]
    return (float(ordered[ranks[-1] - 1]), float(ordered[-ranks[-1]])) if ranks else None


def median_row(values: Sequence[float], series: str, x: float, panel: str) -> dict[str, object]:
    """A row for a claim's curves: median over rounds with its 95 % interval, if there are enough.

    Args:
        values: one per round.
        series, x, panel: where the row is drawn (``Curves``).
    """
    low, high = median_interval(values) or (None, None)
    return {"panel": panel, "series": series, "x": x, "y": float(np.median(values)), "low": low, "high": high}


def log_by_round(rows: pl.DataFrame) -> dict[int, float]:
    """Round -> log value of the rows of one setting.

    Raises:
        MissingEvidence: if there are none, or several in one round.
    """
    if rows.is_empty():
        raise MissingEvidence("this setting was not timed")
    if rows["repeat"].n_unique() < len(rows):
        raise MissingEvidence("several settings at once: name one")
    return {int(repeat): math.log(value) for repeat, value in rows.select("repeat", "value").iter_rows()}


def exponents(rows: pl.DataFrame, least_x: float = 0.0) -> dict[int, float]:
    """Round -> slope of log value on log x by least squares, over the x of at least ``least_x``.

    Args:
        rows: repeat, x, value.

    Raises:
        MissingEvidence: if no round has two x.
    """
    found = {}
    for (repeat,), own in rows.filter(pl.col("x") >= least_x).group_by("repeat", maintain_order=True):
        if own["x"].n_unique() > 1:
            found[int(repeat)] = float(np.polyfit(np.log(own["x"].to_numpy()), np.log(own["value"].to_numpy()), 1)[0])
    if not found:
        raise MissingEvidence("no round has two values of the quantity that is varied")
    return found


def crossing(first: pl.DataFrame, second: pl.DataFrame) -> dict[int, float]:
    """Round -> log x from which up the first costs more than the second, by lines between the x in the logarithms.

    A round in which they do not cross, or cross back, is left out.

    Args:
        first, second: repeat, x, value.
    """
    found = {}
    for repeat in sorted(set(first["repeat"]) & set(second["repeat"])):
        one, other = (rows.filter(repeat=repeat).sort("x") for rows in (first, second))
        both = one.join(other, on="x", suffix="_other").sort("x")
        x = np.log(both["x"].to_numpy())
        excess = np.log(both["value"].to_numpy()) - np.log(both["value_other"].to_numpy())
        turns = np.flatnonzero((excess[:-1] <= 0) & (excess[1:] > 0))
        if len(turns) == 1 and excess[-1] > 0:
            i = int(turns[0])
            found[int(repeat)] = float(x[i] - excess[i] * (x[i + 1] - x[i]) / (excess[i + 1] - excess[i]))
    return found
