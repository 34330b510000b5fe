"""Terms in which variables share an exponent, or one changes that of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import EXPONENT_LIMIT, AffineTerm, Curve, Floats, Role, Spread, Term, amplitude_bounds


@dataclass(frozen=True)
class SharedExponent(Term):
    """Sum_j A_j / x_j^alpha: one exponent for all variables (tied exponents). Internally log A_j, then alpha.

    Starts: alpha uniform in [0.05, 1.5].
    """

    amplitudes: tuple[str, ...] = ("A", "B")
    exponent: str = "alpha"
    columns: tuple[int, ...] = (0, 1)
    separate = True

    @property
    def names(self) -> tuple[str, ...]:
        """The amplitudes, then the exponent."""
        return (*self.amplitudes, self.exponent)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Nothing is known of the amplitudes."""
        return (*(Role.OTHER for _ in self.amplitudes), Role.EXPONENT)

    @property
    def heads(self) -> tuple[int, ...]:
        """Coordinates that are logs of amplitudes."""
        return tuple(range(len(self.amplitudes)))

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Logs of the summands with amplitude 1."""
        return [-theta[:, -1:] * logs[:, column] for column in self.columns]

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        size = len(self.columns)
        values = np.stack(self.parts(theta, logs), axis=2) + theta[:, None, :size]
        value = np.logaddexp.reduce(values, axis=2)
        share = np.exp(values - value[..., None])
        places = -logs[:, list(self.columns)]
        gradient = np.concatenate([share, np.sum(share * places, axis=2)[..., None]], axis=2)
        second = np.zeros((*gradient.shape, size + 1))
        index = np.arange(size)
        second[..., index, index] = share
        second[..., index, size] = second[..., size, index] = share * places
        second[..., size, size] = np.sum(share * places**2, axis=2)
        return Curve(value, gradient, second - gradient[..., :, None] * gradient[..., None, :])

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        moved = theta.copy()
        moved[:, :-1] -= theta[:, -1:] * np.asarray(shift)[list(self.columns)]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """Amplitudes and the exponent."""
        return np.column_stack([np.exp(theta[:, :-1]), theta[:, -1]])

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        with np.errstate(divide="ignore"):
            return np.column_stack([np.log(public[:, :-1]), public[:, -1]])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """The exponent in [0, EXPONENT_LIMIT]."""
        low, high = amplitude_bounds(spread)
        size = len(self.columns)
        return np.array([*[low] * size, 0.0]), np.array([*[high] * size, EXPONENT_LIMIT])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        low, high = spread.response[0] - 4.0, spread.response[1] + 1.0
        return np.column_stack([rng.uniform(low, high, (count, len(self.columns))), rng.uniform(0.05, 1.5, count)])


@dataclass(frozen=True)
class DriftingPower(AffineTerm):
    """B / (N^gamma D^(beta + eta log N)): a power of D whose exponent changes with N, to first order in log N.

    Li et al. 2025, "Predictable Scale: Part II, Farseer", equation 1, whose exponent of D is exp(a N^b + c) and whose
    amplitude changes with N as well. Starts: beta uniform in [0.05, 1.5], gamma and eta near 0.
    """

    names: tuple[str, ...] = ("B", "gamma", "beta", "eta")
    columns: tuple[int, ...] = (0, 1)
    roles = (Role.OTHER, Role.SIDE_EXPONENT, Role.EXPONENT, Role.DRIFT)

    def features(self, logs: Floats) -> Floats:
        """Gradient of the term, which does not depend on theta: [n, q]."""
        n, d = logs[:, 0], logs[:, 1]
        return np.column_stack([np.ones(len(logs)), -n, -d, -n * d])

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre: the amplitude and the exponents move along eta."""
        b, gamma, beta, eta = theta.T
        n, d = shift[0], shift[1]
        return np.column_stack([b - gamma * n - beta * d - eta * n * d, gamma + eta * d, beta + eta * n, eta])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """At the centre beta in [0, EXPONENT_LIMIT], gamma in [-1, 1], eta in [-0.3, 0.3]."""
        low, high = amplitude_bounds(spread)
        return np.array([low, -1.0, 0.0, -0.3]), np.array([high, 1.0, EXPONENT_LIMIT, 0.3])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        amplitude = rng.uniform(spread.response[0] - 4.0, spread.response[1] + 1.0, count)
        near = rng.uniform(-0.05, 0.05, (count, 2))
        return np.column_stack([amplitude, near[:, 0], rng.uniform(0.05, 1.5, count), near[:, 1]])
