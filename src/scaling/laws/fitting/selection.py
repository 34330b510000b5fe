"""Which laws to trust on a table: a stack of them for extrapolation, or the one that predicts best.

No single law is best on every table, and small rows often deviate from the law of large ones. A candidate is therefore a form
together with an emphasis k: rows have weights in proportion to (size)^k. Rolling origins inside the given rows score every
candidate. Each origin multiplies a candidate's share by the best error there over its own. A table with many origins thus
nearly picks one form, while one with few origins averages over all, so that doubt is averaged over, not hidden. A form with
more parameters than most origins have rows for gets no share. The rows to be predicted are never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.candidates import (
    CURVE_EMPHASES,
    GRID_EMPHASES,
    complexity,
    curve_laws,
    grid_laws,
    rated_laws,
    unique_laws,
)
from scaling.laws.fitting.holdout import root_mean_square
from scaling.laws.fitting.rolling_fits import SPARE_ROWS, logged_rows, rolling_fits
from scaling.laws.fitting.stacked import Candidate, Stack
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.doubt import doubt_of
from scaling.laws.law_errors import InputError

NEAREST: Final = 2
"""Origins of a curve that determine the shares, those nearest to its end (assumption: earlier ones learn from rows that deviate
from the law of later ones)."""
LEAST_ERROR: Final = 3e-3
"""Root mean square log errors below this are alike (assumption): noise decides between them."""
LEAST_SCORED: Final = 0.5
"""Share of the origins, relative to the candidate with the most, at which a candidate must have had enough rows (assumption):
one with less has more parameters than the table can determine. The origins that then count are those that scored all others."""
UNSCORED: Final = 1.5
"""If no origin scored all of them, a candidate without a score counts as this many times the worst with one (assumption)."""
ROUNDING: Final = 1e-12
"""Error below which a score is rounding."""

Errors = Sequence[Floats | None]
"""Log errors of one candidate at each origin; None where it had too few rows."""


def stack(
    data: Mapping[str, ArrayLike],
    response: ArrayLike,
    *,
    ceiling: float | None = None,
    laws: Sequence[Law] | None = None,
    seed: int = 0,
) -> Stack:
    """Fit and weigh the candidates for a curve (``x``) or a grid (``N``, ``D`` and, if known, unique data ``U`` or ``rate``).

    Args:
        data: x, or N and D, and perhaps U or the rate; one array each.
        response: positive, one value per row.
        ceiling: limit of a bounded response (chance for an error rate), infinite for none; None where nothing is known.
        laws: the forms, without emphases; None for those that suit the table.
        seed: of the starts.

    Raises:
        ValueError: for a value that is not positive and finite.
        InputError: for too few rows for the smallest form.
    """
    grid = "N" in data
    emphases = (0.0,) if laws is not None else GRID_EMPHASES if grid else CURVE_EMPHASES
    laws = laws or _suitable_laws(data, response, ceiling)
    rows = logged_rows(laws, data, response)
    usable = [law for law in laws if len(rows.log_y) > len(law.parameters)]
    if not usable:
        raise InputError(f"{len(rows.log_y)} rows; at least {complexity(laws) + 1} are needed")
    fits = [one for law in usable for one in rolling_fits(law, emphases, rows, seed)]

    errors = [one.errors for one in fits]
    voting = list(range(len(rows.origins)))[: None if grid else NEAREST]
    shares, scores = _shares(errors, voting)
    candidates = tuple(Candidate(one, score, share) for one, score, share in zip(fits, scores, shares.tolist(), strict=True))

    scored = [i for i in range(len(rows.origins)) if any(own[i] is not None for own in errors)]
    nested = [_nested(errors, i, voting) for i in scored]
    noise = float(np.sqrt(sum(one.share * one.fit.noise**2 for one in candidates)))
    doubt = doubt_of(noise, nested, [rows.origins[i].beyond[rows.origins[i].test] for i in scored])
    rmse = float(np.sqrt(np.mean([np.mean(error**2) for error in nested]))) if len(nested) > 1 else None
    widest = max(laws, key=lambda law: len(law.variables))
    return Stack(candidates, widest.variables, rows.raw, len(scored), rmse, doubt, rows.sample)


def _suitable_laws(data: Mapping[str, ArrayLike], response: ArrayLike, ceiling: float | None) -> tuple[Law, ...]:
    """Forms for the variables of a table."""
    if "N" not in data:
        return curve_laws(ceiling)
    if "U" in data:
        return unique_laws()
    if "rate" in data:
        return rated_laws()
    return grid_laws(ceiling, float(np.max(np.asarray(response, float), initial=0.0)))


def _shares(errors: Sequence[Errors], voting: Sequence[int]) -> tuple[Floats, list[float | None]]:
    """Shares of the candidates [c] by the origins ``voting``, equal without any; and each one's geometric mean error."""
    rms = [[np.nan if (error := own[i]) is None else float(root_mean_square(error)) for i in voting] for own in errors]
    table = np.array(rms, float).reshape(len(errors), len(voting))
    # Origins that scored no candidate say nothing.
    table = table[:, np.isfinite(table).any(axis=0)]
    if not table.size:
        return np.full(len(errors), 1.0 / len(errors)), [None] * len(errors)
    scored = np.isfinite(table)
    eligible = scored.mean(axis=1) >= LEAST_SCORED * scored.mean(axis=1).max()
    # Candidates are compared at the origins that scored all eligible ones; without any, a missing score counts as a bad one.
    common = scored[eligible].all(axis=0)
    table = table[:, common] if common.any() else np.where(scored, table, UNSCORED * np.nanmax(table, axis=0))
    table = np.where(np.isfinite(table), table, np.inf)
    logs = np.log(np.maximum(table, LEAST_ERROR))
    # Each origin multiplies a candidate's share by the best error there over its own.
    votes = np.where(eligible, np.exp(-(logs - logs.min(axis=0)).sum(axis=1)), 0.0)
    scores = np.exp(np.log(np.maximum(table, ROUNDING)).mean(axis=1))
    return votes / votes.sum(), [float(score) if np.isfinite(score) else None for score in scores]


