"""Stack laws for extrapolation: several forms and emphases, weighted by how well each predicted larger cells.

No single law is best on every curve, and small cells often lie off the law of large ones. A candidate is therefore a
form together with an emphasis k: rows are weighted in proportion to (size)^k. Rolling origins inside the given rows
score every candidate, and the stack's log prediction is their mean weighted by 1 / RMSE. Weighting is chosen over
picking the best one because an origin or two cannot tell close rivals apart. The rows to be predicted are never seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.newton import minimise
from scaling.laws.fitting.projection import project
from scaling.laws.fitting.solver import HUBER_EFFICIENCY, log_table, make_problem, spread_of
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.law_errors import InputError

STARTS = 6
CURVE_EMPHASES = (1.0, 2.0, 3.0)
"""Emphases on large x of a curve: a factor of 2 in x counts 2, 4 or 8 times as much."""
GRID_EMPHASES = (0.0, 0.5, 1.0)
"""Emphases on large D of a grid, whose few levels of D must all be used to find beta."""
CURVE_ORIGINS = ((1.5, 2.3), (2.2, 2.3), (3.2, 2.3), (4.7, 2.3))
"""Origins of a curve: learn up to largest x / first, predict up to second times further (about as far as users go)."""
GRID_ORIGINS = ((3.0, 5.0), (10.0, 5.0))
"""Origins of a grid, over D."""
EXPONENT_PRIORS = {"alpha": (0.4, 0.15), "beta": (0.5, 0.5)}
"""Mean and standard deviation of exponents in N and D (assumption, from published laws; a grid's few sizes cannot rule
out alpha = 3, which says that half the size is hopeless)."""
SPARE_ROWS = 2
"""Rows beyond its parameters that a candidate needs to be fitted at an origin."""


@dataclass(frozen=True)
class Candidate:
    """A form and an emphasis, fitted to all rows.

    Attributes:
        law: the form; emphasis: exponent of the rows' weights.
        theta: coordinates [p] about the stack's centre.
        rmse_log: over all rows predicted from origins, or None where there was no origin.
        share: weight in the stack; shares sum to 1.
    """

    law: Law
    emphasis: float
    theta: Floats
    rmse_log: float | None
    share: float


@dataclass(frozen=True)
class Stack:
    """Candidates and their weights.

    Attributes:
        candidates: fitted, with shares.
        centre: of the log variables.
        origins: number of origins at which candidates were scored.
        rmse_log: of the stack itself when each origin's shares come from the earlier origins alone (nested), so that it
            is an honest score of this procedure; None with fewer than two origins.
    """

    candidates: tuple[Candidate, ...]
    centre: Floats
    origins: int
    rmse_log: float | None

    def predict(self, **variables: ArrayLike) -> Floats:
        """Response at the variables of the laws (N and D, or x)."""
        names = self.candidates[0].law.variables
        arrays = np.broadcast_arrays(*(np.asarray(variables[name], float) for name in names))
        logs = np.log(np.column_stack([array.ravel() for array in arrays])) - self.centre
        total = sum(c.share * c.law.log_values(c.theta[None], logs)[0] for c in self.candidates)
        return np.exp(total).reshape(arrays[0].shape)


def curve_laws(ceiling: float | None) -> tuple[Law, ...]:
    """Forms for a curve in one variable."""
    plain = (forms.power(), forms.power_floor(), forms.power_shifted())
    if ceiling is None:
        return plain
    return (*plain, forms.power_bounded(ceiling, 1.0), forms.power_bounded(ceiling, 2.0))


def grid_laws(ceiling: float | None) -> tuple[Law, ...]:
    """Forms for a grid of N and D."""
    if ceiling is None:
        return (forms.chinchilla(),)
    return tuple(forms.bounded(ceiling, sharpness) for sharpness in (1.0, 2.0, 3.0))


def stack(data: Mapping[str, ArrayLike], response: ArrayLike, *, ceiling: float | None = None, seed: int = 0) -> Stack:
    """Fit and weigh the candidates for a curve (``x``) or a grid (``N`` and ``D``).

    Args:
        data: x, or N and D.
        response: positive, one a row.
        ceiling: limit of a bounded response (chance for an error rate); None for none.
        seed: of the starts.

    Raises:
        ValueError: for a value that is not positive and finite.
        InputError: for too few rows for the smallest form.
    """
    grid = "N" in data
    laws = grid_laws(ceiling) if grid else curve_laws(ceiling)
    raw, log_y = log_table(laws[0], data, response)
    rows = len(log_y)
    laws = tuple(law for law in laws if rows >= len(law.parameters) + 1)
    if not laws:
        raise InputError(f"{rows} rows; at least {min(len(law.parameters) for law in curve_laws(None)) + 1} are needed")
    centre = raw.mean(axis=0)
    logs = raw - centre
    size = logs[:, -1]
    emphases = GRID_EMPHASES if grid else CURVE_EMPHASES
    splits = _splits(size, GRID_ORIGINS if grid else CURVE_ORIGINS)
    trains = [*(train for train, _ in splits), np.ones(rows, bool)]
    thetas, squares, labels = [], [], []
    for law in laws:
        jobs = [(emphasis, train) for emphasis in emphases for train in trains]
        weights = np.array([_emphasis(size, train, emphasis) for emphasis, train in jobs])
        found = _fit_jobs(law, logs, log_y, weights, np.random.default_rng(seed))
        for at, emphasis in enumerate(emphases):
            block = found[at * len(trains) : (at + 1) * len(trains)]
            thetas.append(block[-1])
            labels.append((law, emphasis))
            squares.append(_origin_errors(law, block, logs, log_y, splits))
    errors = _stackable(squares)
    scores = [_pooled(row, range(len(splits))) for row in errors]
    shares = _shares(errors, range(len(splits)))
    candidates = tuple(
        Candidate(law, emphasis, theta, score, float(share))
        for (law, emphasis), theta, score, share in zip(labels, thetas, scores, shares, strict=True)
    )
    usable = [i for i in range(len(splits)) if any(row[i] is not None for row in errors)]
    return Stack(candidates, centre, len(usable), _nested(errors, usable))


def _splits(size: Floats, origins: tuple[tuple[float, float], ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Masks of the rows learnt from and predicted at each origin, nearest the end first."""
    slack, result = 1e-6, []
    for back, reach in origins:
        train = size <= size.max() - np.log(back) + slack
        if not train.any():
            continue
        test = ~train & (size <= size[train].max() + np.log(reach) + slack)
        if test.any():
            result.append((train, test))
    return result


