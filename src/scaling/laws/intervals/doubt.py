"""How far off a prediction may be: if the law holds, and honestly.

If the law holds, the error consists of noise and of the uncertainty of the parameters. An honest interval adds the error of the
law itself beyond its rows, which rolling origins show: without the noise, their errors grow with the distance beyond the rows
that were fitted, and so will those of the prediction. It also adds the disagreement of forms that predicted equally well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from scaling.laws.forms.terms import Floats

ASSUMED_DRIFT = 0.01
"""Error of a law per log unit beyond its rows before any origin is seen; it counts as one origin (assumption: published laws
err by about 1 % per factor of e beyond their data)."""
LEAST_FREEDOM = 4
"""Fewest degrees of freedom of an honest interval (assumption): with fewer, t would make intervals useless."""
NEAR = 0.25
"""Distance beyond the rows, in log units (a factor of 1.3), below which an origin tells nothing about drift (assumption)."""


class Doubt(NamedTuple):
    """What the rolling origins tell about a stack.

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
        noise: standard deviation of the log response of a run.
        errors: for each origin, log errors of the m rows that it predicts [m].
        distances: of those rows beyond the rows fitted, in log units [m].
    """
    squares = [ASSUMED_DRIFT**2]
    for error, far in zip(errors, distances, strict=True):
        reach = float(np.mean(far**2))
        if reach > NEAR**2:
            squares.append(max(float(np.mean(error**2)) - noise**2, 0.0) / reach)
    return Doubt(noise, float(np.sqrt(np.mean(squares))), len(squares) - 1)


def honest_interval(centre: Floats, doubt: Doubt, between: Floats, far: Floats, level: float) -> Interval:
    """The interval [m] in which a new run is expected, whether or not the law holds.

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
    """The interval [m] in which a new run is expected if the law holds.

    Args:
        centre: predicted log response [m].
        noise: standard deviation of the log response of a run; variance: of the law's value [m].
        freedom: degrees of freedom of the fit.
        level: coverage.
    """
    half = student.ppf(0.5 + level / 2, max(freedom, 1)) * np.sqrt(noise**2 + variance)
    return Interval(centre - half, centre + half)
