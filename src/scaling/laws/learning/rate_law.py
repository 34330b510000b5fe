"""The best learning rate as a power of N and of D, from the candidates that were tried at tuning's anchors.

Near its optimum the log loss is a parabola in the log rate. All candidates of a family are fitted at once:

    log loss = level of the anchor + curvature / 2 (log rate - a - b log N - c log D)^2,

which is linear in the level, in (log rate)^2 and in log rate times 1, log N and log D. An optimum, an exponent and a predicted
rate are then ratios of two coefficients, and their intervals are Fieller's (1954, "Some Problems in Interval Estimation",
Journal of the Royal Statistical Society B 16, 175), which hold for any number of candidates where the errors are normal.

Assumptions: one curvature for all anchors of a family; errors of the log losses that are independent and of one spread. The
spread is estimated from what the parabolas of all families of a study leave over. A family that leaves more over than they do
together is judged by its own spread, and on its own few degrees of freedom where it is larger beyond chance. The spread
between seeds would be too large, since candidates of an anchor share their images and their initialisation: in a study of
seven families it is 2 to 5 % between seeds, and 1.3 to 2.7 % about the parabolas.

In simulations of five families with two or four anchors of five candidates, 95 % intervals of the optimum, of the exponents
and of the curvature hold 95 to 98 % of the truths, and 90 to 95 % for a family whose noise is twice that of the others. Where
the loss is no parabola (rates four times too high cost 12 %, rates four times too low 7 %), those of the optimum hold 85 %.
Those of the exponents, in which this cancels, still hold 98 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.special import fdtrc, stdtrit

from scaling.laws.forms.terms import Floats
from scaling.laws.least_squares import indicators, ols

LEVEL: Final = 0.95
"""Of every interval."""
NEAR: Final = 4.0
"""Largest factor between the best candidate of an anchor and another that is used (assumption): farther away the loss is no
parabola, since a rate that is much too high diverges."""
ROUNDED: Final = 0.01
"""Log rates are equal to within this: candidates added by widening are rounded to three digits."""
OCTAVE: Final = float(np.log(2.0))
"""Log of a factor of 2."""


@dataclass(frozen=True)
class Anchor:
    """N and D of an anchor, its candidate rates, and their validation losses in nats; only candidates with a finite loss."""

    params: float
    images: float
    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @classmethod
    def of(cls, record: dict[str, Any]) -> Anchor:
        """From an anchor of a tuning file."""
        known = [(c["rate"], c["validation_loss"]) for c in record["candidates"] if c["validation_loss"]]
        rates, losses = zip(*known, strict=True) if known else ((), ())
        return cls(float(record["params"]), float(record["images"]), rates, losses)


@dataclass(frozen=True)
class Estimate:
    """A value and the ends of its 95 % interval; an end is infinite where the candidates do not bound it."""

    value: float
    low: float
    high: float


class Spread(NamedTuple):
    """Variance of a candidate's log loss, and the degrees of freedom from which it is known."""

    variance: float
    freedom: int


UNKNOWN: Final = Spread(0.0, 0)
"""Nothing is known of other families."""


@dataclass(frozen=True)
class Parabolas:
    """Parabolas of one curvature in the log rate, one per anchor, whose optima are a linear function of some variables.

    Attributes:
        middle: mean log rate of the candidates.
        coefficients: of (log rate - middle)^2, and of (log rate - middle) times each variable [1 + variables].
        errors: their covariance [1 + variables, 1 + variables].
        noise: of a candidate.
    """

    middle: float
    coefficients: Floats
    errors: Floats
    noise: Spread

    def curvature(self) -> Estimate:
        """Second derivative of the log loss in the log rate."""
        half = self._quantile() * float(np.sqrt(self.errors[0, 0]))
        return Estimate(*(2.0 * (float(self.coefficients[0]) + side * half) for side in (0.0, -1.0, 1.0)))

    def slope(self, place: Floats) -> Estimate:
        """Change of the log of the best rate along ``place``, a step in the variables [variables].

        It is -(coefficients of the log rate at ``place``) / (2 coefficient of its square); the interval is Fieller's.
        """
        top, bottom = np.array([0.0, *-place]), np.array([2.0, *np.zeros(len(place))])
        above, below = float(top @ self.coefficients), float(bottom @ self.coefficients)
        squared = self._quantile() ** 2
        a = below**2 - squared * float(bottom @ self.errors @ bottom)
        b = above * below - squared * float(top @ self.errors @ bottom)
        c = above**2 - squared * float(top @ self.errors @ top)
        if a <= 0.0:  # the candidates allow a parabola that is flat or upside down
            return Estimate(above / below, -np.inf, np.inf)
        half = float(np.sqrt(max(b**2 - a * c, 0.0)))
        return Estimate(above / below, (b - half) / a, (b + half) / a)

    def rate(self, place: Floats) -> Estimate:
        """The best rate where the variables are ``place`` [variables]."""
        found = self.slope(place)
        with np.errstate(over="ignore"):
            return Estimate(*(float(np.exp(end + self.middle)) for end in (found.value, found.low, found.high)))

    def covariance(self) -> Floats:
        """Covariance, to first order, of the slopes along each variable [variables, variables]."""
        best = -0.5 * self.coefficients[1:] / self.coefficients[0]
        gradient = np.column_stack([-best, -0.5 * np.eye(len(best))]) / self.coefficients[0]
        return gradient @ self.errors @ gradient.T

    def _quantile(self) -> float:
        return float(stdtrit(self.noise.freedom, 0.5 + LEVEL / 2))