def _emphasis(size: Floats, train: np.ndarray, emphasis: float) -> Floats:
    """Weights of the rows learnt from, with mean 1 over them; 0 elsewhere."""
    weights = np.where(train, np.exp(emphasis * (size - size[train].max())), 0.0)
    return weights / weights[train].mean()


def _fit_jobs(law: Law, logs: Floats, log_y: Floats, weights: Floats, rng: np.random.Generator) -> Floats:
    """Coordinates [J, p] of the fits with J weightings: robust, and with priors on exponents in N and D."""
    jobs, starts = len(weights), law.starts(spread_of(logs, log_y), rng, STARTS)
    starts = project(law, starts, logs, log_y, weights.mean(axis=0))
    each = np.repeat(np.arange(jobs), STARTS)
    every = np.tile(starts, (jobs, 1))
    wide = make_problem(law, logs, log_y, 1.0)
    found = minimise(wide, every, weights[each], tolerance=1e-6, iterations=80)
    best = found.theta[_best_of(found.objective, jobs)]
    residuals = np.where(weights > 0, log_y - law.log_values(best, logs), np.nan)
    used = (weights > 0).sum(axis=1)
    spread = 1.4826 * np.nanmedian(np.abs(residuals), axis=1)
    spread = np.maximum(spread * np.sqrt(used / np.maximum(used - len(law.parameters), 1)), 1e-6)
    mean, sd = np.zeros(len(law.parameters)), np.full(len(law.parameters), np.inf)
    for i, name in enumerate(law.parameters):
        if name in EXPONENT_PRIORS:
            mean[i], sd[i] = EXPONENT_PRIORS[name]
    precision = (spread[:, None] / sd) ** 2
    robust = wide._replace(
        delta=HUBER_EFFICIENCY * spread[each][:, None], prior=(mean, precision[each]) if np.isfinite(sd).any() else None
    )
    found = minimise(robust, found.theta, weights[each], tolerance=1e-8, iterations=80)
    return found.theta[_best_of(found.objective, jobs)]


def _best_of(objective: Floats, jobs: int) -> np.ndarray:
    """Row of the best start of each job."""
    table = objective.reshape(jobs, -1)
    return np.argmin(table, axis=1) + np.arange(jobs) * table.shape[1]


