"""Stack laws for extrapolation: several forms and emphases, weighted by how well each predicted larger rows.

No single law is best on every table, and small rows often lie off the law of large ones. A candidate is therefore a form
together with an emphasis k: rows are weighted in proportion to (size)^k. Rolling origins inside the given rows score every
candidate. Each origin multiplies a candidate's share by the best error there over its own, so that a table with many origins
nearly picks a form while one with few averages over all: doubt is averaged over, not hidden. A form with more parameters than
most origins can pay for has no share. The rows to be predicted are never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.candidates import (
    CURVE_EMPHASES,
    GRID_EMPHASES,
    complexity,
    curve_laws,
    emphasised,
    fit_jobs,
    grid_laws,
    prior_precision,
    residual_spread,
    unique_laws,
)
from scaling.laws.fitting.large import SAMPLE, sampled, told_of_sample
from scaling.laws.fitting.origins import Origin, curve_origins, grid_origins
from scaling.laws.fitting.solver import log_table
from scaling.laws.fitting.stacked import Candidate, Stack
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.doubt import doubt_of
from scaling.laws.law_errors import InputError

SPARE_ROWS = 1
"""Rows beyond its parameters that a candidate needs to be fitted at an origin."""
NEAREST = 2
"""Origins of a curve that shares follow from, the nearest to its end: earlier ones learn from rows that are off the law."""
LEAST_ERROR = 3e-3
"""Errors below this are alike: noise decides between them."""
MOST_UNPAID = 0.5
"""Share of the origins at which a candidate must have had rows enough; one with less has more parameters than the table can
pay for. Of the origins those count at which all others could be scored."""
UNSCORED = 1.5
"""Where there is none of those, a candidate that could not be scored counts as this many times the worst that could."""
MANY_ROWS = 2 * SAMPLE
"""Rows from which a stack learns from a sample (``laws.large``)."""


def stack(
    data: Mapping[str, ArrayLike],
    response: ArrayLike,
    *,
    ceiling: float | None = None,
    laws: Sequence[Law] | None = None,
    seed: int = 0,
) -> Stack:
    """Fit and weigh the candidates for a curve (``x``) or a grid (``N`` and ``D``, and unique data ``U`` if it is known).

    Args:
        data: x, or N and D, or N, D and U.
        response: positive, one a row.
        ceiling: limit of a bounded response (chance for an error rate), infinite for none; None where nothing is known.
        laws: the forms, without emphases; None for those that suit the table.
        seed: of the starts.

    Raises:
        ValueError: for a value that is not positive and finite.
        InputError: for too few rows for the smallest form.
    """
    grid = "N" in data
    named = laws is not None
    if laws is None:
        largest = float(np.max(np.asarray(response, float), initial=0.0))
        laws = curve_laws(ceiling) if not grid else unique_laws() if "U" in data else grid_laws(ceiling, largest)
    widest = max(laws, key=lambda law: len(law.variables))
    raw, log_y = log_table(widest, data, response)
    sample = None
    if len(log_y) > MANY_ROWS:
        sample = told_of_sample(len(log_y))
        chosen = sampled(len(log_y))
        raw, log_y = raw[chosen], log_y[chosen]
    rows = len(log_y)
    usable = [law for law in laws if rows >= len(law.parameters) + 1]
    if not usable:
        raise InputError(f"{rows} rows; at least {complexity(laws) + 1} are needed")
    origins = grid_origins(raw) if grid else curve_origins(raw[:, 0])
    emphases = (0.0,) if named else GRID_EMPHASES if grid else CURVE_EMPHASES
    parts, errors = [], []
    for law in usable:
        for emphasis, found in _fitted(law, emphases, origins, raw, log_y, seed).items():
            theta, centre, covariance, spread, own = found
            parts.append(Candidate(law, emphasis, theta, centre, covariance, spread, None, 0.0))
            errors.append(own)
    voting = list(range(len(origins) if grid else min(NEAREST, len(origins))))
    shares, scores = _shares(errors, voting)
    candidates = tuple(
        replace(part, rmse_log=score, share=float(share)) for part, score, share in zip(parts, scores, shares, strict=True)
    )
    scored = [i for i in range(len(origins)) if any(row[i] is not None for row in errors)]
    nested = {i: _nested(errors, i, voting) for i in scored}
    noise = float(np.sqrt(sum(c.share * c.noise**2 for c in candidates)))
    doubt = doubt_of(noise, list(nested.values()), [origins[i].beyond[origins[i].test] for i in nested])
    rmse = float(np.sqrt(np.mean([np.mean(e**2) for e in nested.values()]))) if len(nested) > 1 else None
    return Stack(candidates, widest.variables, raw, len(scored), rmse, doubt, sample)


def _fitted(
    law: Law, emphases: Sequence[float], origins: list[Origin], raw: Floats, log_y: Floats, seed: int
) -> dict[float, tuple[Floats, Floats, Floats, float, list[Floats | None]]]:
    """Emphasis -> theta, its centre and covariance, noise, and the log errors at each origin (None where rows were too few)."""
    own = raw[:, : len(law.variables)]
    centre = law.centre(own)
    logs = own - centre
    size = logs[:, min(1, logs.shape[1] - 1)]
    everything = np.ones(len(log_y), bool)
    enough = [int(one.train.sum()) >= len(law.parameters) + SPARE_ROWS for one in origins]
    trains = [one.train for one, able in zip(origins, enough, strict=True) if able] + [everything]
    weights = np.array([emphasised(size, train, emphasis) for emphasis in emphases for train in trains])
    thetas = fit_jobs(law, logs, log_y, weights, np.random.default_rng(seed))
    result = {}
    for at, emphasis in enumerate(emphases):
        block = thetas[at * len(trains) : (at + 1) * len(trains)]
        fits = iter(block[:-1])
        errors = [
            law.log_values(next(fits)[None], logs[one.test])[0] - log_y[one.test] if able else None
            for one, able in zip(origins, enough, strict=True)
        ]
        covariance, noise = _precision(law, block[-1], logs, log_y, weights[(at + 1) * len(trains) - 1])
        result[emphasis] = block[-1], centre, covariance, noise, errors
    return result


def _precision(law: Law, theta: Floats, logs: Floats, log_y: Floats, weights: Floats) -> tuple[Floats, float]:
    """Covariance of theta if the law holds, and the standard deviation of a run of mean weight."""
    spread = float(residual_spread(law, theta[None], logs, log_y, weights[None])[0])
    gradient = law.evaluate(theta[None], logs).gradient()[0]
    information = gradient.T @ (weights[:, None] * gradient) + np.diag(prior_precision(law, spread))
    spare = max(len(log_y) - len(theta), 1)
    residuals = np.clip(log_y - law.log_values(theta[None], logs)[0], -3 * spread, 3 * spread)
    noise = float(np.sqrt(np.mean(weights * residuals**2) * len(log_y) / spare))
    return noise**2 * np.linalg.pinv(information, hermitian=True), noise


def _shares(errors: list[list[Floats | None]], origins: Sequence[int]) -> tuple[Floats, list[float | None]]:
    """Shares of the candidates by those origins, equal without any; and each one's geometric mean error."""
    table = np.array([[np.nan if (one := row[i]) is None else _rms(one) for i in origins] for row in errors], float)
    table = table.reshape(len(errors), len(origins))
    table = table[:, np.isfinite(table).any(axis=0)]
    if not table.size:
        return np.full(len(errors), 1.0 / len(errors)), [None] * len(errors)
    seen = np.isfinite(table)
    paid = seen.mean(axis=1) >= MOST_UNPAID * seen.mean(axis=1).max()
    alike = seen[paid].all(axis=0)
    table = table[:, alike] if alike.any() else np.where(seen, table, UNSCORED * np.nanmax(table, axis=0))
    table = np.where(np.isfinite(table), table, np.inf)
    logs = np.log(np.maximum(table, LEAST_ERROR))
    votes = np.where(paid, np.exp(-(logs - logs.min(axis=0)).sum(axis=1)), 0.0)
    scores = np.exp(np.log(np.maximum(table, 1e-12)).mean(axis=1))
    return votes / votes.sum(), [float(score) if np.isfinite(score) else None for score in scores]


