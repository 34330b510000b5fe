"""Compute-optimal N*, D*, L* and their exponents from isoFLOP slices, in three ways.

- *surface*: the law fitted to all rows, minimised along each slice's price. This is the recommended way.
- *slices*: the law's exponents and floor, with amplitudes A and B fitted to each slice by linear least squares (variable
  projection). It is unbiased as well if the law holds; if not, A or B drifts with compute, and this exponent departs from the
  surface's.
- *parabola*: response against log N in each slice, then a power law through the vertices, the second approach of Hoffmann et
  al. 2022. It is biased even without noise if alpha and beta differ, or if slices are wide or do not lie about their minimum
  (Czech et al. 2026, "Problems with Chinchilla Approach 2"). It is given because it is widely known.

docs/frontier.md measures the bias of each, and the coverage of the intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

from scaling.laws.compute_optimal.frontier import Compute, best_use
from scaling.laws.compute_optimal.slices import LEAST_SIZES, LEAST_SLICES, Slice, distinct_sizes, slices_of
from scaling.laws.fitting.fitted import Fit
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.bootstrap import refit
from scaling.laws.least_squares import ols_batch

WAYS = ("surface", "slices", "parabola")
"""The three ways, the recommended one first."""
SURFACE_BUDGETS = 9
"""Budgets over which the surface's exponents are taken if there are no slices (assumption)."""
QUANTITIES = {"a": "log_params", "b": "log_images"}
"""Exponent -> the quantity that grows with it."""
LEVEL = 0.95


@dataclass(frozen=True)
class SliceOptima:
    """Best use of the S slices' budgets by one way, for B tables (the first is the table itself).

    Attributes:
        log_params, log_images, log_response: [B, S]; NaN where a slice has no minimum inside its sizes.
    """

    log_params: Floats
    log_images: Floats
    log_response: Floats


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class IsoFlop:
    """Slices, their optima by each way, and the exponents of N* ~ C^a and D* ~ C^b.

    Attributes:
        slices: in order of compute.
        optima: way -> optima, resamples included.
        exponents: "a" or "b" -> way -> estimate, or None with fewer than three slices that have an optimum.
        departure: "a" or "b" -> the exponent of "slices" minus that of "surface", paired by resample; None without both.
        spare: degrees of freedom of the noise.
    """

    slices: list[Slice]
    optima: dict[str, SliceOptima]
    exponents: dict[str, dict[str, Estimate | None]]
    departure: dict[str, Estimate | None]
    spare: int


def isoflop(found: Fit, slices: list[Slice], compute: Compute, drawn: Floats) -> IsoFlop:
    """Optima and exponents from slices.

    Args:
        found: a fit of a law of N and D.
        slices: of the table that was fitted.
        compute: the price of (N, D).
        drawn: log responses [B, n] of resampled tables, for intervals.

    Raises:
        ValueError: with fewer than three slices.
    """
    if len(slices) < LEAST_SLICES:
        raise ValueError(f"{len(slices)} isoFLOP slices; {LEAST_SLICES} are needed")
    log_y = np.vstack([found.log_y, drawn])
    theta = np.vstack([found.theta, refit(found, drawn)])
    raw = found.logs + found.centre
    left = log_y - found.law.log_values(theta, found.logs)
    values = [found.law.log_values(theta, one.logs - found.centre) + (one.reader @ left.T).T for one in slices]
    optima = {
        "surface": _stacked([_surface(found, theta, compute, one.log_flop) for one in slices]),
        "parabola": _stacked([_parabola(one, value, compute) for one, value in zip(slices, values, strict=True)]),
    }
    law = _floor_and_exponents(found, theta)
    if law is not None:
        optima["slices"] = _stacked(
            [_own_amplitudes(found, law, one, value, compute) for one, value in zip(slices, values, strict=True)]
        )
    log_flop = np.array([one.log_flop for one in slices])
    spare = max(len(raw) - len(found.theta), 1)
    exponents, departure = {}, {}
    for name, column in QUANTITIES.items():
        slopes = {way: _slopes(log_flop, getattr(optima[way], column)) for way in WAYS if way in optima}
        exponents[name] = {way: estimate(values, spare) for way, values in slopes.items()}
        departure[name] = estimate(slopes["slices"] - slopes["surface"], spare) if "slices" in slopes else None
    return IsoFlop(slices, optima, exponents, departure, spare)


def _stacked(columns: list[tuple[Floats, Floats, Floats]]) -> SliceOptima:
    return SliceOptima(*(np.column_stack(part) for part in zip(*columns, strict=True)))


