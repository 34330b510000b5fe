"""Fit one law to one table: the global optimum, its status and a certificate of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.large import LARGE, sampled, told_of_sample
from scaling.laws.fitting.newton import Optima, Problem, derivatives, minimise
from scaling.laws.fitting.projection import project
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats, Spread
from scaling.laws.intervals.collinear import moving_together

Status = Literal["converged", "at-bound", "not-identifiable", "too-few-cells", "failed"]

SAME_OPTIMUM = 1e-8
"""Starts whose objectives differ by less than this share have reached the same optimum."""
CONDITION_LIMIT = 1e12
"""Condition of the scaled Hessian beyond which a combination of parameters has no say in the objective."""
UNCONVERGED = 1e-4
"""Relative gain that Newton still expects beyond which a fit has failed."""
EXACT = 1e-9
"""Log residual below which data lie on the law: what is left there is rounding."""
PATH_FACTORS = (8.0, 4.0, 3.0, 2.0)
"""Ratios of successive deltas: the next is tried where the set of rows inside a tiny delta was lost on the way."""
HUBER_EFFICIENCY = 1.345
"""delta in units of the noise at which Huber's estimator keeps 95 % efficiency under Gaussian noise (Huber 1964)."""


@dataclass(frozen=True)
class Certificate:
    """Evidence that an optimum is one.

    Attributes:
        gradient: norm of the objective's gradient over the coordinates that are not at a bound.
        decrement: Newton's decrement over the objective: the relative gain that is left.
        starts: random starts tried.
        share: share of them that reached the best objective to within 1e-8 of it.
        condition: condition number of the Hessian, scaled to a unit diagonal, over the free coordinates.
        sample: the rows that the starts were tried on, where that is not the whole table; None otherwise.
    """

    gradient: float
    decrement: float
    starts: int
    share: float
    condition: float
    sample: str | None = None


@dataclass(frozen=True)
class Fit:
    """A law fitted to a table.

    Attributes:
        law: the form.
        status: what the parameters may be used for.
        reasons: parameter, or "all" -> why it is not known.
        parameters: public name -> value; empty where nothing could be fitted.
        objective: sum of weight * Huber(delta) over log residuals.
        delta: Huber's delta in log units.
        residuals: log observed less log predicted, one a row.
        rows: rows fitted.
        certificate: evidence, or None where nothing was fitted.
        seconds: wall time.
        theta: internal coordinates [p]; centre: of the log variables [k]; logs: centred [n, k]; log_y, weights: [n].
    """

    law: Law
    status: Status
    reasons: dict[str, str]
    parameters: dict[str, float]
    objective: float
    delta: float
    residuals: Floats
    rows: int
    certificate: Certificate | None
    seconds: float
    theta: Floats = field(repr=False)
    centre: Floats = field(repr=False)
    logs: Floats = field(repr=False)
    log_y: Floats = field(repr=False)
    weights: Floats = field(repr=False)

    def predict(self, **variables: ArrayLike) -> Floats:
        """Response at the law's variables."""
        return self.law.predict(self.parameters, **{k: np.asarray(v, float) for k, v in variables.items()})

    def problem(self) -> Problem:
        """The minimisation that this fit solved, for resampling and profiling."""
        return make_problem(self.law, self.logs, self.log_y, self.delta)


def make_problem(law: Law, logs: Floats, log_y: Floats, delta: float) -> Problem:
    """A problem with the bounds that follow from the table."""
    spread = spread_of(logs, log_y)
    return Problem(law, logs, log_y, delta, *law.bounds(spread))


def spread_of(logs: Floats, log_y: Floats) -> Spread:
    """Ranges of the log response and of the centred logs."""
    return Spread(np.array([log_y.min(), log_y.max()]), np.column_stack([logs.min(axis=0), logs.max(axis=0)]))