def _nested(errors: Sequence[Errors], origin: int, voting: Sequence[int]) -> Floats:
    """Log errors of the stack at an origin, with shares from the other origins."""
    shares, _ = _shares(errors, [i for i in voting if i != origin])
    known = np.array([own[origin] is not None for own in errors])
    shares = np.where(known, shares, 0.0)
    shares = shares / shares.sum() if shares.sum() > 0 else known / known.sum()
    parts = [share * error for share, own in zip(shares, errors, strict=True) if (error := own[origin]) is not None]
    return sum(parts, start=np.zeros(()))


def geometric_mean_rms(errors: Sequence[Floats], least: float = LEAST_ERROR) -> float:
    """Geometric mean over the origins of the root mean square of their log errors [m], each at least ``least``."""
    return float(np.exp(np.mean([np.log(max(float(root_mean_square(error)), least)) for error in errors])))


def choose(
    data: Mapping[str, ArrayLike], response: ArrayLike, *, ceiling: float | None = None, seed: int = 0
) -> tuple[list[Law], dict[str, float | None]]:
    """Laws in the order in which they predict larger rows from smaller ones, and the score of each.

    For a table whose law shall be read, not only used to predict. Without origins, the first form (the simplest standard one
    with a floor) is taken.

    Args:
        data: x, or N and D, and perhaps U or the rate; one array each.
        response: positive, one value per row.
        ceiling: of a bounded response; None or infinite for none.
        seed: of the starts.

    Returns:
        The laws that were scored, best first; and law name -> geometric mean over the origins of the root mean square log error
        (None where it could not be scored at every origin).

    Raises:
        ValueError: for a value that is not positive and finite.
    """
    limit = ceiling if ceiling is not None and np.isfinite(ceiling) else None
    if "N" in data:
        laws = [forms.chinchilla(), forms.tied(), forms.kaplan_floor(), forms.kaplan(), forms.drifting(), forms.interaction()]
        laws += [*unique_laws()[3:]] if "U" in data else []
        laws += [*rated_laws()[3:]] if "rate" in data else []
        laws += [forms.bounded(limit)] if limit is not None else []
    else:
        laws = [forms.power_floor(), forms.power(), forms.power_shifted(), forms.broken(1)]
        laws += [forms.exponential(), forms.logarithmic()]
        laws += [forms.power_bounded(limit)] if limit is not None else []
    rows = logged_rows(laws, data, response)
    fewest = min((int(one.train.sum()) for one in rows.origins), default=0)
    scores: dict[str, float | None] = {}
    for law in laws:
        scores[law.name] = None
        if fewest >= len(law.parameters) + SPARE_ROWS:
            (found,) = rolling_fits(law, (0.0,), rows, seed)
            score = geometric_mean_rms([error for error in found.errors if error is not None], ROUNDING)
            scores[law.name] = score if np.isfinite(score) else None
    known = {name: score for name, score in scores.items() if score is not None}
    if not known:
        return laws[:1], scores
    return sorted((law for law in laws if law.name in known), key=lambda law: known[law.name]), scores