def _surface(found: Fit, theta: Floats, compute: Compute, log_flop: float) -> tuple[Floats, Floats, Floats]:
    """Minimum of the law along a budget's price."""
    best = best_use(found.law, theta, found.centre, compute, float(np.exp(log_flop)))
    if best is None:
        nowhere = np.full(len(theta), np.nan)
        return nowhere, nowhere, nowhere
    log_params, log_images, log_response = (
        np.where(best.edge, np.nan, part) for part in (best.log_params, best.log_images, best.log_response)
    )
    return log_params, log_images, log_response


def _parabola(one: Slice, log_y: Floats, compute: Compute) -> tuple[Floats, Floats, Floats]:
    """Vertex of the parabola of response against log N."""
    log_n = one.logs[:, 0]
    middle = log_n.mean()
    design = np.vander(log_n - middle, 3, increasing=True)
    level, slope, bend = ols_batch(design[None], np.exp(log_y), one.weights).T
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend > 0, -slope / (2.0 * bend), np.nan)
        response = level - slope**2 / (4.0 * bend)
    best = np.where(_within(middle + shift, log_n) & (response > 0), middle + shift, np.nan)
    log_images = _price(compute, one, best)
    return best, log_images, np.log(np.where(np.isnan(best), np.nan, response))


def _floor_and_exponents(found: Fit, theta: Floats) -> tuple[Floats, Floats, Floats] | None:
    """E, alpha and beta [B, 1] each of a law E + A / N^alpha + B / D^beta, whatever it calls them; None for another law."""
    law = found.law
    if [term.columns for term in law.terms if term.affine] != [(), (0,), (1,)]:
        return None
    public = law.publish(theta, found.centre)
    floor, of_n, of_d = (at for at, term in zip(law.slices, law.terms, strict=True) if term.affine)
    return public[:, floor], public[:, of_n][:, 1:], public[:, of_d][:, 1:]


