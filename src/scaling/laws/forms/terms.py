"""The terms that a law is the sum of, in log coordinates, with first and second derivatives.

A term is positive, so it is represented by its logarithm t(theta, x). A law is then log f = logsumexp(t_1, ..., t_m): sums of
powers never overflow, and a power A / N^alpha is *affine* in (log A, alpha), so that its second derivative is zero.

Coordinates: ``theta`` has one row per candidate, [B, q]. ``logs`` holds the natural logarithms of the variables minus a centre,
[n, k], or [B, n, k] with one table per candidate for a term that stacks. Centring makes log A and alpha nearly independent,
which lets Newton's method converge from far away.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.laws.forms.numeric_derivatives import numeric_derivatives

Floats = NDArray[np.float64]

EXPONENT_LIMIT = 3.0
"""Largest exponent that a fit may reach (assumption): a steeper power is a step between two neighbouring sizes."""
AMPLITUDE_SPAN = 8.0
"""A term may fall to e^-8 of the smallest response at the centre and no further (assumption): there it no longer affects any
prediction."""


class Curve(NamedTuple):
    """A term at B candidates and n points: value [B, n], gradient [B, n, q], Hessian [B, n, q, q] or None for zero.

    ``common`` says that the gradient is the same for all candidates.
    """

    value: Floats
    gradient: Floats
    hessian: Floats | None
    common: bool = False


class Spread(NamedTuple):
    """What bounds and starts need to know of a table: the ranges of log response [2] and of centred logs [k, 2]."""

    response: Floats
    logs: Floats


class Role(Enum):
    """What a coordinate of a term does. What is known before the fit is known of a role, whatever a paper calls it."""

    OTHER = "nothing is known of it"
    EXPONENT = "exponent of one variable"
    PRODUCT_EXPONENT = "exponent of one variable in a term of several"
    SIDE_EXPONENT = "exponent of N in a term of D"
    DRIFT = "change of an exponent per log unit of another variable"
    OVERFITTING_EXPONENT = "exponent of N or U in what overfitting costs"
    PASSES_EXPONENT = "exponent of the log of the number of passes in what overfitting costs"
    LOG_WORTHWHILE_PASSES = "log of the number of passes after which repeated data are worth little"
    BEST_RATE_EXPONENT = "exponent of N or D in the best learning rate"
    LOG_DATA_SCALE = "log of the D at which a sum's summand of D is 1, minus the centre of log D"


class Term:
    """One positive summand of a law: the base of all terms.

    A new term has to define ``names``, the five last methods, and either ``values`` (then its derivatives are numeric) or
    ``evaluate`` (with exact ones). The other attributes need not be declared.

    Attributes:
        names: public parameters, as the paper names them.
        columns: columns of the logs that it depends on; none for a floor.
        affine: its logarithm is ``theta @ features(logs).T``, and its second derivative is 0.
        separate: at centre 0 each public parameter is an increasing function of one coordinate, so that it can be profiled.
        heads: coordinates that are logs of amplitudes, for which ``parts`` gives the log of each summand at amplitude 1: starts
            then draw exponents only, and amplitudes follow by least squares.
        stacks: it can be evaluated at logs [B, n, k], one table per candidate.
        roles: role of each coordinate; none where no role is known.
    """

    names: tuple[str, ...] = ()
    columns: tuple[int, ...] = (0,)
    affine = False
    separate = False
    heads: tuple[int, ...] = ()
    stacks = False
    roles: tuple[Role, ...] = ()

    def values(self, theta: Floats, logs: Floats) -> Floats:
        """Logarithm of the term [B, n] at theta [B, q] and logs [n, k]."""
        return self.evaluate(theta, logs).value

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives, by finite differences unless a term overrides it.

        Raises:
            NotImplementedError: if the term defines no values either.
        """
        if type(self).values is Term.values:
            raise NotImplementedError(f"{type(self).__name__} defines neither values nor evaluate")
        gradient, hessian = numeric_derivatives(lambda at: self.values(at, logs), theta)
        return Curve(self.values(theta, logs), gradient, hessian)

    def features(self, logs: Floats) -> Floats:
        """Gradient of an affine term; other terms raise NotImplementedError."""
        raise NotImplementedError(f"{type(self).__name__} is not affine")

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Logs of the summands at amplitude 1; a term without ``heads`` raises NotImplementedError."""
        raise NotImplementedError(f"{type(self).__name__} has no amplitudes of its own")

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates [B, q] of the same term once the origin of the logs has moved by ``shift`` [k]."""
        raise NotImplementedError

    def publish(self, theta: Floats) -> Floats:
        """Public parameters [B, q] of coordinates centred at 0."""
        raise NotImplementedError

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        raise NotImplementedError

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Lower and upper limit of each coordinate, [q] each."""
        raise NotImplementedError

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates [count, q] over the range that the class states."""
        raise NotImplementedError


class AffineTerm(Term):
    """A term whose logarithm is linear in theta, log amplitude first, then exponents: a subclass defines ``features``."""

    affine = True
    separate = True
    heads = (0,)

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Log of the term with amplitude 1, [B, n]."""
        return [theta[:, 1:] @ self.features(logs)[:, 1:].T]

    def values(self, theta: Floats, logs: Floats) -> Floats:
        """Logarithm of the term [B, n]."""
        features = self.features(logs)
        return theta @ features.T if logs.ndim == 2 else np.matmul(features, theta[..., None])[..., 0]

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        features = self.features(logs)
        if logs.ndim > 2:
            return Curve(np.matmul(features, theta[..., None])[..., 0], features, None)
        value = theta @ features.T
        return Curve(value, np.broadcast_to(features, (*value.shape, features.shape[1])), None, common=True)

    def publish(self, theta: Floats) -> Floats:
        """Amplitude and exponents [B, q]."""
        with np.errstate(over="ignore"):
            return np.column_stack([np.exp(theta[:, 0]), theta[:, 1:]])

    def internal(self, public: Floats) -> Floats:
        """Log amplitude and exponents [B, q]."""
        with np.errstate(divide="ignore"):
            return np.column_stack([np.log(public[:, 0]), public[:, 1:]])


def amplitude_bounds(spread: Spread) -> tuple[float, float]:
    """Limits of the log of a term at the centre: from negligible to far above every response."""
    return float(spread.response[0]) - AMPLITUDE_SPAN, float(spread.response[1]) + AMPLITUDE_SPAN


def softplus(x: Floats) -> Floats:
    """log(1 + e^x) of each element [...], without overflow."""
    return np.logaddexp(0.0, x)


def logistic(x: Floats) -> Floats:
    """1 / (1 + e^-x) of each element [...], without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))
