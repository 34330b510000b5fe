"""Profile intervals: how far a quantity can move before the parameters can no longer compensate.

The profile of a quantity is the objective minimised with that quantity held. The interval holds the values at
which it rises by less than t^2 / 2 noise variances, t with n - p degrees of freedom (Bates and Watts 1988,
chapter 6). For Gaussian noise and a mildly curved law its coverage is nearly exact at small n, unlike the bootstrap's. If an
end is not reached inside the bounds, the table does not identify the quantity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from scaling.laws.fitting.fitted import EXACT, Fit, inside_share, noise_scale
from scaling.laws.fitting.large import LARGE, surrogate
from scaling.laws.fitting.newton import HuberProblem, derivatives, minimise, objective
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.collinear import moving_together
from scaling.laws.intervals.interval_ends import find_ends

Interval = tuple[float, float] | None
TILT = 5.0
"""Log units by which the response of the row that tilts a prediction is off: further than any end of an interval."""


def profile_intervals(
    found: Fit, level: float = 0.95, *, inflation: Floats | None = None
) -> tuple[dict[str, Interval], dict[str, str]]:
    """Intervals of a fit's parameters, and the reason for each that is missing.

    Args:
        found: a fit of a law whose public parameters are each a function of one coordinate.
        level: coverage.
        inflation: factor on the noise variance of each parameter [p], where rows are not independent
            (``noise.design_effect``); None for 1.

    Raises:
        ValueError: if a public parameter of the law is not a function of one coordinate.
    """
    law = found.law
    if not found.parameters:
        why = next(iter(found.reasons.values()))
        return dict.fromkeys(law.parameters), dict.fromkeys(law.parameters, f"not fitted: {why}")
    problem, theta = origin_problem(found)
    problem, weights = _shortened(found, problem, theta)
    factors = np.ones(len(theta)) if inflation is None else inflation
    low, high = profile_ends(problem, theta[None], weights, rise_of(found, level) * factors[None])
    public_low, public_high = (
        law.publish(np.where(np.isfinite(end), end, theta), np.zeros(len(found.centre)))[0] for end in (low, high)
    )
    floors = {at.start for at, term in zip(law.slices, law.terms, strict=True) if not term.columns}
    intervals: dict[str, Interval] = {}
    reasons: dict[str, str] = {}
    for i, name in enumerate(law.parameters):
        left, right = np.isfinite(low[0, i]), np.isfinite(high[0, i])
        if right and (left or i in floors):
            intervals[name] = (float(public_low[i]) if left else 0.0, float(public_high[i]))
            continue
        intervals[name] = None
        side = "above" if left else "below" if right else "on either side"
        reasons[name] = f"not identifiable: other values {side} fit as well"
    undecided = undecided_parameters(found)
    return intervals | dict.fromkeys(undecided), reasons | undecided


def undecided_parameters(found: Fit) -> dict[str, str]:
    """Parameter -> why the table does not determine it, for terms of variables that move together."""
    together = moving_together(found.law.variables, found.logs)
    if together is None:
        return {}
    pairs = zip(found.law.slices, found.law.terms, strict=True)
    return {name: together for at, term in pairs if term.columns for name in found.law.parameters[at]}


def _shortened(found: Fit, problem: HuberProblem, theta: Floats) -> tuple[HuberProblem, Floats]:
    """The problem to profile and its weights: those of a sample if the table is large (``laws.fitting.large``)."""
    if found.rows <= LARGE:
        return problem, found.weights
    return surrogate(problem, theta, found.weights, inside_share(found))


def prediction_intervals(found: Fit, level: float = 0.95, **variables: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper ends [m] of the law's own value at m places; 0 and infinity where the table sets no end.

    Args:
        found: a fit with parameters.
        level: coverage.
        variables: one array [m] per variable of the law.
    """
    places = np.log(np.column_stack([np.asarray(variables[name], float) for name in found.law.variables]))
    problem, weights = _shortened(found, found.problem(), found.theta)
    rise = np.array([rise_of(found, level)])
    if noise_scale(found) <= EXACT**2:
        return _straight_ends(problem, found.theta, weights, float(rise[0]), places - found.centre)
    ends = [prediction_ends(problem, found.theta[None], weights, rise, place - found.centre) for place in places]
    low, high = (np.array([end[side][0] for end in ends]) for side in (0, 1))
    return np.exp(low), np.exp(high)


def _straight_ends(problem: HuberProblem, theta: Floats, weights: Floats, rise: float, places: Floats) -> tuple[Floats, Floats]:
    """Ends by the curvature alone, for data that lie on the law: their objective is rounding, which no search resolves."""
    _, _, hessian = derivatives(problem, theta[None], weights[None])
    at = problem.law.evaluate(theta[None], places)
    gradient = at.gradient()[0]
    pull = np.einsum("ni,ij,nj->n", gradient, np.linalg.pinv(hessian[0], hermitian=True), gradient)
    half = np.sqrt(2.0 * rise * np.maximum(pull, 0.0))
    return np.exp(at.value[0] - half), np.exp(at.value[0] + half)


def rise_of(found: Fit, level: float) -> float:
    """Rise of the objective at the ends of an interval of coverage ``level``, by Student's t with n - p degrees of freedom."""
    spare = max(int((found.weights > 0).sum()) - len(found.theta), 1)
    return float(0.5 * student.ppf(0.5 + level / 2, spare) ** 2 * noise_scale(found))