def _own_amplitudes(
    found: Fit, shape: tuple[Floats, Floats, Floats], one: Slice, log_y: Floats, compute: Compute
) -> tuple[Floats, Floats, Floats]:
    """Minimum of E + A_c / N^alpha + B_c / D^beta along the slice, A_c and B_c fitted to its points alone.

    Args:
        found: the fit; shape: E, alpha and beta [B, 1].
        one: the slice; log_y: log responses at its points [B, m]; compute: the price of (N, D).
    """
    law = found.law
    floor, alpha, beta = shape
    target = np.exp(log_y if law.ceiling is None else law.ceiling.invert(log_y))
    design = np.stack([np.exp(-alpha * one.logs[:, 0]), np.exp(-beta * one.logs[:, 1])], axis=2) / target[..., None]
    first, second = ols_batch(design, 1.0 - floor / target, one.weights).T
    line = np.linspace(one.logs[:, 0].min(), one.logs[:, 0].max(), 400)
    bought = _price(compute, one, line)
    known = np.isfinite(bought)
    line, bought = line[known], bought[known]
    if len(line) < LEAST_SIZES:
        nowhere = np.full(len(log_y), np.nan)
        return nowhere, nowhere, nowhere
    inner = floor + first[:, None] * np.exp(-alpha * line) + second[:, None] * np.exp(-beta * bought)
    at = np.argmin(inner, axis=1)
    fine = (first > 0) & (second > 0) & (at > 0) & (at < len(line) - 1)
    at = np.clip(at, 1, len(line) - 2)
    rows = np.arange(len(inner))
    left, here, right = (inner[rows, at + offset] for offset in (-1, 0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (left - right) / (left - 2.0 * here + right)
    fine &= np.isfinite(shift) & (here > 0)
    best = np.where(fine, line[at] + np.clip(shift, -1, 1) * (line[1] - line[0]), np.nan)
    response = np.log(np.where(fine, here, np.nan))
    return best, _price(compute, one, best), response if law.ceiling is None else law.ceiling.apply(response)[0]


def _within(best: Floats, log_params: Floats) -> np.ndarray:
    return (best >= log_params.min()) & (best <= log_params.max()) & (distinct_sizes(log_params) >= LEAST_SIZES)


def _price(compute: Compute, one: Slice, log_params: Floats) -> Floats:
    """Log D that the slice's budget pays for at each log N; NaN stays NaN."""
    known = np.isfinite(log_params)
    images = np.full(len(log_params), np.nan)
    images[known] = compute.log_images(one.log_flop, log_params[known])
    return images


def estimate(draws: Floats, spare: int) -> Estimate | None:
    """The first of the draws [1 + B], plus and minus Student's t times the standard deviation of the others.

    None if the first is NaN, or more than half of the others.

    Args:
        draws: of the table itself, then of its resamples.
        spare: degrees of freedom of t.
    """
    others = draws[1:][np.isfinite(draws[1:])]
    if not np.isfinite(draws[0]) or len(others) < len(draws) / 2:
        return None
    value, half = float(draws[0]), float(student.ppf(0.5 + LEVEL / 2, spare) * np.std(others))
    return Estimate(value, value - half, value + half)


def _slopes(log_flop: Floats, optima: Floats) -> Floats:
    """Slope on log C [B] of optima [B, S] over the slices that have an optimum; NaN with fewer than LEAST_SLICES."""
    known = np.isfinite(optima)
    count = known.sum(axis=1)
    enough = count >= LEAST_SLICES
    mean = (known * log_flop).sum(axis=1) / np.maximum(count, 1)
    centred = known * (log_flop - mean[:, None])
    power = (centred**2).sum(axis=1)
    return np.where(enough, (centred * np.where(known, optima, 0.0)).sum(axis=1) / np.where(enough, power, 1.0), np.nan)


def describe_isoflop(
    found: Fit, params: Floats, images: Floats, flop: Floats, compute: Compute, drawn: Floats
) -> dict[str, Any]:
    """JSON-able account: the slices of a table with their optima, and the exponents.

    Args:
        found: a fit of a law of N and D.
        params, images, flop: N, D and compute of its rows [n].
        compute: the price of (N, D).
        drawn: log responses [B, n] of resampled tables.

    Returns:
        ``{"slices": [{"flop", "points", "interpolated", way: {"N", "D", "response", each with "_interval"} or None}],
        "exponents": {"a", "b": {way: {"value", "interval"} or None}}, "departure": {"a", "b"}, "reason"}``. With too few slices
        none are given, the reason says why, and the exponents are only the surface's, between the table's smallest and largest
        compute.
    """
    slices = slices_of(params, images, flop, compute, found.weights)
    if len(slices) < LEAST_SLICES:
        reason = f"{len(slices)} isoFLOP slices of enough sizes; {LEAST_SLICES} are needed"
        return {"slices": [], "exponents": _by_the_law(found, flop, compute, drawn), "departure": {}, "reason": reason}
    result = isoflop(found, slices, compute, drawn)
    listed = []
    for index, one in enumerate(slices):
        entry: dict[str, Any] = {
            "flop": float(np.exp(one.log_flop)),
            "points": len(one.logs),
            "interpolated": one.interpolated,
        }
        for way, optima in result.optima.items():
            entry[way] = _listed(optima, index, result.spare)
        listed.append(entry)
    return {
        "slices": listed,
        "exponents": {name: {way: _plain(one) for way, one in ways.items()} for name, ways in result.exponents.items()},
        "departure": {name: _plain(one) for name, one in result.departure.items()},
        "reason": None,
    }


def _by_the_law(found: Fit, flop: Floats, compute: Compute, drawn: Floats) -> dict[str, Any]:
    """Exponents of the surface's optima between the table's smallest and largest compute."""
    theta = np.vstack([found.theta, refit(found, drawn)])
    log_flop = np.linspace(np.log(flop.min()), np.log(flop.max()), SURFACE_BUDGETS)
    optima = _stacked([_surface(found, theta, compute, at) for at in log_flop])
    spare = max(found.rows - len(found.theta), 1)
    slopes = {name: _slopes(log_flop, getattr(optima, column)) for name, column in QUANTITIES.items()}
    return {name: {"surface": _plain(estimate(draws, spare))} for name, draws in slopes.items()}


def _listed(optima: SliceOptima, index: int, spare: int) -> dict[str, Any] | None:
    columns = (("N", optima.log_params), ("D", optima.log_images), ("response", optima.log_response))
    known = {name: one for name, column in columns if (one := estimate(column[:, index], spare)) is not None}
    if len(known) < len(columns):
        return None
    entry: dict[str, Any] = {name: float(np.exp(one.value)) for name, one in known.items()}
    return entry | {f"{name}_interval": [float(np.exp(one.low)), float(np.exp(one.high))] for name, one in known.items()}


def _plain(one: Estimate | None) -> dict[str, Any] | None:
    return None if one is None else {"value": one.value, "interval": [one.low, one.high]}
