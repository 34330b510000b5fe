"""How two families are compared: contrasts of skill and of exponents, paired by resample, with Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import t as student

from scaling.analysis.significance import CONFIDENCE, SIGNIFICANCE
from scaling.laws.forms.terms import Floats

HEADLINE = 0.8
"""Share of SIGNIFICANCE for the contrasts of skill; those of exponents get the rest (assumption)."""

TAILS = 30
"""Degrees of freedom for the tails of a difference of log(1 - skill): with normal tails, 6.9 % of 2,000 null studies gave a
false positive."""

LEAST_EXPONENT = 0.01
"""Exponents below it count as this one (assumption): at 0.01, ten times the data lower the loss by 2 %."""


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """p [m] adjusted by Holm's step-down method (Holm 1979), in their order: it controls the chance of any false rejection."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    stepped = np.minimum(1.0, np.arange(len(p), 0, -1) * p[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(stepped)
    return adjusted


def centred_interval(value: float, draws: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval about the observed value, from the deviations of the draws [B] from their median (basic bootstrap)."""
    deviation = draws - np.median(draws)
    low, high = np.quantile(deviation, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(value - high), float(value - low)


@dataclass(frozen=True)
class Measured:
    """One family's value of a quantity, for contrasts.

    Attributes:
        value: as reported.
        draws: reported value in the resamples [B]; draw i of every family shares the noise of each (seed, D).
        score: the value on the scale of the test, on which its errors are symmetric.
        score_draws: resamples on that scale [B].
        expected: score of a family that follows its law: two families differ by more than noise explains if their scores
            differ by more than their expected scores do.
        freedom: degrees of freedom of the tails of a difference: those of the noise, if the draws take it as known.
    """

    value: float
    draws: Floats
    score: float
    score_draws: Floats
    expected: float
    freedom: int


def measured_skill(value: float, log_draws: Floats, near: Floats, spreads: Floats) -> Measured:
    """Skill on the scale log(1 - skill). Resamples follow the law, so that their median is what to expect from noise alone.

    A noisy family has a lower skill even if it follows its law exactly: without the expected part, two families with one law
    and unequal noise would appear to differ. The expected part is proportional to the noise, which is itself estimated: each
    draw is therefore scored relative to the noise estimated from it.

    The score is that of refits that start from the fit to the whole table, for the runs as for the resamples. With the skill as
    it is reported, from random starts too, 16 % of 240 null studies of 972 runs told transformers and convolutional families
    apart at p < 0.05; with this score 6 % do (benchmarks/power.py).

    Args:
        value: the skill.
        log_draws: log(1 - skill) of resamples that follow the law [B].
        near: log(1 - skill) from such refits, of the runs and then of the resamples [1 + B].
        spreads: log of the noise estimated from each of them, minus that of the true noise [B].
    """
    again = near[1:]
    against = again - spreads[: len(again)]
    return Measured(value, 1.0 - np.exp(log_draws), float(near[0]), against, float(np.median(again)), TAILS)


def measured_exponent(value: float, draws: Floats, freedom: int) -> Measured:
    """An exponent on the scale of its logarithm, on which its errors are less skewed; equal exponents are expected.

    Args:
        value: the exponent; draws: in the resamples [B].
        freedom: degrees of freedom of the family's residuals.
    """
    score, score_draws = float(np.log(max(value, LEAST_EXPONENT))), np.log(np.maximum(draws, LEAST_EXPONENT))
    return Measured(value, draws, score, score_draws, 0.0, freedom)


def contrasts(what: str, measured: Mapping[str, Measured], lead: str | None = None) -> list[dict[str, Any]]:
    """Differences of pairs of families in one quantity, paired by draw; p are not corrected for the number of pairs.

    Args:
        what: name of the quantity.
        measured: family -> value and draws.
        lead: the family whose pairs are listed; all pairs by default.

    Returns:
        ``{"first", "second", "contrast", "difference", "interval", "p"}`` of each pair.
    """
    rows: list[dict[str, Any]] = []
    for (first, second), p in zip(combinations(measured, 2), pair_p_values(measured).tolist(), strict=True):
        if lead is not None and lead not in (first, second):
            continue
        a, b = measured[first], measured[second]
        count = min(len(a.draws), len(b.draws))
        difference = a.value - b.value
        rows.append(
            {
                "first": first,
                "second": second,
                "contrast": what,
                "difference": difference,
                "interval": list(centred_interval(difference, a.draws[:count] - b.draws[:count])),
                "p": p,
            }
        )
    return rows


def pair_p_values(measured: Mapping[str, Measured]) -> Floats:
    """Two-sided p [pairs], in the order of ``itertools.combinations``, from the covariance of the families' draws.

    The degrees of freedom are the smaller ones of the two: in null studies those of Welch and Satterthwaite rejected twice as
    often as they should. A pair whose draws never differ has p = 1.
    """
    if len(measured) < 2:
        return np.zeros(0)
    families = list(measured.values())
    count = min(len(one.score_draws) for one in families)
    covariance = np.cov(np.stack([one.score_draws[:count] for one in families]))
    excess = np.array([one.score - one.expected for one in families])
    freedom = np.array([one.freedom for one in families], float)
    i, j = np.triu_indices(len(families), 1)
    together = covariance[i, i] + covariance[j, j]
    spread = np.sqrt(np.maximum(together - 2.0 * covariance[i, j], 0.0))
    differ = spread > 1e-7 * np.sqrt(together)
    distance = np.abs(excess[i] - excess[j]) / np.where(differ, spread, 1.0)
    return np.where(differ, 2 * student.sf(distance, np.minimum(freedom[i], freedom[j])), 1.0)


def p_values_without(measured: Mapping[str, Measured], lead: str) -> Floats:
    """p [pairs], as in ``contrasts``, of the pairs without the family ``lead``."""
    return pair_p_values({family: one for family, one in measured.items() if family != lead})


def conclude(rows: list[dict[str, Any]], unlisted: Mapping[str, Floats] | None = None) -> list[dict[str, Any]]:
    """Holm's correction and a sentence for each contrast: the chance of any false rejection stays below SIGNIFICANCE.

    The contrasts of skill, the main criterion, are corrected among themselves at a share HEADLINE of it, all others at the rest
    (Bonferroni over the two; adjusted p are divided by the share). Otherwise the contrasts of exponents, twice as many and
    hardly ever significant on a small grid, would take the power of those of skill.

    Args:
        rows: from ``contrasts``; they are not changed.
        unlisted: quantity -> p [m] of further contrasts, for which the correction accounts.

    Returns:
        The rows in their order, each with its corrected p (``p_holm``) and its sentence (``verdict``).
    """
    corrected: dict[int, float] = {}
    for headline, share in ((True, HEADLINE), (False, 1.0 - HEADLINE)):
        part = [index for index, row in enumerate(rows) if (row["contrast"] == "skill") == headline]
        more = [p for what, p in (unlisted or {}).items() if (what == "skill") == headline]
        adjusted = holm(np.concatenate([[float(rows[index]["p"]) for index in part], *more]))
        corrected |= {index: min(1.0, p / share) for index, p in zip(part, adjusted.tolist(), strict=False)}
    concluded = [row | {"p_holm": corrected[index]} for index, row in enumerate(rows)]
    return [row | {"verdict": _pair_sentence(row)} for row in concluded]


def average(members: Sequence[Measured]) -> Measured:
    """Mean of several families, for contrasts of kinds: it speaks of these families, not of others of the same kind."""
    count = min(len(one.score_draws) for one in members)
    return Measured(
        float(np.mean([one.value for one in members])),
        np.mean([one.draws[:count] for one in members], axis=0),
        float(np.mean([one.score for one in members])),
        np.mean([one.score_draws[:count] for one in members], axis=0),
        float(np.mean([one.expected for one in members])),
        min(one.freedom for one in members),
    )


def _pair_sentence(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    if row["difference"] < 0:
        low, high = -high, -low
    larger, smaller = (row["first"], row["second"]) if row["difference"] >= 0 else (row["second"], row["first"])
    size = f"{abs(row['difference']):.2f} [{low:.2f}, {high:.2f}], p = {row['p_holm']:.2g} after Holm"
    what = row["contrast"]
    if row["p_holm"] >= SIGNIFICANCE:
        beyond = " beyond what their noise explains" if what == "skill" else ""
        return f"cannot tell whether {larger} and {smaller} differ in {what}{beyond}: difference {size}"
    return f"the {what} of {larger} is larger than that of {smaller}, by {size}"
