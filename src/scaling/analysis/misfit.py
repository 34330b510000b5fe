"""How far a law lies from a family's responses, beyond the noise between seeds: a size with an interval, and a margin.

A test for lack of fit punishes low noise and many seeds, since every law is wrong somewhere. What matters is the size of the
misfit. It counts as small if its whole interval lies below a margin that was fixed beforehand (equivalence), not if a test
fails to reject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2
from scipy.stats import f as fisher

from scaling.analysis.significance import CONFIDENCE
from scaling.laws.forms.terms import Floats
from scaling.laws.least_squares import indicators, ols

MISFIT_MARGIN = 0.03
"""Log units, about 3 % of the response (assumption): half the cost of a learning rate that is wrong by a factor of 3, and too
little to be taken for a difference between families."""


@dataclass(frozen=True)
class Misfit:
    """Root mean square distance of the law from the expected log response at each point (N, D).

    Attributes:
        rms: estimate, in log units; 0 if runs of one point differ by more than points do.
        interval: 95 %.
        verdict: "within margin", "beyond margin" or "cannot tell".
        sentence: the same in words.
    """

    rms: float
    interval: tuple[float, float]
    verdict: str
    sentence: str


def measure_misfit(
    residuals: Floats, params: Floats, images: Floats, seeds: Floats, weights: Floats, parameters: int
) -> Misfit | None:
    """Misfit from a fit's residuals between points (N, D) and within them; None with fewer points than parameters + 1.

    The mean square of the residuals between points estimates noise + n0 misfit^2 (n0: seeds per point), that within points the
    noise; the interval is that of Williams (1962, Biometrika 49, 278). What all runs of one (seed, D) share is removed from the
    noise within points: the fit absorbs most of it as a function of D, so that it would hide a misfit between points. What is
    not absorbed counts as misfit. Without repeated seeds all residuals together bound the misfit.

    Args:
        residuals: log observed minus log predicted [n].
        params, images, seeds: N, D and seed [n].
        weights: inverse variances of the noise with mean 1 [n].
        parameters: number fitted.
    """
    scaled = residuals * np.sqrt(weights)
    _, cell, counts = np.unique(np.column_stack([params, images]), axis=0, return_inverse=True, return_counts=True)
    cell = cell.ravel()
    _, pair = np.unique(np.column_stack([seeds, images]), axis=0, return_inverse=True)
    within_cells = ols(np.column_stack([indicators(cell), indicators(pair.ravel())]), scaled)
    between, within = len(counts) - parameters, within_cells.freedom
    if between < 1:
        return None
    means = np.bincount(cell, scaled) / counts
    left = float(np.sum(counts * means**2))
    each = (len(scaled) - float(np.sum(counts**2)) / len(scaled)) / (len(counts) - 1)
    tail = (1 - CONFIDENCE) / 2
    if within < 1:
        high = float(np.sqrt(left / chi2.ppf(tail, between)))
        return _judged(float(np.sqrt(left / between)), (0.0, high), "including seed noise, since no point has two seeds")
    noise = within_cells.squares / within
    ratio = left / between / max(noise, 1e-300)
    low, high = (
        left / (each * chi2.ppf(q, between)) * max(1.0 - fisher.ppf(q, between, within) / ratio, 0.0) for q in (1 - tail, tail)
    )
    rms = float(np.sqrt(max(left / between - noise, 0.0) / each))
    return _judged(rms, (float(np.sqrt(low)), float(np.sqrt(high))), "beyond seed noise")


def _judged(rms: float, interval: tuple[float, float], what: str) -> Misfit:
    low, high = interval
    margin, size = f"{MISFIT_MARGIN:.0%}", f"misfit {rms:.1%} [{low:.1%}, {high:.1%}] {what}"
    if high <= MISFIT_MARGIN:
        return Misfit(rms, interval, "within margin", f"its law fits to within {margin}: {size}")
    if low > MISFIT_MARGIN:
        return Misfit(rms, interval, "beyond margin", f"its law misses by more than {margin}: {size}")
    return Misfit(rms, interval, "cannot tell", f"cannot tell whether its law fits to within {margin}: {size}")
