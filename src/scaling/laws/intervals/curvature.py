"""Standard errors and intervals from the curvature at an optimum: cheap, symmetric, and good where the law is nearly linear."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from scaling.laws.fitting.fitted import Fit, inside_share, noise_scale
from scaling.laws.fitting.newton import MAD
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.profile import Interval, require_profiles, undecided_parameters

WINDOW = 1.0
"""Robust standard deviations around 0 within which residuals are counted if delta is narrower. Chosen by simulation among 0.5
and 1: 300 tables each of 30, 100 and 1,000 rows, Gaussian and Student's t noise; 1 covered 94 to 98 % at a nominal 95 %."""
STEP = 1e-5
"""Step of the central differences that take coordinates to public parameters."""


def standard_errors(found: Fit) -> dict[str, float]:
    """Standard error of each public parameter that is not at a bound; {} where nothing was fitted.

    The covariance is Huber and Ronchetti's (2009, section 7.6) E psi^2 / (E psi')^2 (J^T W J)^-1, carried to the public
    parameters by their derivatives; with a narrow delta, E psi' is taken from a wider window. Profile intervals are more
    reliable, since they need not be symmetric.
    """
    if not found.parameters:
        return {}
    law = found.law
    free = _free(found)
    if not free.any():
        return {}
    errors = public_errors(law, found.theta, found.centre, _windowed_covariance(found, free), free)
    at_bound = {name for name, moves in zip(law.parameters, free, strict=True) if not moves}
    return {
        name: float(error)
        for name, error in zip(law.parameters, errors, strict=True)
        if name not in at_bound and np.isfinite(error)
    }


def public_errors(law: Law, theta: Floats, centre: Floats, covariance: Floats, free: np.ndarray | None = None) -> Floats:
    """Standard errors [p] of the public parameters, by the derivatives of the change from coordinates to parameters.

    Args:
        law: the form; theta: its coordinates [p] about ``centre`` [k].
        covariance: of the coordinates that are free.
        free: mask of those [p]; None for all.
    """
    steps = STEP * np.eye(len(theta))[slice(None) if free is None else free]
    slopes = (law.publish(theta + steps, centre) - law.publish(theta - steps, centre)) / (2 * STEP)
    return np.sqrt(np.maximum(np.einsum("ip,ij,jp->p", slopes, covariance, slopes), 0.0))


def curvature_intervals(found: Fit, level: float = 0.95) -> tuple[dict[str, Interval], dict[str, str]]:
    """Intervals from the curvature alone, which is affordable for many groups of rows; and the reason for each that is missing.

    Each is the coordinate at centre 0 (an exponent, or the log of an amplitude) +- t standard errors, carried to the public
    parameter. Where the profile is not a parabola they are too short on one side; a parameter at a bound has none.

    Raises:
        ValueError: if a public parameter of the law is not a function of one coordinate.
    """
    law = found.law
    require_profiles(law)
    free = _free(found) if found.parameters else np.zeros(len(law.parameters), bool)
    if not free.any() or found.status == "not-identifiable":
        why = found.reasons.get("all") or next(iter(found.reasons.values()), "at its bounds")
        return dict.fromkeys(law.parameters), dict.fromkeys(law.parameters, why)
    spare = max(int((found.weights > 0).sum()) - len(found.theta), 1)
    # Moving the centre is linear in theta.
    zero = np.zeros((1, len(found.theta)))
    turn = (law.shifted(np.eye(len(found.theta)), -found.centre) - law.shifted(zero, -found.centre))[free]
    variance = np.einsum("ip,ij,jp->p", turn, _windowed_covariance(found, free), turn)
    half = student.ppf(0.5 + level / 2, spare) * np.sqrt(np.maximum(variance, 0.0))
    origin = law.shifted(found.theta[None], -found.centre)
    low, high = (law.publish(origin + side * half, np.zeros(len(found.centre)))[0] for side in (-1.0, 1.0))
    intervals: dict[str, Interval] = {}
    reasons: dict[str, str] = {}
    for i, name in enumerate(law.parameters):
        known = free[i] and np.isfinite(low[i]) and np.isfinite(high[i])
        intervals[name] = (float(low[i]), float(high[i])) if known else None
        if not known:
            reasons[name] = found.reasons.get(name, "not identifiable: its interval has no end")
    undecided = undecided_parameters(found)
    return intervals | dict.fromkeys(undecided), reasons | undecided


def _free(found: Fit) -> np.ndarray:
    """Coordinates that are not at a bound."""
    problem = found.problem()
    return (found.theta > problem.lower + 1e-9) & (found.theta < problem.upper - 1e-9)


def _covariance(found: Fit, free: np.ndarray) -> Floats:
    """Covariance of the free coordinates, by Huber and Ronchetti (2009, section 7.6)."""
    return noise_scale(found) / inside_share(found) * _inverse_information(found, free)


def _windowed_covariance(found: Fit, free: np.ndarray) -> Floats:
    """The same where few residuals lie inside delta: their density near 0 is then taken from a wider window.

    A fit with a narrow delta passes through about as many rows as it has parameters. These lie inside delta and would make the
    intervals too short: at a nominal 95 % they covered 76 % with 30 rows and 90 % with 100.
    """
    used = found.weights > 0
    sizes = np.abs(found.residuals[used])
    window = WINDOW * MAD * float(np.median(sizes))
    if found.delta >= window:
        return _covariance(found, free)
    inside = float(np.mean(sizes <= window)) * found.delta / window
    spare = max(len(sizes) - len(found.theta), 1)
    pull = float(np.sum(found.weights[used] * np.minimum(sizes, found.delta) ** 2)) / spare
    return pull / inside**2 * _inverse_information(found, free)


def _inverse_information(found: Fit, free: np.ndarray) -> Floats:
    """(J^T W J)^-1 over the free coordinates."""
    jacobian = found.law.evaluate(found.theta[None], found.logs).gradient()[0][:, free]
    return np.linalg.pinv(jacobian.T @ (found.weights[:, None] * jacobian), hermitian=True)
