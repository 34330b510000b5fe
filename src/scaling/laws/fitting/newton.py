"""Newton's method on the Huber objective of a law, for many starts or many resamples at once.

Objective (Hoffmann et al. 2022, equation 3): sum over rows of weight * Huber_delta(log y - log f). The Hessian is the exact
one (semi-smooth: Huber's second derivative is 1 inside delta and 0 outside), regularised by Levenberg's damping, so that
convergence is quadratic near an optimum and descent is certain far from it. Bounds are held by projection.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats

CHUNK = 128
"""Candidates worked on together at most: their arrays fit the processor's cache."""
CHUNK_NUMBERS = 32768
"""Candidates times rows worked on together, which bounds the memory that a table of 100,000 rows takes."""

STUCK = 1e9
"""Damping beyond which a step is too short to matter."""
EXACT = 1e-12
"""Log residual below which data lie on the law."""
ROUNDING = 1e-9
"""Decrement, relative to the objective, below which a candidate that no step improves has converged."""


class Problem(NamedTuple):
    """What is minimised.

    Attributes:
        law: the form.
        logs: centred logs [n, k], or [B, n, k] for one table a candidate, where the law stacks.
        log_y: log response, [n], or [B, n] for one a candidate.
        delta: Huber's delta in log units, or [B, 1] for one a candidate.
        lower, upper: bounds [p], or [B, p] for one a candidate.
        prior: (mean, precision), each [p] or [B, p]: adds precision (theta - mean)^2 / 2; None for none. The
            precision is in units of the objective, so a prior variance v enters as noise variance / v.
    """

    law: Law
    logs: Floats
    log_y: Floats
    delta: float | Floats
    lower: Floats
    upper: Floats
    prior: tuple[Floats, Floats] | None = None

    def spread(self, count: int) -> Problem:
        """The same problem with one row of log_y, delta, bounds and prior a candidate."""
        rows, size = self.logs.shape[-2], self.lower.shape[-1]
        return self._replace(
            log_y=np.broadcast_to(self.log_y, (count, rows)),
            delta=np.broadcast_to(self.delta, (count, 1)),
            lower=np.broadcast_to(self.lower, (count, size)),
            upper=np.broadcast_to(self.upper, (count, size)),
            prior=None if self.prior is None else tuple(np.broadcast_to(p, (count, size)) for p in self.prior),
        )

    def at(self, candidates: np.ndarray | slice) -> Problem:
        """Those candidates of a spread problem."""
        return self._replace(
            logs=self.logs[candidates] if self.logs.ndim > 2 else self.logs,
            log_y=self.log_y[candidates],
            delta=np.asarray(self.delta)[candidates],
            lower=self.lower[candidates],
            upper=self.upper[candidates],
            prior=None if self.prior is None else tuple(p[candidates] for p in self.prior),
        )


class Optima(NamedTuple):
    """Where each candidate ended: theta [B, p], objective, projected gradient norm, Newton decrement, iterations [B]."""

    theta: Floats
    objective: Floats
    gradient: Floats
    decrement: Floats
    iterations: Floats
    converged: np.ndarray


def huber(residual: Floats, delta: float | Floats) -> Floats:
    """Huber's loss: r^2 / 2 inside delta, delta (|r| - delta / 2) outside."""
    size = np.abs(residual)
    inside = np.minimum(size, delta)
    return inside * (size - 0.5 * inside)


def objective(problem: Problem, theta: Floats, weights: Floats) -> Floats:
    """Objective [B] at theta [B, p]; infinite where the law is not defined."""
    residual = problem.log_y - problem.law.log_values(theta, problem.logs)
    value = np.einsum("bn,bn->b", weights, huber(residual, problem.delta))
    if problem.prior is not None:
        mean, precision = problem.prior
        value = value + 0.5 * np.sum(precision * (theta - mean) ** 2, axis=1)
    return np.where(np.isfinite(value), value, np.inf)


