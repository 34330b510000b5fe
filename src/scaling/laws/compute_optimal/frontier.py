"""The compute-optimal frontier: N*(C), D*(C), L*(C), solved numerically for a fit and all its resamples at once.

Where C = 6 N D the closed form of Hoffmann et al. 2022, equation 4, holds, and the numbers must agree with it. A study that
trains on T = max(floor, factor x D) images has no closed form: its compute is taken from its own table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.least_squares import ols

REACH = 3.0
"""Factor beyond the trained N and D to which a study's frontier is drawn (assumption)."""
SEARCHED_SIZES = 240
"""Sizes N tried per budget (assumption); a parabola through the best three refines them."""
DRAWN_BUDGETS = 24
"""Budgets at which a frontier is drawn (assumption)."""


class Compute(Protocol):
    """What a run costs: the D that a budget pays for at each N."""

    @property
    def log_params(self) -> tuple[float, float]:
        """Range of log N to search."""
        ...

    @property
    def log_flop(self) -> tuple[float, float]:
        """Range of log C in which the price is known."""
        ...

    def log_images(self, log_flop: float, log_params: Floats) -> Floats:
        """Log of the largest D [m] that a budget pays for at each log N [m]; NaN where it pays for none."""
        ...


@dataclass(frozen=True)
class SixND:
    """C = 6 N D, for N and C between limits (Kaplan et al. 2020, section 2.1), or C = factor N D."""

    log_params: tuple[float, float]
    log_flop: tuple[float, float]
    factor: float = 6.0

    def log_images(self, log_flop: float, log_params: Floats) -> Floats:
        """Log D = log C - log factor - log N."""
        return log_flop - np.log(self.factor) - log_params


@dataclass(frozen=True)
class TabledCompute:
    """log C = f(log N) + t(log D), each a broken line through the levels of a table."""

    levels_params: Floats
    cost_params: Floats
    levels_images: Floats
    cost_images: Floats

    @property
    def log_params(self) -> tuple[float, float]:
        """The table's range of log N, REACH times wider at both ends."""
        return float(self.levels_params[0] - np.log(REACH)), float(self.levels_params[-1] + np.log(REACH))

    @property
    def log_flop(self) -> tuple[float, float]:
        """From the cheapest point to the most expensive one within REACH."""
        low, high = self.log_params
        reach = self.levels_images[-1] + np.log(REACH)
        dearest = _line(np.array([high]), self.levels_params, self.cost_params) + _line(
            np.array([reach]), self.levels_images, self.cost_images
        )
        cheapest = _line(np.array([low]), self.levels_params, self.cost_params) + self.cost_images.min()
        return float(cheapest[0]), float(dearest[0])

    def log_images(self, log_flop: float, log_params: Floats) -> Floats:
        """Log of the largest D [m] that the budget pays for; at most REACH times the table's largest."""
        log_d = np.linspace(self.levels_images[0] - np.log(REACH), self.levels_images[-1] + np.log(REACH), 400)
        cost = np.maximum.accumulate(_line(log_d, self.levels_images, self.cost_images))
        allowed = log_flop - _line(log_params, self.levels_params, self.cost_params)
        # Where the cost is flat at small D (a floor on images seen), a budget pays for the largest D of the flat part.
        place = np.searchsorted(cost, allowed + 1e-12, side="right") - 1
        inner = np.interp(allowed, cost + np.arange(len(cost)) * 1e-12, log_d)
        return np.where(place < 0, np.nan, np.maximum(inner, log_d[np.maximum(place, 0)]))


