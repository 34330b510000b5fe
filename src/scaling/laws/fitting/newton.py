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
"""Most candidates worked on together: their arrays fit the processor's cache."""
CHUNK_NUMBERS = 32768
"""Most candidates times rows worked on together, which bounds the memory that a table of 100,000 rows takes."""

FIRST_DAMPING = 1e-3
LESS_DAMPING, MORE_DAMPING = 0.1, 8.0
"""Damping of the first step, in units of the scaled Hessian's diagonal, and its factors after a step that lowered the objective
and after one that did not (assumptions, near the factor of 10 both ways in the example of Marquardt 1963)."""
STUCK = 1e9
"""Damping beyond which a step is too short to matter."""
LEAST_CURVATURE, LEAST_DIAGONAL = 1e-10, 1e-12
"""Curvature of the scaled Hessian, and diagonal of the unscaled one, below which rounding decides."""
CONCAVE = -1e-8
"""Curvature of the scaled Hessian that rounding may leave at a minimum; below it the point is a saddle."""
HUBER_EFFICIENCY = 1.345
"""Delta in units of the noise at which Huber's estimator keeps 95 % efficiency under Gaussian noise (Huber 1964)."""
MAD = 1.4826
"""Standard deviation over median absolute deviation of a Gaussian."""
NO_RESIDUAL = 1e-12
"""Log residual below which a row lies on the law for the search."""
ROUNDING = 1e-9
"""Decrement, relative to the objective, below which a candidate that no step improves has converged."""


class HuberProblem(NamedTuple):
    """What is minimised.

    Attributes:
        law: the form.
        logs: centred logs [n, k], or [B, n, k] with one table per candidate, where the law stacks.
        log_y: log response, [n], or [B, n] with one per candidate.
        delta: Huber's delta in log units, or [B, 1] with one per candidate.
        lower, upper: bounds [p], or [B, p] with one per candidate.
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

    def spread(self, count: int) -> HuberProblem:
        """The same problem with one row of log_y, delta, bounds and prior per candidate."""
        rows, size = self.logs.shape[-2], self.lower.shape[-1]
        return self._replace(
            log_y=np.broadcast_to(self.log_y, (count, rows)),
            delta=np.broadcast_to(self.delta, (count, 1)),
            lower=np.broadcast_to(self.lower, (count, size)),
            upper=np.broadcast_to(self.upper, (count, size)),
            prior=None if self.prior is None else tuple(np.broadcast_to(p, (count, size)) for p in self.prior),
        )

    def at(self, candidates: np.ndarray | slice) -> HuberProblem:
        """The problem of some candidates of a ``spread`` one."""
        return self._replace(
            logs=self.logs[candidates] if self.logs.ndim > 2 else self.logs,
            log_y=self.log_y[candidates],
            delta=np.asarray(self.delta)[candidates],
            lower=self.lower[candidates],
            upper=self.upper[candidates],
            prior=None if self.prior is None else tuple(p[candidates] for p in self.prior),
        )


class Optima(NamedTuple):
    """Where each candidate ended: theta [B, p], and [B] each the objective, the norm of its projected gradient, Newton's
    decrement, the iterations, and whether it converged."""

    theta: Floats
    objective: Floats
    gradient: Floats
    decrement: Floats
    iterations: Floats
    converged: np.ndarray


def huber(residual: Floats, delta: float | Floats) -> Floats:
    """Huber's loss of residuals [...]: r^2 / 2 inside delta, delta (|r| - delta / 2) outside (Huber 1964)."""
    size = np.abs(residual)
    inside = np.minimum(size, delta)
    return inside * (size - 0.5 * inside)


def objective(problem: HuberProblem, theta: Floats, weights: Floats) -> Floats:
    """Objective [B] at theta [B, p]; infinite where the law is not defined."""
    residual = problem.log_y - problem.law.log_values(theta, problem.logs)
    value = np.einsum("bn,bn->b", weights, huber(residual, problem.delta))
    if problem.prior is not None:
        mean, precision = problem.prior
        value = value + 0.5 * np.sum(precision * (theta - mean) ** 2, axis=1)
    return np.where(np.isfinite(value), value, np.inf)


