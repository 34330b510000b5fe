"""The terms a law is the sum of, in log coordinates, with exact first and second derivatives.

A term is positive, so it is carried as its logarithm t(theta, x). A law is then log f = logsumexp(t_1, ..., t_m): sums of
powers never overflow, and a power A / N^alpha is *affine* in (log A, alpha), which makes its second derivative zero.

Coordinates: ``theta`` has one row a candidate, [B, q]; ``logs`` holds the natural logarithms of the variables less a centre,
[n, k]. Centring makes log A and alpha nearly independent, which is what lets Newton's method converge from afar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXPONENT_LIMIT = 3.0
"""Largest exponent a fit may reach: beyond it a power is a step between two neighbouring sizes."""
AMPLITUDE_SPAN = 8.0
"""A term may fall to e^-8 of the smallest response and no further; there it has no say in any prediction."""


class Curve(NamedTuple):
    """A term at B candidates and n points: value [B, n], gradient [B, n, q], Hessian [B, n, q, q] or None for zero."""

    value: Floats
    gradient: Floats
    hessian: Floats | None


class Spread(NamedTuple):
    """What bounds and starts need to know of a table: the ranges of log response [2] and of centred logs [k, 2]."""

    response: Floats
    logs: Floats


class Term(Protocol):
    """One positive summand of a law."""

    @property
    def names(self) -> tuple[str, ...]:
        """Public parameters, as the paper names them."""

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """The same term in coordinates whose origin has moved by ``shift`` [k]."""

    def publish(self, theta: Floats) -> Floats:
        """Public parameters [B, q] of coordinates centred at 0."""

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Lower and upper limit of each coordinate."""

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates [count, q] over the sane range that is stated at the class."""


def amplitude_bounds(spread: Spread) -> tuple[float, float]:
    """Limits of the log of a term at the centre: from no say at all to far above every response."""
    return float(spread.response[0]) - AMPLITUDE_SPAN, float(spread.response[1]) + AMPLITUDE_SPAN


def softplus(x: Floats) -> Floats:
    """log(1 + e^x), without overflow."""
    return np.logaddexp(0.0, x)


def logistic(x: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


@dataclass(frozen=True)
class Power:
    """amplitude * prod_j x_j^(-exponent_j): affine in (log amplitude, exponents); without exponents, a floor.

    Starts: exponents uniform in [0.05, 1.5], amplitudes within a factor e^4 below to e^1 above the responses.
    """

    amplitude: str
    exponents: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The amplitude, then one exponent a variable."""
        return (self.amplitude, *self.exponents)

    def features(self, logs: Floats) -> Floats:
        """Gradient of the term, which does not depend on theta: [n, q]."""
        return np.column_stack([np.ones(len(logs)), *(-logs[:, column] for column in self.columns)])

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        features = self.features(logs)
        value = theta @ features.T
        return Curve(value, np.broadcast_to(features, (*value.shape, features.shape[1])), None)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """The same power about another centre: log amplitude moves along its exponents."""
        moved = theta.copy()
        for position, column in enumerate(self.columns, start=1):
            moved[:, 0] -= theta[:, position] * shift[column]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """Amplitude and exponents."""
        return np.column_stack([np.exp(theta[:, 0]), theta[:, 1:]])

    def internal(self, public: Floats) -> Floats:
        """Log amplitude and exponents."""
        with np.errstate(divide="ignore"):
            return np.column_stack([np.log(public[:, 0]), public[:, 1:]])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Exponents in [0, EXPONENT_LIMIT]; the floor at most the largest response."""
        low, high = amplitude_bounds(spread)
        if not self.columns:
            high = float(spread.response[1])
        count = len(self.columns)
        return np.array([low, *[0.0] * count]), np.array([high, *[EXPONENT_LIMIT] * count])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        low, high = spread.response[0] - 4.0, spread.response[1] + 1.0
        if not self.columns:
            high = spread.response[0]
        amplitude = rng.uniform(low, high, count)
        return np.column_stack([amplitude, rng.uniform(0.05, 1.5, (count, len(self.columns)))])


@dataclass(frozen=True)
class PoweredSum:
    """(sum_i c_i prod_j x_j^(-e_ij))^kappa, the term of Kaplan's and of the shifted law.

    Internally kappa, then per summand the log of c_i and its free exponents; an exponent fixed at 1 is an offset.
    ``style`` says how the public parameters are written: "kaplan" (N_c, alpha_N, D_c, alpha_D) or "shifted"
    (beta, c, gamma of beta (1/x + gamma)^c).
    Starts: kappa uniform in [0.05, 1.5], ratio of exponents in [0.3, 3], both summands within e^3 of each other.
    """

    style: str

    @property
    def names(self) -> tuple[str, ...]:
        """Public parameters, as the papers name them."""
        return ("N_c", "alpha_N", "D_c", "alpha_D") if self.style == "kaplan" else ("beta", "c", "gamma")

    def _summands(self, theta: Floats, logs: Floats) -> tuple[list[Floats], list[Floats]]:
        """Log of each summand [B, n] and its gradient to the coordinates after kappa [n, q - 1]."""
        ones, zero = np.ones(len(logs)), np.zeros(len(logs))
        if self.style == "kaplan":
            n, d = logs[:, 0], logs[:, 1]
            features = [np.column_stack([ones, -n, zero]), np.column_stack([zero, zero, ones])]
            offsets = [zero, -d]
        else:
            features = [np.column_stack([ones, zero]), np.column_stack([zero, ones])]
            offsets = [-logs[:, 0], zero]
        values = [offset + theta[:, 1:] @ feature.T for offset, feature in zip(offsets, features, strict=True)]
        return values, features

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        (first, second), features = self._summands(theta, logs)
        total = np.logaddexp(first, second)
        shares = [np.exp(first - total), np.exp(second - total)]
        inner = sum(share[..., None] * feature for share, feature in zip(shares, features, strict=True))
        kappa = theta[:, :1, None]
        gradient = np.concatenate([total[..., None], kappa * inner], axis=2)
        outer = sum(
            share[..., None, None] * (feature[:, :, None] * feature[:, None, :])
            for share, feature in zip(shares, features, strict=True)
        )
        hessian = np.zeros((*gradient.shape, gradient.shape[2]))
        hessian[..., 1:, 1:] = kappa[..., None] * (outer - inner[..., :, None] * inner[..., None, :])
        hessian[..., 0, 1:] = inner
        hessian[..., 1:, 0] = inner
        return Curve(theta[:, :1] * total, gradient, hessian)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """The same term about another centre."""
        moved = theta.copy()
        if self.style == "kaplan":
            moved[:, 1] -= theta[:, 2] * shift[0]
            moved[:, 3] -= shift[1]
        else:
            moved[:, 1] -= shift[0]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """Public parameters of coordinates centred at 0."""
        if self.style == "kaplan":
            kappa, nc, ratio, dc = theta.T
            with np.errstate(divide="ignore", over="ignore"):
                return np.column_stack([np.exp(nc / ratio), ratio * kappa, np.exp(dc), kappa])
        kappa, scale, shift = theta.T
        return np.column_stack([np.exp(kappa * scale), kappa, np.exp(shift - scale)])

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        with np.errstate(divide="ignore"):
            if self.style == "kaplan":
                nc, alpha_n, dc, alpha_d = public.T
                ratio = alpha_n / alpha_d
                return np.column_stack([alpha_d, ratio * np.log(nc), ratio, np.log(dc)])
            beta, c, gamma = public.T
            scale = np.log(beta) / c
            return np.column_stack([c, scale, scale + np.log(gamma)])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Kappa in [0.001, EXPONENT_LIMIT]: at 0 the term is constant and its scale undefined."""
        reach = 4.0 + 30.0 * np.abs(spread.response).max()
        if self.style == "kaplan":
            return np.array([1e-3, -reach, 1e-3, -reach]), np.array([EXPONENT_LIMIT, reach, 30.0, reach])
        return np.array([1e-3, -reach, -reach]), np.array([EXPONENT_LIMIT, reach, reach])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above, with the level of the responses."""
        kappa = rng.uniform(0.05, 1.5, count)
        level = rng.uniform(*spread.response, count) / kappa
        gap = rng.uniform(-3.0, 3.0, count)
        if self.style == "kaplan":
            return np.column_stack([kappa, level + gap, np.exp(rng.uniform(-1.2, 1.2, count)), level])
        return np.column_stack([kappa, level, level + gap])


@dataclass(frozen=True)
class BrokenPower:
    """b x^(-c0) prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i): a power with smooth breaks at d_i.

    Caballero et al. 2023, "Broken Neural Scaling Laws", equation 1. Internally log b, c0, then c_i, log d_i, log f_i.
    Starts: c0 in [0.02, 1], c_i in [-0.5, 1], breaks inside the range of x, f_i in [0.1, 1.6].
    """

    breaks: int

    @property
    def names(self) -> tuple[str, ...]:
        """b, c0 and per break c, d, f."""
        inner = (f"{letter}{index}" for index in range(1, self.breaks + 1) for letter in "cdf")
        return ("b", "c0", *inner)

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        x = logs[:, 0]
        count, size = theta.shape
        value = theta[:, :1] - theta[:, 1:2] * x
        gradient = np.zeros((count, len(x), size))
        hessian = np.zeros((count, len(x), size, size))
        gradient[..., 0] = 1.0
        gradient[..., 1] = -x
        for start in range(2, size, 3):
            c, d, width = theta[:, start, None], theta[:, start + 1, None], np.exp(theta[:, start + 2, None])
            z = (x - d) / width
            bend, slope = softplus(z), logistic(z)
            curvature = slope * (1.0 - slope)
            value = value - c * width * bend
            # h = f softplus(z), z = (x - d) / f, to (log d, log f): h_d = -s, h_f = f (bend - z s)
            h_f = width * (bend - z * slope)
            h_dd, h_df, h_ff = curvature / width, z * curvature, h_f + width * z * z * curvature
            gradient[..., start] = -width * bend
            gradient[..., start + 1] = c * slope
            gradient[..., start + 2] = -c * h_f
            for row, column, entry in (
                (0, 1, slope),
                (0, 2, -h_f),
                (1, 1, -c * h_dd),
                (1, 2, -c * h_df),
                (2, 2, -c * h_ff),
            ):
                hessian[..., start + row, start + column] = entry
                hessian[..., start + column, start + row] = entry
        return Curve(value, gradient, hessian)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """The same term about another centre."""
        moved = theta.copy()
        moved[:, 0] -= theta[:, 1] * shift[0]
        moved[:, 3::3] -= shift[0]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """Public parameters: exponentials of log b, log d_i, log f_i."""
        public = theta.copy()
        for column in (0, *range(3, theta.shape[1], 3), *range(4, theta.shape[1], 3)):
            public[:, column] = np.exp(theta[:, column])
        return public

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        theta = public.copy()
        for column in (0, *range(3, public.shape[1], 3), *range(4, public.shape[1], 3)):
            theta[:, column] = np.log(public[:, column])
        return theta

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Breaks inside the range of x: outside it they cannot be told from no break."""
        low, high = amplitude_bounds(spread)
        left, right = spread.logs[0]
        lower = [low, -0.5] + [-2.0, left, np.log(0.05)] * self.breaks
        upper = [high, EXPONENT_LIMIT] + [2.0, right, np.log(5.0)] * self.breaks
        return np.array(lower), np.array(upper)

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above; breaks in order."""
        columns = [rng.uniform(*spread.response, count), rng.uniform(0.02, 1.0, count)]
        places = np.sort(rng.uniform(*spread.logs[0], (count, self.breaks)), axis=1)
        for index in range(self.breaks):
            columns += [rng.uniform(-0.5, 1.0, count), places[:, index], rng.uniform(np.log(0.1), 0.5, count)]
        return np.column_stack(columns)


@dataclass(frozen=True)
class Exponential:
    """A exp(-x / tau), a rival without a power: internally log A and log(1 / tau).

    Starts: A within e^2 of the responses, tau from the smallest to the largest x.
    """

    names: tuple[str, ...] = ("A", "tau")

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        decay = np.exp(np.minimum(theta[:, 1:] + logs[:, 0], 50.0))
        hessian = np.zeros((*decay.shape, 2, 2))
        hessian[..., 1, 1] = -decay
        return Curve(theta[:, :1] - decay, np.stack([np.ones_like(decay), -decay], axis=2), hessian)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """The same term about another centre."""
        return theta + np.array([0.0, shift[0]])

    def publish(self, theta: Floats) -> Floats:
        """A and tau."""
        return np.exp(theta * np.array([1.0, -1.0]))

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        return np.log(public) * np.array([1.0, -1.0])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Tau between a tenth of the smallest x and a thousand times the largest."""
        low, high = amplitude_bounds(spread)
        left, right = spread.logs[0]
        return np.array([low, -right - 7.0]), np.array([high, -left + 2.3])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        left, right = spread.logs[0]
        return np.column_stack(
            [rng.uniform(spread.response[0] - 2, spread.response[1] + 2, count), rng.uniform(-right, -left, count)]
        )