def log_table(law: Law, data: Mapping[str, ArrayLike], response: ArrayLike) -> tuple[Floats, Floats]:
    """Logs of the law's variables [n, k] and of the response [n].

    Raises:
        ValueError: if a column is missing, of another length, or holds a value that is not positive and finite.
    """
    columns = []
    y = np.asarray(response, float)
    for name in law.variables:
        if name not in data:
            raise ValueError(f"{law.name} needs the column {name}, got {', '.join(data) or 'none'}")
        columns.append(np.asarray(data[name], float))
    for name, column in zip((*law.variables, "response"), (*columns, y), strict=True):
        if column.shape != y.shape or column.ndim != 1:
            raise ValueError(f"{name} has shape {column.shape}; the response has {y.shape}")
        bad = ~(np.isfinite(column) & (column > 0))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"{name} is {column[row]} in row {row}; it must be positive and finite")
    if "U" in law.variables:
        # Of data that is not seen to its end only what is seen counts.
        unique, seen = law.variables.index("U"), law.variables.index("D")
        columns[unique] = np.minimum(columns[unique], columns[seen])
    return np.log(np.column_stack(columns)), np.log(y)


def fit(
    law: Law,
    data: Mapping[str, ArrayLike],
    response: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    delta: float | None = 1e-3,
    starts: int = 16,
    seed: int = 0,
) -> Fit:
    """Fit a law by the least Huber loss over log residuals (Hoffmann et al. 2022, equation 3).

    Args:
        law: the form.
        data: one array a variable of the law (N and D, or x).
        response: positive, one a row.
        weights: one a row, as inverse variances up to a factor; None for 1.
        delta: Huber's delta in log units; None takes 1.345 times the robust spread of the residuals.
        starts: random starts.
        seed: of the starts.

    Raises:
        ValueError: if a value is not positive and finite, or delta or starts is not positive.
    """
    clock = time.perf_counter()
    if delta is not None and not delta > 0:
        raise ValueError(f"delta is {delta}; it must be positive")
    if starts < 1:
        raise ValueError(f"starts is {starts}; it must be at least 1")
    points = points_of(law, data, response, weights)
    lacking = too_few(law, points.logs + points.centre)
    if lacking:
        return unfitted(law, points, "too-few-cells", lacking, delta, clock)
    rng = np.random.default_rng(seed)
    logs, log_y, weight = points.logs, points.log_y, points.weights
    large = len(log_y) > LARGE
    chosen = sampled(len(log_y)) if large else slice(None)
    theta, best, share, delta_used = _search(law, logs[chosen], log_y[chosen], weight[chosen], delta, starts, rng)
    if theta is None:
        return unfitted(law, points, "failed", {"all": f"none of {starts} starts converged"}, delta, clock)
    if large:
        deltas = path(delta_used * PATH_FACTORS[0], delta_used, PATH_FACTORS[1])
        whole = _follow(law, logs, log_y, weight, theta[None], deltas)
        theta, best = whole.theta[0], float(whole.objective[0])
    sample = told_of_sample(len(log_y)) if large else None
    return judged(law, points, theta, best, delta_used, starts=starts, share=share, sample=sample, clock=clock)


class Points(NamedTuple):
    """A table as a law sees it: centred logs [n, k], their centre [k], log response and weights [n]."""

    logs: Floats
    centre: Floats
    log_y: Floats
    weights: Floats


def points_of(law: Law, data: Mapping[str, ArrayLike], response: ArrayLike, weights: ArrayLike | None = None) -> Points:
    """A table as a law sees it.

    Raises:
        ValueError: if a value is not positive and finite, or a weight is negative or not finite.
    """
    raw, log_y = log_table(law, data, response)
    rows = len(log_y)
    weight = np.ones(rows) if weights is None else np.asarray(weights, float)
    if weight.shape != log_y.shape or not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError(f"weights must be {rows} finite numbers >= 0, got shape {weight.shape}")
    centre = law.centre(raw)
    return Points(raw - centre, centre, log_y, weight)


def unfitted(law: Law, points: Points, status: Status, reasons: dict[str, str], delta: float | None, clock: float) -> Fit:
    """What a fit that found no parameters says."""
    rows, nan = len(points.log_y), float("nan")
    return Fit(
        law=law,
        status=status,
        reasons=reasons,
        parameters={},
        objective=nan,
        delta=delta or nan,
        residuals=np.full(rows, nan),
        rows=rows,
        certificate=None,
        seconds=time.perf_counter() - clock,
        theta=np.full(len(law.parameters), nan),
        centre=points.centre,
        logs=points.logs,
        log_y=points.log_y,
        weights=points.weights,
    )


