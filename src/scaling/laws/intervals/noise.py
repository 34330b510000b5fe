"""Noise of a study's runs: between seeds, by D, and shared by all runs of one (seed, D).

At one (seed, D) every family and size trains on the same subset, so that a lucky subset lowers the loss of all of them. A log
residual is therefore modelled as u(seed, D) + v(run), both with a spread that is a power of D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from scaling.laws.forms.terms import Floats

PRIOR_SLOPE_SD = 0.5
"""Prior spread of d log variance / d log D about 0: keeps a few residuals from determining the weights (assumption)."""

MOST_SHARED = 0.9
"""Largest share of the variance that a (seed, D) is taken to share (assumption): at 1 a run would have no noise of its own."""
LOG_SQUARE_VARIANCE = np.pi**2 / 2
"""Variance of the logarithm of a squared Gaussian (the log of chi-squared on 1 degree of freedom)."""


@dataclass(frozen=True)
class Noise:
    """Spread of log residuals.

    Attributes:
        slope: d log variance / d log D, common to all families.
        shared: share of the variance that all runs of one (seed, D) have in common.
    """

    slope: float
    shared: float

    def weights(self, images: Floats) -> Floats:
        """Inverse variances [n] with mean 1, at D [n]."""
        weights = np.exp(-self.slope * (np.log(images) - np.log(images).mean()))
        return weights / weights.mean()


def seed_spread(cells: pl.DataFrame, response: str) -> float | None:
    """Pooled standard deviation of log response between seeds of one (family, N, D); None without repeats.

    Args:
        cells: columns family, params, images and ``response``, one row per run.
        response: column.
    """
    logs = cells.with_columns(pl.col(response).log().alias("_log"))
    groups = (
        logs.group_by("family", "params", "images", maintain_order=True)
        .agg(pl.len().alias("seeds"), pl.col("_log").var().alias("variance"))
        .filter(pl.col("seeds") > 1)
    )
    if not groups.height:
        return None
    freedom = groups["seeds"] - 1
    return float(np.sqrt(float((groups["variance"] * freedom).sum()) / float(freedom.sum())))


class Residuals(NamedTuple):
    """Log residuals [n] of a family's fit, with D [n], seeds [n] and the gradient of the log prediction [n, p]."""

    residuals: Floats
    images: Floats
    seeds: Floats
    jacobian: Floats

    def places(self) -> list[tuple[float, float]]:
        """(seed, D) of each row."""
        return [(float(s), float(d)) for s, d in zip(self.seeds, self.images, strict=True)]

    def standardised(self, slope: float) -> tuple[Floats, Floats, Floats]:
        """Residuals [n] of equal variance, the matrix [n, n] by which a fit turns errors into residuals, and membership of the
        q places as 0 and 1 [n, q]."""
        root = np.sqrt(Noise(slope, 0.0).weights(self.images))
        basis, _ = np.linalg.qr(self.jacobian * root[:, None])
        labels = self.places()
        members = np.array([[label == place for place in sorted(set(labels))] for label in labels], float)
        return self.residuals * root, np.eye(len(root)) - basis @ basis.T, members


def estimate_noise(groups: list[Residuals]) -> Noise:
    """Noise from the residuals of several families' fits.

    The slope is that of log squared residuals on log D, each about its family's mean, shrunk towards 0.
    """
    if not groups:
        return Noise(0.0, 0.0)
    log_squares, log_images = [], []
    for group in groups:
        floor = max(1e-4 * float(np.mean(group.residuals**2)), 1e-24)
        log_squares.append(_centred(np.log(group.residuals**2 + floor)))
        log_images.append(_centred(np.log(group.images)))
    y, x = np.concatenate(log_squares), np.concatenate(log_images)
    power = float(x @ x)
    if power == 0.0:
        return Noise(0.0, 0.0)
    variance = LOG_SQUARE_VARIANCE / power
    slope = float(x @ y) / power * PRIOR_SLOPE_SD**2 / (PRIOR_SLOPE_SD**2 + variance)
    return Noise(slope, _shared_share(groups, slope))


def _centred(values: Floats) -> Floats:
    return values - values.mean()


class _PlaceMeans(NamedTuple):
    """One family's residuals, averaged over the runs of each of P places (seed, D).

    Attributes:
        present: whether the family has the place [P].
        means: mean standardised residual, in units of their spread [P]; 0 where absent.
        passed: share of an error common to all runs of the second place that remains in the mean residual of the first
            [P, P]; 0 where absent.
    """

    present: np.ndarray
    means: Floats
    passed: Floats


