"""How a family is judged: whether it scales, and how well its law predicts its larger runs.

The main criterion is prediction: skill = 1 - RMSE / RMSE of persistence over the rolling origins. A family whose response does
not fall by more than noise over its grid "does not scale here" and gets no rank. "Cannot tell" is a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import t as student

from scaling.analysis.misfit import Misfit
from scaling.analysis.significance import SIGNIFICANCE
from scaling.laws.forms.terms import Floats
from scaling.laws.least_squares import ols

NO_FALL = 0.1
"""Log fall over a whole grid that is negligible (assumption): an interval below it means "does not scale here"."""


@dataclass(frozen=True)
class Gate:
    """Whether a response falls over the grid: log fall from the smallest to the largest corner and its interval, by a plane.

    ``measured`` is the log fall between the runs at the two corners themselves; None where one has no run.
    """

    fall: float
    interval: tuple[float, float] | None
    scales: bool
    measured: float | None = None


def gate(params: Floats, images: Floats, log_y: Floats) -> Gate:
    """Does the response fall by more than noise over the grid?

    A plane in (log N, log D) is fitted by least squares. The fall is its drop from the smallest to the largest corner, with a t
    interval that counts every departure from the plane as noise, so that it is wide rather than narrow.

    Args:
        params, images, log_y: N, D and log response [n].
    """
    if not len(log_y):
        return Gate(0.0, None, False)
    design = np.column_stack([np.ones(len(log_y)), np.log(params), np.log(images)])
    span = np.array([0.0, np.ptp(design[:, 1]), np.ptp(design[:, 2])])
    plane = ols(design, log_y)
    fall = -float(span @ plane.coefficients)
    corners = [(params == end(params)) & (images == end(images)) for end in (np.min, np.max)]
    first, last = (np.log(np.mean(np.exp(log_y[corner]))) if corner.any() else np.nan for corner in corners)
    measured = None if np.isnan(first - last) else float(first - last)
    if plane.freedom < 1 or not plane.determined:
        return Gate(fall, None, False, measured)
    half = float(student.ppf(1 - SIGNIFICANCE / 2, plane.freedom) * np.sqrt(span @ plane.covariance() @ span))
    return Gate(fall, (fall - half, fall + half), fall - half > 0, measured)


def order_share(axis: Floats, other: Floats, seeds: Floats, log_y: Floats, noise: float) -> tuple[float | None, int]:
    """Share of pairs of neighbours along one axis of which the larger has the lower response by more than noise.

    Args:
        axis: N (or D) of each run [n].
        other: D (or N) [n].
        seeds: [n].
        log_y: log response [n].
        noise: standard deviation of one run's log response; a step must exceed sqrt(2) times it.

    Returns:
        The share, or None without neighbours, and the number of neighbours.
    """
    levels = np.unique(axis)
    better = total = 0
    for held, seed in {(float(o), float(s)) for o, s in zip(other, seeds, strict=True)}:
        here = (other == held) & (seeds == seed)
        line = {float(a): float(y) for a, y in zip(axis[here], log_y[here], strict=True)}
        for small, large in pairwise(levels):
            if small in line and large in line:
                total += 1
                better += line[small] - line[large] > np.sqrt(2.0) * noise
    return (better / total if total else None), total


def family_sentence(
    family: str,
    verdict: Gate,
    skill: float | None,
    interval: tuple[float, float] | None,
    reason: str | None,
    misfit: Misfit | None,
    response: str = "loss",
) -> str:
    """One sentence: does the family scale here, and does its law predict its larger runs?

    Args:
        family: its name; verdict: whether its response falls.
        skill, interval: over all origins, or None, with the ``reason``.
        misfit: of its law, or None.
        response: what falls.
    """
    if verdict.interval is None:
        return f"{family}: cannot tell whether it scales here: too few cells"
    fall = 1 - np.exp(-verdict.fall)
    if not verdict.scales:
        low, high = (1 - np.exp(-end) for end in verdict.interval)
        size = f"its {response} falls by {_percent(fall)} [{_percent(low)}, {_percent(high)}] over the grid, by a plane"
        if verdict.interval[1] > NO_FALL:
            return f"{family}: cannot tell whether it scales here: {size}"
        return f"{family} does not scale here: {size}"
    head = f"{family}: {response} falls by {fall:.0%} over the grid, by a plane"
    if verdict.measured is not None:
        head = f"{family}: {response} falls by {_percent(1 - np.exp(-verdict.measured))} from its smallest to its largest run"
    if skill is None or interval is None:
        return f"{head}; cannot tell whether its law predicts larger runs: {reason}"
    number = f"skill {skill:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
    tail = "" if misfit is None else f"; {misfit.sentence}"
    if interval[0] > 0:
        return f"{head} and its law predicts the larger runs better than persistence: {number}{tail}"
    if interval[1] < 0:
        return f"{head}, but its law predicts the larger runs worse than persistence: {number}{tail}"
    return f"{head}; cannot tell whether its law predicts the larger runs better than persistence: {number}{tail}"


def _percent(share: float) -> str:
    """A share in percent; a rise of more than tenfold, as one wrong row of a table can make it, without its digits."""
    return "below -1000%" if share < -10 else f"{share:.0%}"
