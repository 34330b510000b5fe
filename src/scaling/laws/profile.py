"""Profile intervals: how far a parameter can move before the rest can no longer make up for it.

A parameter's profile is the objective minimised over the others. The interval holds the values at which it rises by less
than t^2 / 2 noise variances, with t of n - p degrees of freedom (Bates and Watts 1988, chapter 6): for Gaussian noise and mild
curvature its coverage is exact at small n, where the bootstrap's is not. An end that is not reached inside the bounds means
that the table does not identify the parameter.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from scaling.laws.newton import minimise
from scaling.laws.solver import Fit, make_problem, noise_scale
from scaling.laws.terms import Floats, Power

Interval = tuple[float, float] | None
STEPS = 24


def profile_intervals(found: Fit, level: float = 0.95) -> tuple[dict[str, Interval], dict[str, str]]:
    """Intervals of a fit's parameters, and for those without one the reason.

    Args:
        found: a fit of a law whose terms are powers.
        level: coverage.
    """
    law = found.law
    if not found.parameters:
        why = next(iter(found.reasons.values()))
        return dict.fromkeys(law.parameters), dict.fromkeys(law.parameters, f"not fitted: {why}")
    if not all(isinstance(term, Power) for term in law.terms):
        raise ValueError(f"{law.name} has terms that are no powers; its intervals come from the bootstrap")
    # At centre 0 each coordinate is one public parameter: its logarithm, or itself.
    logs = found.logs + found.centre
    origin = law.shifted(found.theta[None], -found.centre)[0]
    low, high = _ends(found, logs, origin, level)
    public_low, public_high = (
        law.publish(np.where(np.isfinite(end), end, 0.0), np.zeros(len(found.centre))) for end in (low, high)
    )
    intervals: dict[str, Interval] = {}
    reasons: dict[str, str] = {}
    floors = _floor_coordinates(found)
    for i, name in enumerate(law.parameters):
        left, right = low[0, i], high[0, i]
        if np.isfinite(right) and (np.isfinite(left) or i in floors):
            bottom = float(public_low[0, i]) if np.isfinite(left) else 0.0
            intervals[name] = (bottom, float(public_high[0, i]))
        else:
            intervals[name] = None
            side = "above" if not np.isfinite(right) else "below"
            both = not np.isfinite(right) and not np.isfinite(left)
            reasons[name] = f"not identifiable: the fit does not worsen {'on either side' if both else side}"
    return intervals, reasons


def _floor_coordinates(found: Fit) -> set[int]:
    """Coordinates of floors: a floor whose lower end is not found can be 0."""
    result, at = set(), 0
    for term in found.law.terms:
        if isinstance(term, Power) and not term.columns:
            result.add(at)
        at += len(term.names)
    return result


def _ends(found: Fit, logs: Floats, origin: Floats, level: float) -> tuple[Floats, Floats]:
    """Lower and upper ends [1, p] in coordinates at centre 0; infinite where not found."""
    law, size = found.law, len(origin)
    spare = max(int((found.weights > 0).sum()) - size, 1)
    rise = 0.5 * student.ppf(0.5 + level / 2, spare) ** 2 * noise_scale(found)
    centred = make_problem(law, found.logs, found.log_y, found.delta)
    limits = _origin_limits(found, centred.lower, centred.upper, origin)
    # One row an end: coordinate i held in coordinates that make it public, the others free and centred.
    rows = [(i, sign) for i in range(size) for sign in (-1.0, 1.0)]
    results = np.full((2, size), np.nan)
    for i, sign in rows:
        results[int(sign > 0), i] = _one_end(found, centred, origin, i, sign, rise, limits[i])
    return results[:1], results[1:]


def _origin_limits(found: Fit, lower: Floats, upper: Floats, origin: Floats) -> list[tuple[float, float]]:
    limits, at = [], 0
    for term in found.law.terms:
        for k in range(len(term.names)):
            if isinstance(term, Power) and k == 0 and term.columns:
                limits.append((origin[at] - 60.0, origin[at] + 60.0))
            else:
                limits.append((float(lower[at + k]), float(upper[at + k])))
        at += len(term.names)
    return limits


def _one_end(
    found: Fit, centred: object, origin: Floats, i: int, sign: float, rise: float, limit: tuple[float, float]
) -> float:
    """Where the profile of coordinate i has risen by ``rise``, on one side; infinite if nowhere inside the limits."""
    law = found.law
    shift = np.zeros(len(found.centre))
    # The amplitude of a power is public at centre 0 of its own variables only, so only those are uncentred.
    at = 0
    for term in law.terms:
        if at == i and isinstance(term, Power):
            for column in term.columns:
                shift[column] = -found.centre[column]
        at += len(term.names)
    problem = make_problem(law, found.logs - shift, found.log_y, found.delta)
    start = law.shifted(found.theta[None], shift)
    wide = problem._replace(
        lower=np.minimum(problem.lower, start[0] - 60), upper=np.maximum(problem.upper, start[0] + 60)
    )
    for k, name in enumerate(law.parameters):
        if name in _exponent_names(law):
            wide.lower[k], wide.upper[k] = problem.lower[k], problem.upper[k]
    frozen = np.zeros(len(origin), bool)
    frozen[i] = True
    edge = limit[int(sign > 0)]
    here = float(start[0, i])
    room = abs(edge - here)
    if room < 1e-9:
        return sign * np.inf
    step = min(0.05 if not np.isfinite(rise) else 0.05, room)
    inside, outside, warm = 0.0, np.nan, start.copy()
    for _ in range(STEPS):
        trial = warm.copy()
        trial[0, i] = here + sign * step
        solved = minimise(wide, trial, found.weights, frozen=frozen, iterations=60, tolerance=1e-9)
        risen = float(solved.objective[0]) - found.objective
        if risen < rise:
            inside, warm = step, solved.theta
            if step >= room:
                return sign * np.inf
        else:
            outside = step
        if np.isnan(outside):
            step = min(step * 2.0, room)
        else:
            if outside - inside < 2e-3 * outside:
                break
            step = 0.5 * (inside + outside)
    return here + sign * step if np.isfinite(outside) else sign * np.inf


def _exponent_names(law: object) -> set[str]:
    return {name for term in law.terms if isinstance(term, Power) for name in term.exponents}