def _place_means(group: Residuals, slope: float, places: list[tuple[float, float]]) -> _PlaceMeans:
    scaled, maker, members = group.standardised(slope)
    spread = max(float(np.sqrt(scaled @ scaled / max(np.trace(maker), 1.0))), 1e-12)
    averages = (members / members.sum(axis=0)).T
    own = np.array([places.index(place) for place in sorted(set(group.places()))])
    present, means, passed = np.zeros(len(places), bool), np.zeros(len(places)), np.zeros((len(places), len(places)))
    present[own] = True
    means[own] = [float(average @ scaled) / spread for average in averages]
    passed[np.ix_(own, own)] = averages @ maker @ members
    return _PlaceMeans(present, means, passed)


def _shared_share(groups: list[Residuals], slope: float) -> float:
    """Share of the variance common to a (seed, D), from products of residuals of different families, at most MOST_SHARED.

    A fit absorbs most of what all sizes at one D share (three of its parameters are a curve in D), so the products are
    divided by what they would be if everything were shared (method of moments).
    """
    places = sorted({place for group in groups for place in group.places()})
    families = [_place_means(group, slope, places) for group in groups]
    products = possible = 0.0
    for place in range(len(places)):
        present = [family for family in families if family.present[place]]
        for i, first in enumerate(present):
            for second in present[:i]:
                products += float(first.means[place] * second.means[place])
                possible += sum((first.passed[place] * second.passed[place]).tolist())
    return float(np.clip(products / possible, 0.0, MOST_SHARED)) if possible > 0 else 0.0


def true_variance(group: Residuals, noise: Noise) -> float:
    """Variance of a standardised error: the residuals' sum of squares divided by its expectation at unit variance.

    Without sharing the expectation is n - p; the more is shared, the more of it the fit has absorbed.
    """
    scaled, maker, members = group.standardised(noise.slope)
    left = (1.0 - noise.shared) * np.trace(maker) + noise.shared * np.sum((maker @ members) ** 2)
    return float(scaled @ scaled) / max(float(left), 1.0)


def seed_variance(group: Residuals, params: Floats, noise: Noise) -> tuple[float, int]:
    """Variance of a standardised error between the seeds of one (N, D), and its degrees of freedom.

    Unlike that of the residuals it does not contain the law's misfit: it is what a family that follows its law would show.

    Args:
        group: residuals of a family; params: its N [n]; noise: the model.
    """
    scaled = group.residuals * np.sqrt(noise.weights(group.images))
    _, cell, counts = np.unique(np.column_stack([params, group.images]), axis=0, return_inverse=True, return_counts=True)
    cell = cell.ravel()
    mean = np.bincount(cell, scaled) / counts
    freedom = len(scaled) - len(counts)
    return float(np.sum((scaled - mean[cell]) ** 2)) / max(freedom, 1), freedom


def design_effect(group: Residuals, noise: Noise) -> Floats:
    """Variance of each coordinate [p] under the noise model, relative to that for independent rows."""
    scaled, maker, members = group.standardised(noise.slope)
    design = group.jacobian * np.sqrt(noise.weights(group.images))[:, None]
    hat = np.linalg.pinv(design)
    independent = np.sum(hat**2, axis=1)
    shared = np.sum((hat @ members) ** 2, axis=1)
    naive = float(scaled @ scaled) / max(float(np.trace(maker)), 1.0)
    mixed = (1.0 - noise.shared) * independent + noise.shared * shared
    return mixed / independent * true_variance(group, noise) / max(naive, 1e-300)


def draw_noise(
    group: Residuals,
    noise: Noise,
    shared: dict[tuple[float, float], Floats],
    rng: np.random.Generator,
    count: int,
    variance: float | None = None,
) -> Floats:
    """New log residuals [count, n] with the spread, the tails and the sharing of the observed ones.

    Args:
        group: residuals of one family's fit.
        noise: the model.
        shared: standard normal draws [count] per (seed, D), the same for all families, which pairs them.
        rng: of the part that is the run's own.
        count: draws.
        variance: of a standardised error; None for ``true_variance``.
    """
    rows = len(group.residuals)
    weights = np.sqrt(noise.weights(group.images))
    scaled = group.residuals * weights
    scaled = scaled - scaled.mean()
    spread = float(np.sqrt(true_variance(group, noise) if variance is None else variance))
    scaled = scaled * spread / max(float(np.sqrt(np.mean(scaled**2))), 1e-300)
    own = scaled[rng.integers(0, rows, (count, rows))]
    common = np.column_stack([shared[place] for place in group.places()])
    mixed = np.sqrt(1.0 - noise.shared) * own + np.sqrt(noise.shared) * spread * common
    return mixed / weights