def derivatives(problem: HuberProblem, theta: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Objective [B], gradient [B, p] and Hessian [B, p, p] at theta [B, p], for weights [B, n]."""
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
    problem: HuberProblem,
    starts: Floats,
    weights: Floats,
    *,
    frozen: np.ndarray | None = None,
    iterations: int = 200,
    tolerance: float = 1e-14,
) -> Optima:
    """Optima of damped Newton from every start.

    Args:
        problem: law, data, bounds; its ``log_y`` may have one row per start.
        starts: [B, p].
        weights: [n], or [B, n] with one resample per start.
        frozen: coordinates that keep their start's value, [p] or [B, p].
        iterations: most steps per start.
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


class _Candidates(NamedTuple):
    """Candidates that are still searching: their rows of the result [A], where they are, and the objective there."""

    row: np.ndarray
    theta: Floats
    value: Floats
    gradient: Floats
    hessian: Floats
    damping: Floats

    def only(self, kept: np.ndarray) -> _Candidates:
        return _Candidates(*(part[kept] for part in self))


class _Model(NamedTuple):
    """The objective near A candidates as a quadratic in its free coordinates, scaled to a unit diagonal, along its axes.

    Attributes:
        blocked: coordinates that are held, or at a bound that the descent would cross [A, p].
        gradient: over the free coordinates, 0 elsewhere [A, p].
        scale: roots of the Hessian's diagonal [A, p]; axes: eigenvectors of the scaled Hessian [A, p, p].
        slopes, curvatures: first and second derivative along each axis [A, p].
    """

    blocked: np.ndarray
    gradient: Floats
    scale: Floats
    axes: Floats
    slopes: Floats
    curvatures: Floats

    def only(self, kept: np.ndarray) -> _Model:
        return _Model(*(part[kept] for part in self))

    def steepness(self) -> Floats:
        """Curvatures made positive, so that each step leads downwards [A, p]."""
        return np.maximum(np.abs(self.curvatures), LEAST_CURVATURE)

    def decrement(self) -> Floats:
        """Newton's decrement [A]: by how much the undamped step would lower the objective."""
        return 0.5 * np.sum(self.slopes**2 / self.steepness(), axis=1)

    def step(self, damping: Floats) -> Floats:
        """Damped Newton step [A, p]."""
        lengths = self.slopes / (self.steepness() + damping[:, None])
        return -np.einsum("bij,bj->bi", self.axes, lengths) / self.scale


def _model_of(here: _Candidates, lower: Floats, upper: Floats, held: np.ndarray) -> _Model:
    at_bound = ((here.theta <= lower) & (here.gradient > 0)) | ((here.theta >= upper) & (here.gradient < 0))
    blocked = held | at_bound
    gradient = np.where(blocked, 0.0, here.gradient)
    hessian = np.where(blocked[:, :, None] | blocked[:, None, :], 0.0, here.hessian)
    scale = np.sqrt(np.maximum(np.abs(np.einsum("bii->bi", hessian)), LEAST_DIAGONAL))
    curvatures, axes = np.linalg.eigh(hessian / (scale[:, :, None] * scale[:, None, :]))
    slopes = np.einsum("bji,bj->bi", axes, gradient / scale)
    return _Model(blocked, gradient, scale, axes, slopes, curvatures)


def _minimise_chunk(
    problem: HuberProblem, starts: Floats, weights: Floats, held: np.ndarray, iterations: int, tolerance: float
) -> Optima:
    """Optima of the candidates of one chunk: each leaves the search once it has converged or no step lowers it any more."""
    theta = np.where(held, starts, np.clip(starts, problem.lower, problem.upper))
    count = len(theta)
    nowhere = np.full(count, np.inf)
    result = Optima(theta.copy(), nowhere, nowhere.copy(), nowhere.copy(), np.zeros(count), np.zeros(count, bool))
    begun = _Candidates(np.arange(count), theta, *derivatives(problem, theta, weights), np.full(count, FIRST_DAMPING))
    here = begun.only(_defined(begun.value, begun.gradient, begun.hessian))
    for iteration in range(iterations):
        if not len(here.row):
            break
        model = _model_of(here, problem.lower[here.row], problem.upper[here.row], held[here.row])
        decrement = model.decrement()
        nothing_to_gain = decrement <= tolerance * here.value + NO_RESIDUAL**2 * weights[here.row].sum(1)
        done = nothing_to_gain & (model.curvatures >= CONCAVE).all(1)
        stuck = here.damping > STUCK
        # Rounding can forbid the last descent: an objective that no step lowers and a tiny decrement is an optimum.
        converged = done | (stuck & (decrement <= ROUNDING * here.value))
        result.theta[here.row], result.objective[here.row] = here.theta, here.value
        result.gradient[here.row] = np.sqrt(np.sum(model.gradient**2, axis=1))
        result.decrement[here.row], result.iterations[here.row] = decrement, iteration
        result.converged[here.row[converged]] = True

        searching = ~(done | stuck)
        if not searching.any():
            break
        here, model = here.only(searching), model.only(searching)
        here = _stepped(problem.at(here.row), weights[here.row], here, model)
    return result


def _stepped(problem: HuberProblem, weights: Floats, here: _Candidates, model: _Model) -> _Candidates:
    """The candidates after one damped step each; one that would not lower the objective stays, and is damped more."""
    trial = np.clip(here.theta + model.step(here.damping), problem.lower, problem.upper)
    trial = np.where(model.blocked, here.theta, trial)
    value, gradient, hessian = derivatives(problem, trial, weights)
    better = np.isfinite(value) & (value < here.value) & np.isfinite(hessian).all((1, 2))
    return _Candidates(
        here.row,
        np.where(better[:, None], trial, here.theta),
        np.where(better, value, here.value),
        np.where(better[:, None], gradient, here.gradient),
        np.where(better[:, None, None], hessian, here.hessian),
        here.damping * np.where(better, LESS_DAMPING, MORE_DAMPING),
    )


def _defined(value: Floats, gradient: Floats, hessian: Floats) -> np.ndarray:
    """Candidates [B] at which the objective and its derivatives are finite."""
    return np.isfinite(value) & np.isfinite(gradient).all(1) & np.isfinite(hessian).all((1, 2))
