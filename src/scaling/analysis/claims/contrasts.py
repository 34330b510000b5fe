"""Statistics that claims share: differences paired by seed, noise pooled over arms, trends over a dose, ratios.

At one seed and D all arms train on the same images in the same order. Their losses are therefore compared within the seed, so
that the effect of the subset cancels. With two or three seeds the noise of a difference is pooled over the arms of the claim.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student

from scaling.analysis.claims.claim import Finding, MissingEvidence
from scaling.analysis.claims.evidence import Evidence
from scaling.laws.forms.terms import Floats
from scaling.laws.least_squares import indicators, ols

BySeed = Mapping[int, float]
ONE_SEED = "one seed: an effect without an interval"


@dataclass(frozen=True)
class PooledNoise:
    """Variance of one run about the means of its arm and its seed, and its degrees of freedom."""

    variance: float
    freedom: int


def pooled_noise(groups: Iterable[Mapping[Any, BySeed]]) -> PooledNoise | None:
    """Noise of the additive model y = arm + seed + error, pooled over groups of arms; None without a degree of freedom.

    Args:
        groups: arm -> seed -> value; the arms of one group share their training images at each seed.
    """
    squares, freedom = 0.0, 0
    for group in groups:
        observations = [(arm, seed, value) for arm, by_seed in group.items() for seed, value in by_seed.items()]
        if not observations:
            continue
        arms, seeds, values = zip(*observations, strict=True)
        found = ols(np.column_stack([indicators(arms), indicators(seeds)]), values)
        squares += found.squares
        freedom += found.freedom
    return PooledNoise(squares / freedom, freedom) if freedom else None


def difference(first: BySeed, second: BySeed, noise: PooledNoise | None = None) -> Finding:
    """Mean of first - second over the seeds that both have.

    The standard error is that of the differences or, with ``noise``, the pooled one. The pooled one is rejected for the
    differences' own if these scatter significantly more (F test at 0.01, an assumption): an unstable arm does not become
    precise by pooling it with stable ones.

    Args:
        first, second: seed -> value.
        noise: of one value, or None.

    Raises:
        MissingEvidence: if no seed is shared.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        raise MissingEvidence("the two arms have no seed in common")
    values = np.array([first[seed] - second[seed] for seed in seeds])
    return mean_finding(values, None if noise is None else PooledNoise(2 * noise.variance, noise.freedom))


def mean_finding(values: Floats, noise: PooledNoise | None = None) -> Finding:
    """Mean of one value per seed [n]; ``noise`` is that of such a value, pooled, or None for the values' own."""
    count, effect = len(values), float(np.mean(values))
    own = float(np.var(values, ddof=1)) if count > 1 else math.nan
    if noise and noise.variance > 0 and count > 1 and fisher.sf(own / noise.variance, count - 1, noise.freedom) < 0.01:
        noise = None
    if noise is not None:
        return Finding(effect, math.sqrt(noise.variance / count), noise.freedom)
    if count < 2:
        return Finding(effect, lacks=ONE_SEED)
    return Finding(effect, math.sqrt(own / count), count - 1)


def log_by_seed(
    evidence: Evidence, arm: str, response: str = "loss", *, chance_loss: bool = False, **where: float
) -> dict[int, float]:
    """Seed -> log of a response.

    Args:
        evidence: what was measured.
        arm, response, chance_loss, where: as for ``Evidence.by_seed``.

    Raises:
        MissingEvidence: as that.
    """
    values = evidence.by_seed(arm, response, chance_loss=chance_loss, **where)
    return {seed: math.log(value) for seed, value in values.items() if value > 0}


def log_ratio(
    evidence: Evidence,
    worse: str,
    better: str,
    response: str = "loss",
    *,
    pool: Sequence[str] = (),
    chance_loss: bool = False,
    **where: float,
) -> Finding:
    """log(response of ``worse`` / response of ``better``), paired by seed: above 0 where ``better`` is better.

    Args:
        evidence: what was measured.
        worse, better: arms.
        response: column of the runs table.
        pool: arms over which the noise is pooled; those that the study lacks are left out.
        chance_loss, where: as for ``Evidence.cells``.

    Raises:
        MissingEvidence: if an arm has no finished run, or the two share no seed.
    """
    first = log_by_seed(evidence, worse, response, chance_loss=chance_loss, **where)
    second = log_by_seed(evidence, better, response, chance_loss=chance_loss, **where)
    noise = None
    if pool:
        noise = pooled_noise([logs_by_arm(evidence, pool, response, **where)])
    found = difference(first, second, noise)
    shared = sorted(first.keys() & second.keys())
    rows = evidence.runs.filter(evidence.runs["family"].is_in([worse, better]) & evidence.runs["seed"].is_in(shared))
    for column, value in where.items():
        rows = rows.filter(rows[column] == value)
    return with_keys(found, tuple(rows["key"].drop_nulls()))


def logs_by_arm(evidence: Evidence, arms: Iterable[str], response: str = "loss", **where: float) -> dict[str, dict[int, float]]:
    """Arm -> seed -> log response, for the arms that have finished runs."""
    found = {}
    for arm in arms:
        try:
            found[arm] = log_by_seed(evidence, arm, response, chance_loss=False, **where)
        except MissingEvidence:
            continue
    return found


def trend(x: Sequence[float], lines: Sequence[BySeed], noise: PooledNoise | None = None) -> Finding:
    """Slope of y on x by least squares within each seed, averaged over the seeds that have every x.

    Args:
        x: a dose of each arm, such as log2 depth.
        lines: by arm, seed -> y.
        noise: of one y, pooled; None for the scatter of the slopes between seeds.

    Raises:
        MissingEvidence: if no seed has every dose, or all doses are the same.
    """
    seeds = sorted(set.intersection(*(set(line) for line in lines)))
    if not seeds:
        raise MissingEvidence("no seed has every dose")
    centred = np.asarray(x, float) - np.mean(x)
    spread = float(centred @ centred)
    if spread == 0:
        raise MissingEvidence("all doses are the same")
    y = np.array([[line[seed] for line in lines] for seed in seeds])
    slopes = y @ centred / spread
    return mean_finding(
        np.asarray(slopes, np.float64), None if noise is None else PooledNoise(noise.variance / spread, noise.freedom)
    )


def with_keys(found: Finding, keys: tuple[str, ...], **changes: Any) -> Finding:
    """``found`` with the keys of its runs, and other fields replaced."""
    return replace(found, keys=keys, **changes)


def summary(values: BySeed, series: str, x: float | str, panel: str = "") -> dict[str, Any]:
    """A row for a claim's curves: mean of one value per seed with its 95 % interval (none for one seed).

    Args:
        values: seed -> value.
        series, x, panel: where the row is drawn (``Curves``).
    """
    y = np.array(list(values.values()))
    mean = float(np.mean(y))
    row: dict[str, Any] = {"panel": panel, "series": series, "x": x, "y": mean, "low": None, "high": None}
    if len(y) > 1:
        half = float(student.ppf(0.975, len(y) - 1) * np.std(y, ddof=1) / math.sqrt(len(y)))
        row |= {"low": mean - half, "high": mean + half}
    return row