def _origin_errors(
    law: Law, thetas: Floats, logs: Floats, log_y: Floats, splits: list[tuple[np.ndarray, np.ndarray]]
) -> list[Floats | None]:
    """Log errors of the rows predicted at each origin; None where the form had too few rows to learn from."""
    errors: list[Floats | None] = []
    for theta, (train, test) in zip(thetas[:-1], splits, strict=True):
        enough = int(train.sum()) >= len(law.parameters) + SPARE_ROWS
        errors.append(law.log_values(theta[None], logs[test])[0] - log_y[test] if enough else None)
    return errors


def _stackable(errors: list[list[Floats | None]]) -> list[list[Floats | None]]:
    """An origin counts only if every candidate could be scored at it: else their scores are not comparable."""
    for origin in range(len(errors[0])):
        if any(row[origin] is None for row in errors):
            for row in errors:
                row[origin] = None
    return errors


def _pooled(row: list[Floats | None], origins: range | list[int]) -> float | None:
    """Root mean over origins of the mean square error at each."""
    squares = [float(np.mean(row[i] ** 2)) for i in origins if row[i] is not None]
    return float(np.sqrt(np.mean(squares))) if squares else None


def _shares(errors: list[list[Floats | None]], origins: range | list[int]) -> Floats:
    """Shares in proportion to 1 / RMSE over those origins; equal without any."""
    scores = [_pooled(row, origins) for row in errors]
    if any(score is None for score in scores):
        return np.full(len(errors), 1.0 / len(errors))
    inverse = 1.0 / np.maximum(np.array(scores, float), 1e-9)
    return inverse / inverse.sum()


def _nested(errors: list[list[Floats | None]], usable: list[int]) -> float | None:
    """RMSE of the stack at each origin with shares from the earlier ones (those that learn from less)."""
    squares = []
    for position, origin in enumerate(usable[:-1]):
        shares = _shares(errors, usable[position + 1 :])
        mixed = sum(share * row[origin] for share, row in zip(shares, errors, strict=True))
        squares.append(float(np.mean(mixed**2)))
    return float(np.sqrt(np.mean(squares))) if squares else None


def choose(
    data: Mapping[str, ArrayLike], response: ArrayLike, *, ceiling: float | None = None, seed: int = 0
) -> tuple[list[Law], dict[str, float | None]]:
    """Laws in the order in which they predict larger rows from smaller ones, and the score of each.

    For a table whose law shall be read, not only used to predict: where the origins cannot tell, or there are none, the
    first (simplest standard) form with a floor is taken.

    Args:
        data: x, or N and D.
        response: positive, one a row.
        ceiling: of a bounded response, or None.
        seed: of the starts.

    Returns:
        The laws that were scored, best first, and law name -> root mean square log error over the origins (None where it
        could not be scored).
    """
    if "N" in data:
        laws = [forms.chinchilla(), forms.kaplan(), forms.interaction()]
        laws += [] if ceiling is None else [forms.bounded(ceiling)]
        origins = GRID_ORIGINS
    else:
        laws = [forms.power_floor(), forms.power(), forms.power_shifted(), forms.broken(1)]
        laws += [forms.exponential(), forms.logarithmic()]
        laws += [] if ceiling is None else [forms.power_bounded(ceiling)]
        origins = CURVE_ORIGINS
    raw, log_y = log_table(laws[0], data, response)
    logs = raw - raw.mean(axis=0)
    size = logs[:, -1]
    splits = _splits(size, origins)
    scores: dict[str, float | None] = {}
    for law in laws:
        trains = [train for train, _ in splits if int(train.sum()) >= len(law.parameters) + SPARE_ROWS]
        if not splits or len(trains) < len(splits):
            scores[law.name] = None
            continue
        weights = np.array([_emphasis(size, train, 0.0) for train in (*trains, np.ones(len(size), bool))])
        found = _fit_jobs(law, logs, log_y, weights, np.random.default_rng(seed))
        scores[law.name] = _pooled(_origin_errors(law, found, logs, log_y, splits), range(len(splits)))
    known = {name: score for name, score in scores.items() if score is not None and np.isfinite(score)}
    ranked = sorted((law for law in laws if law.name in known), key=lambda law: known[law.name])
    return ranked or laws[:1], scores
