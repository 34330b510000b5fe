"""Standard errors from the curvature at an optimum: cheap, symmetric, and only as good as the law is straight there."""

from __future__ import annotations

import numpy as np

from scaling.laws.fitting.solver import Fit, inside_share, noise_scale

STEP = 1e-5
"""Step of the central differences that take coordinates to public parameters."""


def standard_errors(found: Fit) -> dict[str, float]:
    """Standard error of each public parameter; without those at a bound, {} where nothing was fitted.

    The covariance is Huber and Ronchetti's (2009, section 7.6) E psi^2 / (E psi')^2 (J^T W J)^-1, carried to the public
    parameters by their derivatives. Profile intervals are what to rely on: those need not be symmetric.
    """
    if not found.parameters:
        return {}
    law = found.law
    problem = found.problem()
    free = (found.theta > problem.lower + 1e-9) & (found.theta < problem.upper - 1e-9)
    if not free.any():
        return {}
    jacobian = law.evaluate(found.theta[None], found.logs).gradient()[0][:, free]
    inside = inside_share(found)
    information = jacobian.T @ (found.weights[:, None] * jacobian)
    covariance = noise_scale(found) / inside * np.linalg.pinv(information, hermitian=True)
    steps = STEP * np.eye(len(found.theta))[free]
    slopes = (law.publish(found.theta + steps, found.centre) - law.publish(found.theta - steps, found.centre)) / (2 * STEP)
    errors = np.sqrt(np.maximum(np.einsum("ip,ij,jp->p", slopes, covariance, slopes), 0.0))
    at_bound = {name for name, moves in zip(law.parameters, free, strict=True) if not moves}
    return {
        name: float(error)
        for name, error in zip(law.parameters, errors, strict=True)
        if name not in at_bound and np.isfinite(error)
    }