def judged(
    law: Law,
    points: Points,
    theta: Floats,
    best: float,
    delta: float,
    *,
    starts: int,
    share: float,
    clock: float,
    sample: str | None = None,
) -> Fit:
    """The fit that the best theta of a search is: its certificate, its status and its public parameters.

    Args:
        law: the form; points: its table.
        theta: the best [p]; best: its objective; delta: Huber's.
        starts: random starts tried; share: of them, those that reached it.
        clock: when the search started.
        sample: the rows that the starts were tried on, where that is not the whole table.
    """
    logs, log_y = points.logs, points.log_y
    problem = make_problem(law, logs, log_y, delta)
    certificate, reasons, bound = _examine(problem, theta, points.weights, starts, share)
    certificate = replace(certificate, sample=sample)
    if not certificate.decrement < UNCONVERGED:
        why = f"best of {starts} starts has not converged: {certificate.decrement:.1e} to gain"
        return unfitted(law, points, "failed", {"all": why}, delta, clock)
    status: Status = "converged"
    together = moving_together(law.variables, logs + points.centre)
    if together is not None:
        status = "not-identifiable"
        reasons["all"] = together
    elif certificate.condition > CONDITION_LIMIT:
        status = "not-identifiable"
        reasons.setdefault("all", f"condition of the Hessian {certificate.condition:.1e}")
    elif bound:
        status = "at-bound"
    return Fit(
        law=law,
        status=status,
        reasons=reasons,
        parameters=dict(zip(law.parameters, map(float, law.publish(theta[None], points.centre)[0]), strict=True)),
        objective=best,
        delta=delta,
        residuals=log_y - law.log_values(theta[None], logs)[0],
        rows=len(log_y),
        certificate=certificate,
        seconds=time.perf_counter() - clock,
        theta=theta,
        centre=points.centre,
        logs=logs,
        log_y=log_y,
        weights=points.weights,
    )


def too_few(law: Law, raw_logs: Floats) -> dict[str, str]:
    """Why a table cannot determine the law's parameters: {} where it can."""
    rows, needed = len(raw_logs), len(law.parameters) + 1
    reasons = {}
    if rows < needed:
        reasons["all"] = f"{rows} rows; {needed} are needed for {len(law.parameters)} parameters"
    for column, name in enumerate(law.variables):
        distinct = len(np.unique(raw_logs[:, column]))
        if distinct < law.levels:
            reasons[name] = f"{distinct} distinct {name}; {law.levels} are needed"
    return reasons


def _search(
    law: Law,
    logs: Floats,
    log_y: Floats,
    weights: Floats,
    delta: float | None,
    starts: int,
    rng: np.random.Generator,
) -> tuple[Floats | None, float, float, float]:
    """Best theta, its objective, the share of starts that reached it, and delta.

    Huber's objective at a small delta is nearly piecewise linear, so Newton follows it down from a wide delta,
    where it is nearly quadratic.
    """
    theta = project(law, law.starts(spread_of(logs, log_y), rng, starts), logs, log_y, weights)
    wide = max(float(np.std(log_y)), 1e-9)
    found = minimise(make_problem(law, logs, log_y, max(wide, delta or 0.0)), theta, weights, tolerance=1e-6)
    if not np.isfinite(found.objective).any():
        return None, np.nan, np.nan, np.nan
    if delta is None:
        leader = found.theta[np.argmin(found.objective)]
        delta = robust_delta(log_y - law.log_values(leader[None], logs)[0], len(law.parameters))
    basins, counts = distinct(found.theta[np.isfinite(found.objective)])
    for factor in PATH_FACTORS:
        found = _follow(law, logs, log_y, weights, basins, path(wide, delta, factor))
        if found.converged[np.argmin(found.objective)]:
            break
    best = float(found.objective.min())
    if not np.isfinite(best):
        return None, np.nan, np.nan, np.nan
    reached = found.objective <= best + SAME_OPTIMUM * abs(best) + 1e-24
    share = float(counts[reached].sum() / starts)
    return found.theta[np.argmin(found.objective)], best, share, delta


