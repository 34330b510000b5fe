"""The compute-optimal frontier of a family: N*(C), D*(C), L*(C), solved numerically.

Compute follows the table itself: FLOP of one image as a power-law interpolation in N, images seen as one in D. Where the study
trains T = max(floor, factor x D) images, C is not 6 N D and no closed form holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scaling.laws.terms import Floats

REACH = 3.0
"""How far beyond the trained N and D the frontier is drawn."""
GRID = 160
POINTS = 24


@dataclass(frozen=True)
class Compute:
    """FLOP of a training run as a product f(N) T(D), each interpolated between the table's own levels in logs."""

    log_params: Floats
    log_flop_per_image: Floats
    log_images: Floats
    log_seen: Floats

    def __call__(self, params: Floats, images: Floats) -> Floats:
        """FLOP of a run at N and D."""
        return np.exp(
            _line(np.log(params), self.log_params, self.log_flop_per_image)
            + _line(np.log(images), self.log_images, self.log_seen)
        )

    def images_for(self, flop: float, params: Floats) -> Floats:
        """Largest D that a budget pays for at each N; NaN beyond three times the table's range of D."""
        log_d = np.linspace(self.log_images[0] - np.log(REACH), self.log_images[-1] + np.log(REACH), 400)
        seen = _line(log_d, self.log_images, self.log_seen)
        allowed = np.log(flop) - _line(np.log(params), self.log_params, self.log_flop_per_image)
        log_images = np.interp(allowed, np.maximum.accumulate(seen), log_d, left=np.nan, right=log_d[-1])
        return np.exp(log_images)


def compute_of(params: Floats, images: Floats, flop: Floats) -> Compute:
    """Compute as the table spent it: log flop = f(N) + t(D) by least squares over the levels."""
    levels_n, at_n = np.unique(params, return_inverse=True)
    levels_d, at_d = np.unique(images, return_inverse=True)
    design = np.zeros((len(flop), len(levels_n) + len(levels_d)))
    design[np.arange(len(flop)), at_n] = 1.0
    design[np.arange(len(flop)), len(levels_n) + at_d] = 1.0
    solution = np.linalg.lstsq(design, np.log(flop), rcond=None)[0]
    return Compute(np.log(levels_n), solution[: len(levels_n)], np.log(levels_d), solution[len(levels_n) :])


def _line(x: Floats, places: Floats, values: Floats) -> Floats:
    """Piecewise linear through the points, continued along the end segments."""
    if len(places) == 1:
        return np.full_like(x, values[0])
    inner = np.interp(x, places, values)
    left = values[0] + (x - places[0]) * (values[1] - values[0]) / (places[1] - places[0])
    right = values[-1] + (x - places[-1]) * (values[-1] - values[-2]) / (places[-1] - places[-2])
    return np.where(x < places[0], left, np.where(x > places[-1], right, inner))


def best_split(predict: Callable[[Floats, Floats], Floats], compute: Compute, flop: float) -> tuple[float, float, float]:
    """N, D and response of the lowest predicted response that a budget can buy, inside three times the trained range."""
    low, high = compute.log_params[0] - np.log(REACH), compute.log_params[-1] + np.log(REACH)
    params = np.exp(np.linspace(low, high, GRID))
    images = compute.images_for(flop, params)
    known = np.isfinite(images)
    if not known.any():
        return np.nan, np.nan, np.nan
    params, images = params[known], images[known]
    value = predict(params, images)
    best = int(np.argmin(value))
    return float(params[best]), float(images[best]), float(value[best])


def trained_budgets(flop: Floats, count: int = POINTS) -> Floats:
    """Budgets from the cheapest run of a table to three times its dearest, evenly in logs."""
    return np.geomspace(float(flop.min()), REACH * float(flop.max()), count)
