"""Fit one law to one table: the global optimum, its status and a certificate of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.fitted import EXACT, Certificate, Fit, Status
from scaling.laws.fitting.large import LARGE, sampled, told_of_sample
from scaling.laws.fitting.newton import HUBER_EFFICIENCY, MAD, HuberProblem, Optima, derivatives, minimise
from scaling.laws.fitting.points import Points, huber_problem, points_of, spread_of, too_few
from scaling.laws.fitting.projection import project
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.collinear import moving_together

SAME_OPTIMUM = 1e-8
"""Starts whose objectives differ by less than this share have reached the same optimum."""
CONDITION_LIMIT = 1e12
"""Condition of the scaled Hessian beyond which some combination of parameters does not affect the objective."""
UNCONVERGED = 1e-4
"""Relative gain expected of another step beyond which a fit has failed (assumption)."""
WIDE_SPREADS = 10.0
"""Most robust spreads of the log response that the first delta may be (assumption): the standard deviation of a table with one
huge value (1e300) is that value's, and a fit with such a delta bends to it."""
GROSS = 100.0
"""Deltas beyond which a residual is no noise of any kind (assumption)."""
PATH_FACTORS = (8.0, 4.0, 3.0, 2.0)
"""Ratios of successive deltas (assumption): the next, finer one is tried if the search did not converge with the one before."""


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
        data: one array [n] per variable of the law (N and D, or x).
        response: positive [n].
        weights: [n], inverse variances up to a factor; None for 1.
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


def unfitted(law: Law, points: Points, status: Status, reasons: dict[str, str], delta: float | None, clock: float) -> Fit:
    """A fit without parameters.

    Args:
        law: the form; points: its table.
        status, reasons: why there are none.
        delta: Huber's, or None; clock: when the search started.
    """
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
    """The fit at the best theta of a search, with its certificate, its status and its public parameters.

    Args:
        law: the form; points: its table.
        theta: the best [p]; best: its objective; delta: Huber's.
        starts: random starts tried; share: share of them that reached it.
        clock: when the search started.
        sample: the rows that the starts were tried on, where that is not the whole table.
    """
    logs, log_y = points.logs, points.log_y
    problem = huber_problem(law, logs, log_y, delta)
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
    wide = wide_delta(log_y)
    found = minimise(huber_problem(law, logs, log_y, max(wide, delta or 0.0)), theta, weights, tolerance=1e-6)
    if not np.isfinite(found.objective).any():
        return None, np.nan, np.nan, np.nan
    if delta is None:
        leader = found.theta[np.argmin(found.objective)]
        delta = automatic_delta(law, logs, log_y, weights, leader)
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


def wide_delta(log_y: Floats) -> float:
    """The delta with which a search begins: the spread of the log response [n], which a few huge values do not stretch."""
    robust = MAD * float(np.median(np.abs(log_y - np.median(log_y))))
    spread = float(np.std(log_y))
    return max(min(spread, WIDE_SPREADS * robust) if robust > 0 else spread, 1e-9)


def automatic_delta(law: Law, logs: Floats, log_y: Floats, weights: Floats, theta: Floats) -> float:
    """Huber's delta from the spread of the residuals of a wide fit.

    One value that is off by hundreds of log units bends a wide fit. Where there is such a one, the spread is taken again from
    the fit with the delta so far, for as long as this at least halves it.

    Args:
        law: the form; logs: centred logs [n, k]; log_y: log response [n]; weights: [n].
        theta: coordinates of the wide fit [p].
    """
    residuals = log_y - law.log_values(theta[None], logs)[0]
    delta = robust_delta(residuals, len(law.parameters))
    while np.abs(residuals).max() > GROSS * delta:
        theta = minimise(huber_problem(law, logs, log_y, delta), theta[None], weights, tolerance=1e-6).theta[0]
        residuals = log_y - law.log_values(theta[None], logs)[0]
        narrower = robust_delta(residuals, len(law.parameters))
        if not narrower < delta / 2:
            return min(narrower, delta)
        delta = narrower
    return delta


def robust_delta(residuals: Floats, parameters: int) -> float:
    """Huber's delta from the spread of the residuals [n] of a wide fit with this number of parameters."""
    rows = len(residuals)
    return max(HUBER_EFFICIENCY * MAD * float(np.median(np.abs(residuals))) * np.sqrt(rows / (rows - parameters)), 1e-9)


def distinct(theta: Floats) -> tuple[Floats, np.ndarray]:
    """Candidates [b, p] that differ by more than 1e-3 in some coordinate, and how many starts each stands for [b].

    Starts that met in the wide basin continue as one.
    """
    _, first, counts = np.unique(np.round(theta, 3), axis=0, return_index=True, return_counts=True)
    return theta[first], counts


def _follow(law: Law, logs: Floats, log_y: Floats, weights: Floats, theta: Floats, deltas: list[float]) -> Optima:
    """Optima at the last delta, each followed down from the one before."""
    for width in deltas:
        tolerance = 1e-14 if width == deltas[-1] else 1e-4
        found = minimise(huber_problem(law, logs, log_y, width), theta, weights, tolerance=tolerance)
        theta = found.theta
    return found


def path(wide: float, delta: float, factor: float) -> list[float]:
    """Deltas that fall from ``wide`` to exactly ``delta``, each at least 1 / factor of the one before; ``wide`` is left out."""
    steps = max(int(np.ceil(np.log(max(wide / delta, 1.0)) / np.log(factor))), 1)
    return [*np.geomspace(wide, delta, steps + 1)[1:-1].tolist(), delta]


def _examine(
    problem: HuberProblem, theta: Floats, weights: Floats, starts: int, share: float
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