def robust_delta(residuals: Floats, parameters: int) -> float:
    """Huber's delta by the spread of the residuals of a wide fit with so many parameters."""
    rows = len(residuals)
    return max(HUBER_EFFICIENCY * 1.4826 * float(np.median(np.abs(residuals))) * np.sqrt(rows / (rows - parameters)), 1e-9)


def distinct(theta: Floats) -> tuple[Floats, np.ndarray]:
    """Candidates that differ by more than 1e-3 in some coordinate, and how many starts each stands for.

    Starts that met in the wide basin go on as one.
    """
    _, first, counts = np.unique(np.round(theta, 3), axis=0, return_index=True, return_counts=True)
    return theta[first], counts


def _follow(law: Law, logs: Floats, log_y: Floats, weights: Floats, theta: Floats, deltas: list[float]) -> Optima:
    """Optima at the last delta, each followed down from the one before."""
    for width in deltas:
        tolerance = 1e-14 if width == deltas[-1] else 1e-4
        found = minimise(make_problem(law, logs, log_y, width), theta, weights, tolerance=tolerance)
        theta = found.theta
    return found


def path(wide: float, delta: float, factor: float) -> list[float]:
    """Deltas from wide to delta, at most a factor apart, the last exactly delta."""
    steps = max(int(np.ceil(np.log(max(wide / delta, 1.0)) / np.log(factor))), 1)
    return [*np.geomspace(wide, delta, steps + 1)[1:-1].tolist(), delta]


def _examine(
    problem: Problem, theta: Floats, weights: Floats, starts: int, share: float
) -> tuple[Certificate, dict[str, str], bool]:
    value, gradient, hessian = (part[0] for part in derivatives(problem, theta[None], weights[None]))
    low, high = theta <= problem.lower + 1e-9, theta >= problem.upper - 1e-9
    free = ~((low & (gradient > 0)) | (high & (gradient < 0)))
    names = problem.law.parameters
    reasons = {names[i]: f"at its {'lower' if low[i] else 'upper'} bound" for i in range(len(theta)) if low[i] or high[i]}
    inner = hessian[np.ix_(free, free)]
    scale = np.sqrt(np.maximum(np.abs(np.diag(inner)), 1e-300))
    eigenvalues = np.linalg.eigvalsh(inner / np.outer(scale, scale)) if free.any() else np.ones(1)
    condition = float(eigenvalues[-1] / eigenvalues[0]) if eigenvalues[0] > 0 else float("inf")
    step = np.linalg.lstsq(inner, gradient[free], rcond=None)[0] if free.any() else np.zeros(0)
    decrement = float(abs(gradient[free] @ step) / 2 / max(value, EXACT**2 * weights.sum()))
    certificate = Certificate(float(np.linalg.norm(gradient[free])), decrement, starts, share, condition)
    return certificate, reasons, bool((low | high).any())


def noise_scale(found: Fit) -> float:
    """Variance by which a difference of objectives is divided to compare it with chi-squared.

    For the quadratic part this is the residual variance on n - p degrees of freedom; in general
    Sum psi^2 / (n - p) over the mean of psi', times a small-sample factor (Huber and Ronchetti 2009, sections 7.6 and 7.10).
    Data that lie on the law are taken to be off it by rounding, so that an interval is tight, not absent.
    """
    clipped = np.clip(found.residuals, -found.delta, found.delta)
    active = found.weights > 0
    spare = max(int(active.sum()) - len(found.theta), 1)
    inside = inside_share(found)
    # Huber's small-sample factor K = 1 + p / n Var(psi') / E(psi')^2.
    factor = (1.0 + len(found.theta) / active.sum() * (1.0 - inside) / inside) ** 2
    return max(float(np.sum(found.weights * clipped**2) / spare / inside * factor), EXACT**2)


def inside_share(found: Fit) -> float:
    """Share of the rows whose residuals lie inside delta, at least one row."""
    active = found.weights > 0
    inside = float(np.mean(np.abs(found.residuals[active]) <= found.delta))
    return max(inside, 1.0 / max(int(active.sum()), 1))
