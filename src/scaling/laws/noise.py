"""Noise of a study's cells: between seeds, by D, and shared by all cells of one (seed, D).

At one (seed, D) every family and size trains on the same subset, so a lucky subset lowers all of them together. A log residual
is therefore modelled as u(seed, D) + v(cell), both with a spread that is a power of D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from scaling.laws.terms import Floats

PRIOR_SLOPE_SD = 0.5
"""Prior spread of d log variance / d log D about 0: keeps a handful of residuals from setting the weights (assumption)."""

LOG_SQUARE_VARIANCE = np.pi**2 / 2
"""Variance of the logarithm of a squared Gaussian."""


@dataclass(frozen=True)
class Noise:
    """Spread of log residuals.

    Attributes:
        slope: d log variance / d log D, common to all families.
        shared: share of the variance that all cells of one (seed, D) have in common.
    """

    slope: float
    shared: float

    def weights(self, images: Floats) -> Floats:
        """Inverse variances with mean 1."""
        weights = np.exp(-self.slope * (np.log(images) - np.log(images).mean()))
        return weights / weights.mean()


def seed_spread(cells: pl.DataFrame, response: str) -> float | None:
    """Pooled standard deviation of log response between seeds of one (family, N, D); None without repeats."""
    logs = cells.with_columns(pl.col(response).log().alias("_log"))
    groups = (
        logs.group_by("family", "params", "images")
        .agg(pl.len().alias("seeds"), pl.col("_log").var().alias("variance"))
        .filter(pl.col("seeds") > 1)
    )
    if not groups.height:
        return None
    freedom = groups["seeds"] - 1
    return float(np.sqrt((groups["variance"] * freedom).sum() / freedom.sum()))


def estimate_noise(groups: list[tuple[Floats, Floats, Floats, int]]) -> Noise:
    """Noise from the residuals of several families.

    Args:
        groups: per family (log residuals, images D, seeds, number of parameters fitted).
    """
    y, x, level = [], [], []
    for index, (residuals, images, _, _) in enumerate(groups):
        floor = max(1e-4 * float(np.mean(residuals**2)), 1e-24)
        y.append(np.log(residuals**2 + floor))
        x.append(np.log(images))
        level.append(np.full(len(residuals), index))
    if not y:
        return Noise(0.0, 0.0)
    label = np.concatenate(level)
    value, place = np.concatenate(y), np.concatenate(x)
    for index in range(len(groups)):
        value[label == index] -= value[label == index].mean()
        place[label == index] -= place[label == index].mean()
    power = float(place @ place)
    if power == 0.0:
        return Noise(0.0, 0.0)
    raw = float(place @ value) / power
    variance = LOG_SQUARE_VARIANCE / power
    slope = raw * PRIOR_SLOPE_SD**2 / (PRIOR_SLOPE_SD**2 + variance)
    return Noise(slope, _shared_share(groups, slope))


def _shared_share(groups: list[tuple[Floats, Floats, Floats, int]], slope: float) -> float:
    """Mean product of two standardised residuals of different families at one (seed, D), between 0 and 0.9."""
    table: dict[tuple[float, float], list[float]] = {}
    for residuals, images, seeds, _ in groups:
        scaled = residuals * np.sqrt(Noise(slope, 0.0).weights(images))
        scaled = scaled / max(float(np.sqrt(np.mean(scaled**2))), 1e-12)
        places = sorted({(float(s), float(d)) for s, d in zip(seeds, images, strict=True)})
        for seed, size in places:
            here = scaled[(seeds == seed) & (images == size)]
            table.setdefault((seed, size), []).append(float(here.mean()))
    products, pairs = 0.0, 0
    for means in table.values():
        count = len(means)
        products += sum(means) ** 2 - sum(m * m for m in means)
        pairs += count * (count - 1)
    return float(np.clip(products / pairs, 0.0, 0.9)) if pairs else 0.0


def draw_noise(
    residuals: Floats,
    images: Floats,
    seeds: Floats,
    freedom: int,
    noise: Noise,
    shared: dict[tuple[float, float], Floats],
    rng: np.random.Generator,
    count: int,
) -> Floats:
    """New log residuals [count, n] with the spread, the tails and the sharing of the old ones.

    Args:
        residuals: log residuals of one family's fit.
        images, seeds: D and seed of its cells.
        freedom: parameters fitted, for the inflation sqrt(n / (n - p)).
        noise: the model.
        shared: standard normal draws [count] per (seed, D), the same for all families: this is what pairs them.
        rng: of the part that is the cell's own.
        count: draws.
    """
    rows = len(residuals)
    weights = np.sqrt(noise.weights(images))
    scaled = residuals * weights * np.sqrt(rows / max(rows - freedom, 1))
    scaled = scaled - scaled.mean()
    spread = float(np.sqrt(np.mean(scaled**2)))
    own = scaled[rng.integers(0, rows, (count, rows))]
    common = np.column_stack([shared[float(s), float(d)] for s, d in zip(seeds, images, strict=True)])
    mixed = np.sqrt(1.0 - noise.shared) * own + np.sqrt(noise.shared) * spread * common
    return mixed / weights