def origin_problem(found: Fit) -> tuple[HuberProblem, Floats]:
    """The fit's problem and optimum [p] in coordinates centred at 0, where each coordinate is one public parameter.

    Raises:
        ValueError: if a public parameter of the law is not a function of one coordinate.
    """
    law = found.law
    require_profiles(law)
    problem = found.problem()
    theta = law.shifted(found.theta[None], -found.centre)[0]
    lower, upper = problem.lower.copy(), problem.upper.copy()
    for at, term in zip(law.slices, law.terms, strict=True):
        if term.columns:
            # What moves with the centre, as an amplitude does, lies far from the data at centre 0: its bounds there would cut
            # the exponents' intervals.
            moving = term.heads or np.flatnonzero(theta[at] != found.theta[at])
            free = [at.start + int(place) for place in moving]
            lower[free], upper[free] = -np.inf, np.inf
    return problem._replace(logs=found.logs + found.centre, lower=lower, upper=upper), theta


def require_profiles(law: Law) -> None:
    """Check that a law can be profiled.

    Raises:
        ValueError: if a public parameter is not a function of one coordinate.
    """
    if not law.separate:
        raise ValueError(f"{law.name} has a parameter that cannot be profiled; take its intervals from the bootstrap")


def profile_ends(
    problem: HuberProblem,
    theta: Floats,
    weights: Floats,
    rise: Floats,
    coordinates: tuple[int, ...] | None = None,
) -> tuple[Floats, Floats]:
    """Ends of the profile intervals of coordinates, for R tables of one design at once.

    Args:
        problem: as at the optimum; ``log_y`` is [n] or [R, n].
        theta: optima [R, p].
        weights: [n].
        rise: by how much the objective may rise, [R], or [R, p] with one per coordinate.
        coordinates: which ones; all by default.

    Returns:
        Lower and upper ends [R, len(coordinates)]; infinite where the bounds come first.
    """
    count, size = theta.shape
    chosen = tuple(range(size)) if coordinates is None else coordinates
    problem = problem.spread(count)
    value, _, hessian = derivatives(problem, theta, np.broadcast_to(weights, problem.log_y.shape))
    rise = np.broadcast_to(rise if rise.ndim == 2 else rise[:, None], theta.shape)
    inverse = np.linalg.pinv(hessian, hermitian=True)
    variance = np.maximum(np.einsum("bii->bi", inverse), 1e-12)
    sd = np.sqrt(2.0 * rise * variance)
    table, place, side = (axis.ravel() for axis in np.meshgrid(np.arange(count), chosen, (-1.0, 1.0), indexing="ij"))
    place = place.astype(int)
    frozen = np.zeros((len(table), size), bool)
    frozen[np.arange(len(table)), place] = True
    here = theta[table, place]
    room = np.where(side > 0, problem.upper[table, place] - here, here - problem.lower[table, place])

    # How the other coordinates follow the held one, by the curvature at the optimum. A start without this would be far off,
    # since an amplitude about centre 0 moves together with its exponent.
    follow = side[:, None] * inverse[table, place] / variance[table, place][:, None]

    def solve(rows: np.ndarray, steps: Floats, warm: Floats) -> tuple[Floats, Floats]:
        starts = warm.copy()
        index = np.arange(len(rows))
        starts[index, place[rows]] = theta[table[rows], place[rows]] + side[rows] * steps
        solved = minimise(problem.at(table[rows]), starts, weights, frozen=frozen[rows], iterations=60, tolerance=1e-8)
        return solved.objective - value[table[rows]], solved.theta

    steps, _ = find_ends(solve, theta[table], rise[table, place], sd[table, place], np.maximum(room, 0.0), follow)
    ends = (theta[table, place] + side * steps).reshape(count, len(chosen), 2)
    return ends[..., 0], ends[..., 1]


def prediction_ends(
    problem: HuberProblem, theta: Floats, weights: Floats, rise: Floats, place: Floats
) -> tuple[Floats, Floats]:
    """Ends [R] of the profile interval of log f at one point [k], for R tables of one design at once.

    Minimising objective - tilt * log f traces the profile as the tilt grows, without a constraint. Huber's loss is linear
    outside delta, so that the tilt is one more row at that point, with a response far off.

    Args:
        problem, theta, weights: as for ``profile_ends``.
        rise: by how much the objective may rise [R].
        place: logs of the point in the problem's coordinates [k].
    """
    count = len(theta)
    problem = problem.spread(count)
    value, _, hessian = derivatives(problem, theta, np.broadcast_to(weights, problem.log_y.shape))
    at_place = problem.law.evaluate(theta, place[None])
    gradient = at_place.gradient()[:, 0]
    pull = np.einsum("bi,bij,bj->b", gradient, np.linalg.pinv(hessian, hermitian=True), gradient)
    tilt = np.sqrt(2.0 * rise / np.maximum(pull, 1e-12))
    table, side = np.repeat(np.arange(count), 2), np.tile([-1.0, 1.0], count)
    target = at_place.value[table, 0] + side * (TILT + np.asarray(problem.delta)[table, 0])
    logs = np.vstack([problem.logs, place])

    def solve(chosen: np.ndarray, steps: Floats, warm: Floats) -> tuple[Floats, Floats]:
        part = problem.at(table[chosen])
        tilted = part._replace(logs=logs, log_y=np.column_stack([part.log_y, target[chosen]]))
        plain = np.broadcast_to(weights, part.log_y.shape)
        pulls = np.column_stack([plain, steps / np.asarray(part.delta)[:, 0]])
        solved = minimise(tilted, warm, pulls, iterations=100, tolerance=1e-9).theta
        return objective(part, solved, plain) - value[table[chosen]], solved

    room = np.full(len(table), np.inf)
    steps, ends = find_ends(solve, theta[table], rise[table], tilt[table], room)
    moved = problem.law.log_values(ends, place[None])[:, 0]
    ends = np.where(np.isfinite(steps), moved, side * np.inf).reshape(count, 2)
    return ends[:, 0], ends[:, 1]