@dataclass(frozen=True)
class Logarithmic:
    """A - B log x, a rival that must end: where it is not positive its logarithm is NaN, which the solver refuses.

    Starts: lines through the range of the responses, falling by 20 to 100 % of it over the data.
    """

    names: tuple[str, ...] = ("A", "B")

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        x = logs[:, 0]
        value = theta[:, :1] - theta[:, 1:] * x
        value = np.where(value > 0, value, np.nan)
        gradient = np.stack([1.0 / value, -x / value], axis=2)
        return Curve(np.log(value), gradient, -gradient[..., :, None] * gradient[..., None, :])

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """The same term about another centre."""
        return np.column_stack([theta[:, 0] - theta[:, 1] * shift[0], theta[:, 1]])

    def publish(self, theta: Floats) -> Floats:
        """A and B as they are."""
        return theta

    def internal(self, public: Floats) -> Floats:
        """A and B as they are."""
        return public

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """B between 0 and ten times the steepest line through the data."""
        top = np.exp(spread.response[1])
        span = max(float(np.ptp(spread.logs[0])), 1e-9)
        return np.array([0.0, 0.0]), np.array([10.0 * top, 10.0 * top / span])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        low, high = np.exp(spread.response)
        left, right = spread.logs[0]
        fall = (high - low) * rng.uniform(0.2, 1.0, count)
        slope = fall / max(right - left, 1e-9)
        return np.column_stack([low + slope * right + (high - low - fall) * rng.uniform(0, 1, count) + 1e-9, slope])