@dataclass(frozen=True)
class RateLaw:
    """log best rate = a + b log N + c log D; a variable of which all anchors have one value is left out.

    Attributes:
        variables: those of "N" and "D" that the law has.
        centre: mean log N and log D of the candidates [2].
        parabolas: whose variables are 1 and the centred logs of the law's variables.
    """

    variables: tuple[str, ...]
    centre: Floats
    parabolas: Parabolas

    def exponent(self, variable: str) -> Estimate:
        """Exponent of "N" or "D" in the best rate."""
        return self.parabolas.slope(np.eye(1 + len(self.variables))[1 + self.variables.index(variable)])

    def rate(self, params: float, images: float) -> Estimate:
        """The best rate at N and D."""
        logs: dict[str, float] = dict(zip(("N", "D"), np.log([params, images]) - self.centre, strict=True))
        return self.parabolas.rate(np.array([1.0, *(logs[name] for name in self.variables)]))

    def penalty(self, octaves: float) -> Estimate:
        """Log loss that a rate costs which is wrong by so many factors of 2: curvature / 2 (octaves log 2)^2, at least 0."""
        bent, squared = self.parabolas.curvature(), (octaves * OCTAVE) ** 2
        return Estimate(*(max(0.0, 0.5 * end * squared) for end in (bent.value, bent.low, bent.high)))


def fit_rate_law(anchors: Sequence[Anchor], study: Spread = UNKNOWN) -> RateLaw | str:
    """The law through the candidates of a family's anchors, or the reason why there is none.

    Args:
        anchors: of one family; study: of the candidates of all its families, by ``study_noise``.
    """
    near = _near(anchors)
    if not len(near):
        return "no candidate has a finite loss"
    logs = np.log([[anchors[i].params, anchors[i].images] for i in near[:, 0].astype(int)])
    centre = logs.mean(axis=0)
    varies = {name: column for name, column in zip(("N", "D"), (logs - centre).T, strict=True) if np.ptp(column) > 0}
    found = _fitted(near, np.column_stack([np.ones(len(near)), *varies.values()]), study)
    return found if isinstance(found, str) else RateLaw(tuple(varies), centre, found)


def best_rates(anchors: Sequence[Anchor], study: Spread = UNKNOWN) -> list[Estimate] | str:
    """The best rate of each anchor by itself, at the curvature that all have in common, or the reason why there is none.

    Every anchor must have a candidate with a finite loss.
    """
    near = _near(anchors)
    if len(np.unique(near[:, 0])) < len(anchors):
        return "no candidate of an anchor has a finite loss"
    found = _fitted(near, indicators(near[:, 0]), study)
    return found if isinstance(found, str) else [found.rate(place) for place in np.eye(len(anchors))]


def study_noise(families: Sequence[Sequence[Anchor]]) -> Spread:
    """What the parabolas of several families leave over, each anchor with an optimum of its own."""
    squares, freedom = 0.0, 0
    for anchors in families:
        near = _near(anchors)
        if len(near):
            left = ols(_design(near, indicators(near[:, 0])), near[:, 2])
            squares, freedom = squares + left.squares, freedom + left.freedom
    return Spread(squares / freedom, freedom) if freedom else UNKNOWN


def _near(anchors: Sequence[Anchor]) -> Floats:
    """Index of the anchor, log rate and log loss of each candidate that is near the best of its anchor [n, 3]."""
    rows = [
        (index, np.log(rate), np.log(loss))
        for index, anchor in enumerate(anchors)
        for rate, loss in zip(anchor.rates, anchor.losses, strict=True)
        if abs(np.log(rate / anchor.rates[int(np.argmin(anchor.losses))])) <= np.log(NEAR) + ROUNDED
    ]
    return np.array(rows, float).reshape(-1, 3)


def _fitted(near: Floats, variables: Floats, study: Spread) -> Parabolas | str:
    """Parabolas through candidates [n, 3], whose optima are a linear function of ``variables`` [n, variables]; or why not."""
    design = _design(near, variables)
    found = ols(design, near[:, 2])
    if not found.determined or found.freedom < 1:
        return f"too few candidates: {len(near)} with a finite loss near the best, {design.shape[1] + 1} are needed"
    if found.coefficients[0] <= 0:
        return "the losses of the candidates have no least value"
    asked = 1 + variables.shape[1]
    own = Spread(found.squares / found.freedom, found.freedom)
    noise = _noise(own, study)
    errors = np.asarray(noise.variance * np.linalg.inv(design.T @ design)[:asked, :asked], float)
    return Parabolas(float(near[:, 1].mean()), found.coefficients[:asked], errors, noise)


def _design(near: Floats, variables: Floats) -> Floats:
    """Columns of the parabolas: the squared log rate, the log rate times each variable, the level of each anchor."""
    x = near[:, 1] - near[:, 1].mean()
    return np.column_stack([x**2, x[:, None] * variables, indicators(near[:, 0])])


def _noise(own: Spread, study: Spread) -> Spread:
    """The larger spread; that of the family on its own degrees of freedom where an F test says that it is larger."""
    if own.variance <= study.variance or not study.freedom:
        return max(own, study)
    larger = fdtrc(own.freedom, study.freedom, own.variance / study.variance) < 1.0 - LEVEL
    return own if larger else Spread(own.variance, study.freedom)
