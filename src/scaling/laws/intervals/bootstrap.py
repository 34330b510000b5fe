"""Bootstrap: refits of all resampled tables at once, each started at the fit of the whole table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scaling.laws.fitting.fitted import EXACT, Fit
from scaling.laws.fitting.large import LARGE, sampled
from scaling.laws.fitting.newton import minimise
from scaling.laws.forms.terms import Floats
from scaling.laws.least_squares import ols


def shortened(found: Fit) -> tuple[Fit, np.ndarray]:
    """A short table that determines the parameters as well as a long one, to be resampled instead; and its rows' indices.

    It holds a sample of the rows (``laws.fitting.large``). What the sample alone would fit is removed from their residuals, so
    that the optimum stays where it is, and they are scaled by the root of the share of rows. A table that is not large is
    returned as it is.
    """
    rows = sampled(found.rows) if found.rows > LARGE else np.arange(found.rows)
    if len(rows) == found.rows:
        return found, rows
    scale = np.sqrt(len(rows) / found.rows)
    logs, weights = found.logs[rows], found.weights[rows]
    root = np.sqrt(weights)
    design = found.law.evaluate(found.theta[None], logs).gradient()[0] * root[:, None]
    noise = found.residuals[rows] * root
    noise = ols(design, noise).residuals / np.where(root > 0, root, 1.0)
    log_y = found.law.log_values(found.theta[None], logs)[0] + scale * noise
    short = replace(
        found, logs=logs, log_y=log_y, weights=weights, residuals=scale * noise, delta=scale * found.delta, rows=len(rows)
    )
    return short, rows


BLOCK_NUMBERS = 2_000_000
"""Most resamples times rows drawn at a time, 16 MB: memory does not grow with the number of resamples."""


def refit(found: Fit, log_y: Floats, weights: Floats | None = None) -> Floats:
    """Coordinates [B, p] of the fit to each of B log responses [B, n] or weightings [B, n]; either may be one [n] for all."""
    count = max(len(np.atleast_2d(log_y)), 1 if weights is None else len(np.atleast_2d(weights)))
    problem = found.problem()._replace(log_y=np.broadcast_to(log_y, (count, len(found.log_y))))
    starts = np.broadcast_to(found.theta, (count, len(found.theta)))
    weight = found.weights if weights is None else weights
    return minimise(problem, starts, weight, tolerance=1e-10).theta


def pair_counts(rows: int, resamples: int, seed: int | np.random.RandomState) -> Floats:
    """How often each row is drawn [B, n], by numpy's legacy generator, as in the code of Besiroglu et al. 2024."""
    legacy = np.random.RandomState(seed) if isinstance(seed, int) else seed
    counts = np.empty((resamples, rows))
    for row in range(resamples):
        counts[row] = np.bincount(legacy.choice(rows, rows, replace=True), minlength=rows)
    return counts


def pairs(found: Fit, resamples: int, seed: int = 42) -> Floats:
    """Public parameters [B, p] of refits to rows drawn with replacement (Besiroglu et al. 2024, section 4)."""
    legacy = np.random.RandomState(seed)
    block = max(1, BLOCK_NUMBERS // max(found.rows, 1))
    draws = []
    for first in range(0, resamples, block):
        counts = pair_counts(found.rows, min(block, resamples - first), legacy)
        draws.append(refit(found, found.log_y[None], counts * found.weights))
    return found.law.publish(np.concatenate(draws), found.centre)


MOST_DRAWN = 4_000_000
"""Most responses drawn in all (assumption): a long table is drawn less often, and its fit varies less."""
LEAST_DRAWS = 40
"""Fewest draws of a long table (assumption): below 40 the 2.5 % quantile is the smallest draw."""


def residual_draws(found: Fit, resamples: int, seed: int = 42) -> Floats:
    """Log responses [B, n] of tables that follow the fit: its predictions plus residuals drawn with replacement.

    Residuals are centred and scaled up to n - p degrees of freedom. B is at most ``resamples``.
    """
    rows = found.rows
    count = min(resamples, max(LEAST_DRAWS, MOST_DRAWN // rows))
    root = np.sqrt(found.weights)
    scaled = found.residuals * root
    centred = scaled - scaled.mean()
    power = max(float(np.sum(scaled**2)) / max(rows - len(found.theta), 1), EXACT**2)
    centred *= np.sqrt(power / max(float(np.mean(centred**2)), 1e-300))
    own = centred[np.random.default_rng(seed).integers(0, rows, (count, rows))]
    return found.log_y - found.residuals + own / np.where(root > 0, root, 1.0)