def _nested(errors: list[list[Floats | None]], origin: int, voting: Sequence[int]) -> Floats:
    """Log errors of the stack at an origin, with shares from the others."""
    shares, _ = _shares(errors, [i for i in voting if i != origin])
    known = np.array([row[origin] is not None for row in errors])
    shares = np.where(known, shares, 0.0)
    shares = shares / shares.sum() if shares.sum() > 0 else known / known.sum()
    parts = [share * one for share, row in zip(shares, errors, strict=True) if (one := row[origin]) is not None]
    return sum(parts, start=np.zeros(()))


def _rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


@dataclass(frozen=True)
class Trial:
    """One law tried at the rolling origins of a table, and fitted to all of it.

    Attributes:
        law, theta, centre, covariance, noise: as in ``Candidate``; rows: fitted.
        score: geometric mean over the origins of the root mean square log error.
        inflation: by how much those errors exceed what the law expected of them, at least 1.
        drift: error of the law per log unit beyond its rows (``laws.doubt``).
    """

    law: Law
    theta: Floats
    centre: Floats
    covariance: Floats
    noise: float
    rows: int
    score: float
    inflation: float
    drift: float


def trials_of(
    law: Law, data: Mapping[str, ArrayLike], response: ArrayLike, emphases: Sequence[float] = (0.0,), seed: int = 0
) -> list[Trial]:
    """The law at the rolling origins, once an emphasis on large rows; none where it has rows enough for no origin."""
    raw, log_y = log_table(law, data, response)
    if len(log_y) > MANY_ROWS:
        chosen = sampled(len(log_y))
        raw, log_y = raw[chosen], log_y[chosen]
    origins = grid_origins(raw) if "N" in law.variables else curve_origins(raw[:, 0])
    if not origins or len(log_y) < len(law.parameters) + 1:
        return []
    trials = []
    for theta, centre, covariance, noise, errors in _fitted(law, emphases, origins, raw, log_y, seed).values():
        known = [(one, error) for one, error in zip(origins, errors, strict=True) if error is not None]
        if not known:
            return []
        ratios = []
        for one, error in known:
            gradient = law.evaluate(theta[None], raw[one.test] - centre).gradient()[0]
            # Of fewer rows less is known, in proportion.
            variance = np.einsum("mi,ij,mj->m", gradient, covariance, gradient) * len(log_y) / one.train.sum()
            ratios.append(float(np.mean(error**2 / (noise**2 + variance))))
        score = float(np.exp(np.mean([np.log(max(_rms(error), LEAST_ERROR)) for _, error in known])))
        inflation = max(1.0, float(np.sqrt(np.mean(ratios))))
        drift = doubt_of(noise, [error for _, error in known], [one.beyond[one.test] for one, _ in known]).drift
        trials.append(Trial(law, theta, centre, covariance, noise, len(log_y), score, inflation, drift))
    return trials


