"""How far a prediction may be off: if the law holds, and honestly.

If the law holds, an error is noise and what the rows leave open of the parameters. Honestly, it is also what the law itself
gets wrong beyond its rows, of which rolling origins know: their errors, less noise, grow with the distance beyond the rows
learnt from, and so will those of the prediction. Forms that predicted equally well and now disagree add their disagreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from scaling.laws.forms.terms import Floats

ASSUMED_DRIFT = 0.01
"""Error of a law per log unit beyond its rows before any origin is seen: counts as one origin (assumption: published laws
are off by about 1 % per factor of e beyond their data)."""
LEAST_FREEDOM = 4
"""Degrees of freedom of an honest interval are at least these: a handful of origins are not independent."""
NEAR = 0.25
"""Origins whose distance beyond the rows is below this (a factor 1.3) say nothing about drift."""


class Doubt(NamedTuple):
    """What the rolling origins say of a stack.

    Attributes:
        noise: standard deviation of the log response of one new run.
        drift: error of the law per log unit beyond the rows.
        origins: number that drift was estimated from.
    """

    noise: float
    drift: float
    origins: int


class Interval(NamedTuple):
    """Ends of the log response [m] of a new run at each place."""

    low: Floats
    high: Floats


def doubt_of(noise: float, errors: Sequence[Floats], distances: Sequence[Floats]) -> Doubt:
    """Drift from the log errors at each origin and the distances of the rows predicted.

    Args:
        noise: of a run.
        errors: of the stack at each origin, with shares from the other origins.
        distances: of those rows beyond the rows learnt from.
    """
    squares = [ASSUMED_DRIFT**2]
    for error, far in zip(errors, distances, strict=True):
        reach = float(np.mean(far**2))
        if reach > NEAR**2:
            squares.append(max(float(np.mean(error**2)) - noise**2, 0.0) / reach)
    return Doubt(noise, float(np.sqrt(np.mean(squares))), len(squares) - 1)


def honest_interval(centre: Floats, doubt: Doubt, between: Floats, far: Floats, level: float) -> Interval:
    """The interval in which a new run is expected, whether the law holds or not.

    Args:
        centre: predicted log response [m].
        doubt: of the stack.
        between: variance of the candidates' log predictions, by their shares [m].
        far: distance beyond the rows [m].
        level: coverage.
    """
    spread = np.sqrt(doubt.noise**2 + between + (doubt.drift * far) ** 2)
    half = student.ppf(0.5 + level / 2, max(doubt.origins, LEAST_FREEDOM)) * spread
    return Interval(centre - half, centre + half)


def interval_if_true(centre: Floats, noise: float, variance: Floats, freedom: int, level: float) -> Interval:
    """The interval of a new run if the law holds: noise, and the variance that the rows leave to the law's value [m]."""
    half = student.ppf(0.5 + level / 2, max(freedom, 1)) * np.sqrt(noise**2 + variance)
    return Interval(centre - half, centre + half)
