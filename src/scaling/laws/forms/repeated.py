"""Terms of data that are seen more than once, in N, the images or tokens seen D, and the unique ones among them U.

Coordinates: columns log N, log D and log U, of which the last two have the same centre, so that their difference is the log
of the number of passes R = D / U.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import EXPONENT_LIMIT, AffineTerm, Curve, Floats, Role, Spread, Term, amplitude_bounds

LEAST_REPEATS = 1e-6
"""log R of data that are seen once: a power of it is negligible."""
REPEATS = (0.1, 1000.0)
"""Range of R* (assumption): below it repeated data are worth nothing, above it as much as new data."""


@dataclass(frozen=True)
class RepeatedPower(Term):
    """B / D'^beta with D' = U (1 + R* (1 - exp(-(D/U - 1) / R*))): each pass is worth less than the one before.

    Muennighoff et al. 2023, "Scaling Data-Constrained Language Models", equation 5. Internally log B, beta, log R*.
    Starts: beta uniform in [0.05, 1.5], R* between 1 and 50.
    """

    names: tuple[str, ...] = ("B", "beta", "R_star")
    columns: tuple[int, ...] = (1, 2)
    separate = True
    heads = (0,)
    roles = (Role.OTHER, Role.EXPONENT, Role.LOG_WORTHWHILE_PASSES)

    def _worth(self, rho: Floats, logs: Floats) -> tuple[Floats, Floats, Floats]:
        """log D' at centre 0 for both, and its first and second derivative in rho = log R*, each [B, n]."""
        repeats = np.maximum(np.expm1(logs[:, 1] - logs[:, 2]), 0.0)
        scale = np.exp(rho)[:, None]
        ratio = repeats / scale
        left = np.exp(-ratio)
        gained = -scale * np.expm1(-ratio)
        first = gained - repeats * left
        second = first - repeats * ratio * left
        slope = first / (1.0 + gained)
        return logs[:, 2] + np.log1p(gained), slope, second / (1.0 + gained) - slope**2

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Log of the term with B = 1."""
        return [-theta[:, 1:2] * self._worth(theta[:, 2], logs)[0]]

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        worth, slope, bend = self._worth(theta[:, 2], logs)
        beta = theta[:, 1:2]
        gradient = np.stack([np.ones_like(worth), -worth, -beta * slope], axis=2)
        hessian = np.zeros((*gradient.shape, 3))
        hessian[..., 1, 2] = hessian[..., 2, 1] = -slope
        hessian[..., 2, 2] = -beta * bend
        return Curve(theta[:, :1] - beta * worth, gradient, hessian)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre, which D and U share."""
        moved = theta.copy()
        moved[:, 0] -= theta[:, 1] * shift[1]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """B, beta, R*."""
        return np.column_stack([np.exp(theta[:, 0]), theta[:, 1], np.exp(theta[:, 2])])

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        return np.column_stack([np.log(public[:, 0]), public[:, 1], np.log(public[:, 2])])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Beta in [0, EXPONENT_LIMIT], R* in REPEATS."""
        low, high = amplitude_bounds(spread)
        return np.array([low, 0.0, np.log(REPEATS[0])]), np.array([high, EXPONENT_LIMIT, np.log(REPEATS[1])])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        amplitude = rng.uniform(spread.response[0] - 4.0, spread.response[1] + 1.0, count)
        return np.column_stack([amplitude, rng.uniform(0.05, 1.5, count), rng.uniform(0.0, np.log(50.0), count)])


@dataclass(frozen=True)
class Overfitting(AffineTerm):
    """G N^gamma (log R)^delta / U^upsilon: the cost of repeating data, which grows with the model.

    An additive overfitting term, as in arXiv 2605.01640; its powers are an assumption. It vanishes at R = 1.
    Starts: gamma and upsilon uniform in [0.1, 1.2], delta in [0.3, 2].
    """

    names: tuple[str, ...] = ("G", "gamma", "upsilon", "delta")
    columns: tuple[int, ...] = (0, 1, 2)
    roles = (Role.OTHER, Role.OVERFITTING_EXPONENT, Role.OVERFITTING_EXPONENT, Role.PASSES_EXPONENT)

    def features(self, logs: Floats) -> Floats:
        """Gradient of the term, which does not depend on theta: [n, q]."""
        passes = np.log(np.maximum(logs[:, 1] - logs[:, 2], LEAST_REPEATS))
        return np.column_stack([np.ones(len(logs)), logs[:, 0], -logs[:, 2], passes])

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        moved = theta.copy()
        moved[:, 0] += theta[:, 1] * shift[0] - theta[:, 2] * shift[2]
        return moved

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Exponents in [0, EXPONENT_LIMIT]; delta at least 0.2: below it data seen once would be penalised too."""
        low, high = amplitude_bounds(spread)
        return np.array([low - 4.0, 0.0, 0.0, 0.2]), np.array([high, *[EXPONENT_LIMIT] * 3])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        amplitude = rng.uniform(spread.response[0] - 6.0, spread.response[1] - 1.0, count)
        return np.column_stack([amplitude, rng.uniform(0.1, 1.2, (count, 2)), rng.uniform(0.3, 2.0, count)])