def choose(
    data: Mapping[str, ArrayLike], response: ArrayLike, *, ceiling: float | None = None, seed: int = 0
) -> tuple[list[Law], dict[str, float | None]]:
    """Laws in the order in which they predict larger rows from smaller ones, and the score of each.

    For a table whose law shall be read, not only used to predict; where there are no origins, the first (simplest standard)
    form with a floor is taken.

    Args:
        data: x, or N and D, or N, D and U.
        response: positive, one a row.
        ceiling: of a bounded response; None or infinite for none.
        seed: of the starts.

    Returns:
        The laws that were scored, best first, and law name -> log error over the origins, the geometric mean of the root mean
        squares at each (None where it could not be scored).
    """
    limit = ceiling if ceiling is not None and np.isfinite(ceiling) else None
    if "N" in data:
        laws = [forms.chinchilla(), forms.tied(), forms.kaplan_floor(), forms.kaplan(), forms.drifting(), forms.interaction()]
        laws += [*unique_laws()[3:]] if "U" in data else []
        laws += [forms.bounded(limit)] if limit is not None else []
    else:
        laws = [forms.power_floor(), forms.power(), forms.power_shifted(), forms.broken(1)]
        laws += [forms.exponential(), forms.logarithmic()]
        laws += [forms.power_bounded(limit)] if limit is not None else []
    raw, log_y = log_table(max(laws, key=lambda law: len(law.variables)), data, response)
    if len(log_y) > MANY_ROWS:
        chosen = sampled(len(log_y))
        raw, log_y = raw[chosen], log_y[chosen]
    origins = grid_origins(raw) if "N" in data else curve_origins(raw[:, 0])
    scores: dict[str, float | None] = {}
    for law in laws:
        if not origins or any(int(one.train.sum()) < len(law.parameters) + SPARE_ROWS for one in origins):
            scores[law.name] = None
            continue
        errors = [error for error in _fitted(law, (0.0,), origins, raw, log_y, seed)[0.0][-1] if error is not None]
        score = float(np.exp(np.mean([np.log(max(_rms(error), 1e-12)) for error in errors])))
        scores[law.name] = score if np.isfinite(score) else None
    known = {name: score for name, score in scores.items() if score is not None}
    if not known:
        return laws[:1], scores
    return sorted((law for law in laws if law.name in known), key=lambda law: known[law.name]), scores
