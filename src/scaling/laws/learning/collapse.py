"""Do the curves of a family's sizes fall on each other?

Where width, rate and length scale well together, the loss above the floor, divided by its value at the end, is the same
function of the share of training for all sizes, to within less than the noise between seeds (Qiu et al. 2025, "Scaling Collapse
Reveals Universal Dynamics in Compute-Optimally Trained Neural Networks", arXiv 2507.02119).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import Floats
from scaling.laws.learning.final_loss import Curve


@dataclass(frozen=True)
class Collapse:
    """How far the normalised curves of one D are apart; root mean squares over D and shares before the last, in log units.

    Attributes:
        spread: standard deviation between sizes, each the mean of its seeds; None with fewer than two sizes.
        noise: standard deviation between seeds of one size, apart from what a seed does to all sizes; None where no D has
            two seeds of two sizes.
        ratio: root of the mean square between sizes over that between seeds, at those D: 1 where only noise parts them.
    """

    spread: float | None
    noise: float | None
    ratio: float | None


def normalised(curve: Curve, shares: Sequence[float], floor: float = 0.0) -> Floats | None:
    """log((L(share) - floor) / (L(end) - floor)) at ``shares``; None if the curve is shorter, or touches the floor."""
    levels = [curve.lowest_at(share) for share in (*shares, 1.0)]
    if curve.shares[-1:] < (1.0 - 1e-3,) or any(level is None or level <= floor for level in levels):
        return None
    logs = np.log(np.array(levels, float) - floor)
    return logs[:-1] - logs[-1]


def collapse(groups: Sequence[Floats]) -> Collapse:
    """Spread and noise of ``groups``, one per D: normalised curves [sizes, seeds, shares], of the same seeds for all sizes."""
    between, repeated, residual = [], [], []
    for curves in groups:
        sizes, seeds, _ = curves.shape
        if sizes < 2:
            continue
        means = curves.mean(axis=1)
        between.append(means.var(axis=0, ddof=1).mean())
        if seeds < 2:
            continue
        left = curves - means[:, None] - curves.mean(axis=0) + means.mean(axis=0)
        spare = (sizes - 1) * (seeds - 1)
        residual.append((float((left**2).sum(axis=(0, 1)).mean()), spare))
        repeated.append((seeds * between[-1] * (sizes - 1), sizes - 1))
    spread = float(np.sqrt(np.mean(between))) if between else None
    if not residual:
        return Collapse(spread, None, None)
    noise, mean_square = (float(np.sum(part, axis=0)[0] / np.sum(part, axis=0)[1]) for part in (residual, repeated))
    return Collapse(spread, noise**0.5, (mean_square / noise) ** 0.5 if noise > 0 else None)