def derivatives(problem: Problem, theta: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Objective [B], gradient [B, p] and Hessian [B, p, p]."""
    prediction = problem.law.evaluate(theta, problem.logs)
    residual = problem.log_y - prediction.value
    clipped = np.clip(residual, -problem.delta, problem.delta)
    value = np.einsum("bn,bn->b", weights, clipped * (residual - 0.5 * clipped))
    pull = weights * clipped
    inside = np.where(clipped == residual, weights, 0.0)
    gradient = -prediction.pulled(pull)
    hessian = prediction.curvature(inside, -pull)
    if problem.prior is not None:
        mean, precision = problem.prior
        value = value + 0.5 * np.sum(precision * (theta - mean) ** 2, axis=1)
        gradient = gradient + precision * (theta - mean)
        hessian = hessian + np.broadcast_to(precision, theta.shape)[..., None] * np.eye(theta.shape[1])
    return value, gradient, hessian


def minimise(
    problem: Problem,
    starts: Floats,
    weights: Floats,
    *,
    frozen: np.ndarray | None = None,
    iterations: int = 200,
    tolerance: float = 1e-14,
) -> Optima:
    """Run damped Newton from every start.

    Args:
        problem: law, data, bounds; its ``log_y`` may have one row a start.
        starts: [B, p].
        weights: [n], or [B, n] for one resample a start.
        frozen: coordinates that keep their start's value, [p] or [B, p].
        iterations: limit a start.
        tolerance: a start has converged once Newton's decrement is below this share of its objective.
    """
    count, size = starts.shape
    weights = np.broadcast_to(np.asarray(weights, float), (count, problem.logs.shape[-2]))
    problem = problem.spread(count)
    held = np.zeros((count, size), bool) if frozen is None else np.broadcast_to(frozen, (count, size))
    width = max(1, min(CHUNK, CHUNK_NUMBERS // max(problem.logs.shape[-2], 1)))
    chunks = [slice(at, at + width) for at in range(0, count, width)]
    parts = [_minimise_chunk(problem.at(at), starts[at], weights[at], held[at], iterations, tolerance) for at in chunks]
    return Optima(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _minimise_chunk(
    problem: Problem, starts: Floats, weights: Floats, held: np.ndarray, iterations: int, tolerance: float
) -> Optima:
    lower, upper = problem.lower, problem.upper
    theta = np.where(held, starts, np.clip(starts, lower, upper))
    count = len(theta)
    result = Optima(
        theta.copy(),
        np.full(count, np.inf),
        np.full(count, np.inf),
        np.full(count, np.inf),
        np.zeros(count),
        np.zeros(count, bool),
    )
    active = np.arange(count)
    damping = np.full(count, 1e-3)
    value, gradient, hessian = derivatives(problem, theta, weights)
    defined = np.isfinite(value) & np.isfinite(gradient).all(1) & np.isfinite(hessian).all((1, 2))
    active = active[defined]
    value, gradient, hessian = value[defined], gradient[defined], hessian[defined]
    for step_number in range(iterations):
        if not len(active):
            break
        here = theta[active]
        blocked = held[active] | ((here <= lower[active]) & (gradient > 0)) | ((here >= upper[active]) & (gradient < 0))
        free_gradient = np.where(blocked, 0.0, gradient)
        free_hessian = np.where(blocked[:, :, None] | blocked[:, None, :], 0.0, hessian)
        scale = np.sqrt(np.maximum(np.abs(np.einsum("bii->bi", free_hessian)), 1e-12))
        scaled = free_hessian / (scale[:, :, None] * scale[:, None, :])
        eigenvalues, vectors = np.linalg.eigh(scaled)
        turned = np.einsum("bji,bj->bi", vectors, free_gradient / scale)
        curvature = np.maximum(np.abs(eigenvalues), 1e-10)
        decrement = 0.5 * np.sum(turned**2 / curvature, axis=1)
        flat = decrement <= tolerance * value + EXACT**2 * weights[active].sum(1)
        done = flat & (eigenvalues >= -1e-8).all(1)
        result.theta[active], result.objective[active] = here, value
        result.gradient[active] = np.sqrt(np.sum(free_gradient**2, axis=1))
        result.decrement[active] = decrement
        result.iterations[active] = step_number
        result.converged[active[done]] = True
        stuck = damping[active] > STUCK
        # Rounding can forbid the last descent: an objective that no step lowers and a tiny decrement is an optimum.
        result.converged[active[stuck & (decrement <= ROUNDING * value)]] = True
        keep = ~done & ~stuck
        if not keep.all():
            active = active[keep]
            value, gradient, hessian = value[keep], gradient[keep], hessian[keep]
            here, scale, vectors = here[keep], scale[keep], vectors[keep]
            turned, curvature, blocked = turned[keep], curvature[keep], blocked[keep]
            if not len(active):
                break
        step = -np.einsum("bij,bj->bi", vectors, turned / (curvature + damping[active][:, None])) / scale
        trial = np.where(blocked, here, np.clip(here + step, lower[active], upper[active]))
        new_value, new_gradient, new_hessian = derivatives(problem.at(active), trial, weights[active])
        better = np.isfinite(new_value) & (new_value < value) & np.isfinite(new_hessian).all((1, 2))
        theta[active[better]] = trial[better]
        value[better], gradient[better], hessian[better] = new_value[better], new_gradient[better], new_hessian[better]
        damping[active] = np.where(better, damping[active] * 0.1, damping[active] * 8.0)
    return result
