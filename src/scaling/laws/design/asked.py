"""What may be asked of a law, as functions of its coordinates: derivatives and a unit for each goal.

Where the law is nearly linear over the range that its rows leave open, the variance of such a function is g^T C g, with g its
gradient and C the covariance of the coordinates (Atkinson, Donev and Tobias 2007, "Optimum Experimental Designs", chapter 10).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

import numpy as np

from scaling.laws.fitting.fitted import Fit
from scaling.laws.forms.terms import Floats, Role
from scaling.laws.law_errors import InputError

Goal = Literal["exponents", "prediction", "contrast", "skill"]
GOALS: Final[tuple[Goal, ...]] = get_args(Goal)

BEYOND = 3.0
"""Factor beyond the largest N and D at which a prediction is asked for (assumption: as far as honest intervals hold 93 % or
more in every simulated setting, docs/laws.md)."""
LEAST_FLOOR = 0.1
"""Share of the smallest response at which the derivative of a smaller floor is taken (assumption): the logarithm of a floor
at 0 has no influence on anything, though the floor itself may be wrong."""


class Asked(NamedTuple):
    """Functions of a law's coordinates whose mean variance is to be small.

    Attributes:
        gradients: of each, in its unit [t, p].
        unit: of the width, in words.
        places: of responses that are asked for, uncentred logs [t, k], in each of which the law may err; None if what is asked
            are coordinates of the law.
        scale: of a log response in the unit of what is asked.
    """

    gradients: Floats
    unit: str
    places: Floats | None = None
    scale: float = 1.0


def asked_of(found: Fit, goal: Goal) -> Asked:
    """What ``goal`` asks of a fitted law.

    - exponents, contrast: its exponents of one variable each (alpha, beta).
    - prediction: the log response where every variable is ``BEYOND`` times the largest of its rows.
    - skill: log responses where the first variable, the second or both are ``BEYOND`` times the largest, in units of the error
      of persistence, which repeats the response at the largest.

    Raises:
        InputError: the law has no exponents of one variable.
        ValueError: nothing was fitted.
    """
    if not found.parameters:
        raise ValueError(f"the law {found.law.name} was not fitted: {found.reasons}")
    if goal in ("exponents", "contrast"):
        chosen = [i for i, role in enumerate(found.law.roles) if role is Role.EXPONENT]
        if not chosen:
            raise InputError(f"law {found.law.name} has no exponents of one variable; ask for prediction or skill")
        return Asked(np.eye(len(found.theta))[chosen], "difference of exponents" if goal == "contrast" else "exponent")
    step = np.log(BEYOND)
    edge = found.logs.max(axis=0)
    if goal == "prediction":
        return Asked(gradients(found, (edge + step)[None]), "log loss", (edge + step + found.centre)[None])
    moves = np.eye(len(edge)) * step
    places = edge + (np.vstack([moves, moves.sum(axis=0)]) if len(edge) > 1 else moves)
    theta = found.theta[None]
    fall = found.law.log_values(theta, places)[0] - found.law.log_values(theta, edge[None])[0]
    persistence = max(float(np.sqrt(np.mean(fall**2))), 1e-12)
    return Asked(gradients(found, places) / persistence, "skill", places + found.centre, 1.0 / persistence)


def gradients(found: Fit, logs: Floats) -> Floats:
    """Gradient [n, p] of the log response at centred logs [n, k], with floors near 0 raised to ``LEAST_FLOOR``."""
    theta = found.theta.copy()
    lowest = float(found.log_y.min()) + np.log(LEAST_FLOOR)
    for i, name in enumerate(found.law.parameters):
        if name in found.law.floors:
            theta[i] = max(theta[i], lowest)
    return found.law.evaluate(theta[None], logs).gradient()[0]
