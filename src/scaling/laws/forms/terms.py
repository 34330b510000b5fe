"""The terms a law is the sum of, in log coordinates, with exact first and second derivatives.

A term is positive, so it is carried as its logarithm t(theta, x). A law is then log f = logsumexp(t_1, ..., t_m): sums of
powers never overflow, and a power A / N^alpha is *affine* in (log A, alpha), which makes its second derivative zero.

Coordinates: ``theta`` has one row a candidate, [B, q]; ``logs`` holds the natural logarithms of the variables less a centre,
[n, k], or [B, n, k] for one table a candidate where a term stacks. Centring makes log A and alpha nearly independent, which is
what lets Newton's method converge from afar.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXPONENT_LIMIT = 3.0
"""Largest exponent a fit may reach: beyond it a power is a step between two neighbouring sizes."""
AMPLITUDE_SPAN = 8.0
"""A term may fall to e^-8 of the smallest response and no further; there it has no say in any prediction."""


class Curve(NamedTuple):
    """A term at B candidates and n points: value [B, n], gradient [B, n, q], Hessian [B, n, q, q] or None for zero.

    ``common``: the gradient is the same for all candidates.
    """

    value: Floats
    gradient: Floats
    hessian: Floats | None
    common: bool = False


class Spread(NamedTuple):
    """What bounds and starts need to know of a table: the ranges of log response [2] and of centred logs [k, 2]."""

    response: Floats
    logs: Floats


class TermKind:
    """What a term may be known to be; a new term need not say anything.

    Attributes:
        columns: of the logs that it depends on; none for a floor.
        affine: its logarithm is ``theta @ features(logs).T``, and its second derivative 0.
        separate: at centre 0 each public parameter is a rising function of one coordinate, so that it can be profiled.
        heads: coordinates that are logs of amplitudes, of which ``parts`` gives the log of each summand at amplitude 1:
            then starts draw exponents only, and amplitudes follow by least squares.
        stacks: it can be evaluated at logs [B, n, k], one table a candidate.
    """

    columns: tuple[int, ...] = (0,)
    affine = False
    separate = False
    heads: tuple[int, ...] = ()
    stacks = False

    def features(self, logs: Floats) -> Floats:
        """Gradient of an affine term; of no other."""
        raise NotImplementedError(f"{type(self).__name__} is not affine")

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Logs of the summands at amplitude 1 of a term with ``heads``; of no other."""
        raise NotImplementedError(f"{type(self).__name__} has no amplitudes of its own")


class Term(Protocol):
    """One positive summand of a law."""

    @property
    def columns(self) -> tuple[int, ...]:
        """Of the logs that it depends on."""
        ...

    @property
    def affine(self) -> bool:
        """Whether its logarithm is linear in theta."""
        ...

    @property
    def separate(self) -> bool:
        """Whether each public parameter is one coordinate."""
        ...

    @property
    def heads(self) -> tuple[int, ...]:
        """Coordinates that are logs of amplitudes."""
        ...

    @property
    def stacks(self) -> bool:
        """Whether it can be evaluated at one table a candidate."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Public parameters, as the paper names them."""
        ...

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        ...

    def features(self, logs: Floats) -> Floats:
        """Gradient of an affine term [n, q], or [B, n, q] for one table a candidate."""
        ...

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Logs [B, n] of the summands at amplitude 1, one of each of ``heads``."""
        ...

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """The same term in coordinates whose origin has moved by ``shift`` [k]."""
        ...

    def publish(self, theta: Floats) -> Floats:
        """Public parameters [B, q] of coordinates centred at 0."""
        ...

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        ...

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Lower and upper limit of each coordinate."""
        ...

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates [count, q] over the sane range that is stated at the class."""
        ...


def amplitude_bounds(spread: Spread) -> tuple[float, float]:
    """Limits of the log of a term at the centre: from no say at all to far above every response."""
    return float(spread.response[0]) - AMPLITUDE_SPAN, float(spread.response[1]) + AMPLITUDE_SPAN


def softplus(x: Floats) -> Floats:
    """log(1 + e^x), without overflow."""
    return np.logaddexp(0.0, x)


def logistic(x: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))