def tabled_compute(params: Floats, images: Floats, flop: Floats) -> TabledCompute:
    """Compute as a table spent it, by least squares: log C = f(N) + t(D) over the levels of a crossed table.

    A table whose levels of N and D do not meet often enough to determine f and t gets log C = c + p log N + q log D.

    Args:
        params, images, flop: N, D and training compute in FLOP of the rows [n].

    Raises:
        ValueError: if a compute is not positive and finite.
    """
    if not (np.isfinite(flop).all() and (flop > 0).all()):
        raise ValueError("flop holds a value that is not positive and finite")
    levels_n, at_n, count_n = np.unique(params, return_inverse=True, return_counts=True)
    levels_d, at_d, count_d = np.unique(images, return_inverse=True, return_counts=True)
    if min(count_n.min(), count_d.min()) > 1:
        cells, inverse, rows = np.unique(at_n * len(levels_d) + at_d, return_inverse=True, return_counts=True)
        design = np.zeros((len(cells), len(levels_n) + len(levels_d)))
        design[np.arange(len(cells)), cells // len(levels_d)] = 1.0
        design[np.arange(len(cells)), len(levels_n) + cells % len(levels_d)] = 1.0
        root = np.sqrt(rows)
        mean = np.bincount(inverse, np.log(flop)) / rows
        found = ols(design * root[:, None], mean * root)
        # A constant may move between f and t: a table that determines them otherwise lacks one rank.
        if found.rank == len(levels_n) + len(levels_d) - 1:
            of_n, of_d = np.split(found.coefficients, [len(levels_n)])
            return TabledCompute(np.log(levels_n), of_n, np.log(levels_d), of_d)
    ends_n, ends_d = np.unique([levels_n[0], levels_n[-1]]), np.unique([levels_d[0], levels_d[-1]])
    plane = np.column_stack([np.ones(len(flop)), np.log(params), np.log(images)])
    constant, power_n, power_d = ols(plane, np.log(flop)).coefficients
    return TabledCompute(np.log(ends_n), constant + power_n * np.log(ends_n), np.log(ends_d), power_d * np.log(ends_d))


def _line(x: Floats, places: Floats, values: Floats) -> Floats:
    """Piecewise linear function through the points, continued along the end segments."""
    if len(places) == 1:
        return np.full_like(x, values[0])
    inner = np.interp(x, places, values)
    left = values[0] + (x - places[0]) * (values[1] - values[0]) / (places[1] - places[0])
    right = values[-1] + (x - places[-1]) * (values[-1] - values[-2]) / (places[-1] - places[-2])
    return np.where(x < places[0], left, np.where(x > places[-1], right, inner))


class BestUse(NamedTuple):
    """Best use of one budget for B candidates: log N*, log D*, log L* [B]; edge [B]: the best N is an end of the range."""

    log_params: Floats
    log_images: Floats
    log_response: Floats
    edge: np.ndarray


def best_use(law: Law, theta: Floats, centre: Floats, compute: Compute, flop: float) -> BestUse | None:
    """N and D of the lowest response that a budget can reach; None where it pays for no run in the range.

    Args:
        law: a law of N and D.
        theta: coordinates [B, p] about ``centre``.
        centre: of (log N, log D).
        compute: the price of (N, D).
        flop: the budget in FLOP.
    """
    log_n = np.linspace(*compute.log_params, SEARCHED_SIZES)
    log_d = compute.log_images(float(np.log(flop)), log_n)
    known = np.isfinite(log_d)
    if not known.any():
        return None
    log_n, log_d = log_n[known], log_d[known]
    value = law.log_values(theta, np.column_stack([log_n, log_d]) - centre)
    best = np.argmin(value, axis=1)
    edge = (best == 0) | (best == len(log_n) - 1)
    rows = np.arange(len(theta))
    if len(log_n) < 3:
        return BestUse(log_n[best], log_d[best], value[rows, best], edge)
    # A parabola through the best point and its neighbours refines N* to well below the grid's step.
    middle = np.clip(best, 1, len(log_n) - 2)
    left, here, right = (value[rows, middle + offset] for offset in (-1, 0, 1))
    bend = left - 2.0 * here + right
    shift = np.where(edge | (bend <= 0), 0.0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0))
    refined = np.where(edge, log_n[best], log_n[middle] + np.clip(shift, -1, 1) * (log_n[1] - log_n[0]))
    images = np.interp(refined, log_n, log_d)
    places = np.column_stack([refined, images]) - centre
    response = np.diagonal(law.log_values(theta, places)).copy()
    return BestUse(refined, images, response, edge)


def trained_budgets(flop: Floats, count: int = DRAWN_BUDGETS) -> Floats:
    """Budgets [count] from the cheapest run of a table to REACH times its most expensive one, evenly spaced in logs."""
    return np.geomspace(float(flop.min()), REACH * float(flop.max()), count)
