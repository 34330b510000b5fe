"""Terms that are no power at large x: rivals that a power law has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import Curve, Floats, Spread, Term, amplitude_bounds


@dataclass(frozen=True)
class Exponential(Term):
    """A exp(-x / tau), a rival without a power: internally log A and log(1 / tau).

    Starts: A within e^2 of the responses, tau from the smallest to the largest x.
    """

    names: tuple[str, ...] = ("A", "tau")
    column: int = 0

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        decay = np.exp(np.minimum(theta[:, 1:] + logs[:, self.column], 50.0))
        hessian = np.zeros((*decay.shape, 2, 2))
        hessian[..., 1, 1] = -decay
        return Curve(theta[:, :1] - decay, np.stack([np.ones_like(decay), -decay], axis=2), hessian)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        return theta + np.array([0.0, shift[self.column]])

    def publish(self, theta: Floats) -> Floats:
        """A and tau."""
        return np.exp(theta * np.array([1.0, -1.0]))

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        return np.log(public) * np.array([1.0, -1.0])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Tau between a tenth of the smallest x and a thousand times the largest."""
        low, high = amplitude_bounds(spread)
        left, right = spread.logs[self.column]
        return np.array([low, -right - 7.0]), np.array([high, -left + 2.3])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        left, right = spread.logs[self.column]
        return np.column_stack(
            [rng.uniform(spread.response[0] - 2, spread.response[1] + 2, count), rng.uniform(-right, -left, count)]
        )


@dataclass(frozen=True)
class Logarithmic(Term):
    """A - B log x (- C log z), a rival. Where it is not positive its logarithm is NaN, which the solver refuses.

    Starts: planes through the range of the responses, falling by 20 to 100 % of it over the data.
    """

    names: tuple[str, ...] = ("A", "B")
    columns: tuple[int, ...] = (0,)

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        features = np.column_stack([np.ones(len(logs)), -logs[:, self.columns]])
        value = theta @ features.T
        value = np.where(value > 0, value, np.nan)
        gradient = features / value[..., None]
        return Curve(np.log(value), gradient, -gradient[..., :, None] * gradient[..., None, :])

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        return np.column_stack([theta[:, 0] - theta[:, 1:] @ shift[list(self.columns)], theta[:, 1:]])

    def publish(self, theta: Floats) -> Floats:
        """The parameters as they are."""
        return theta

    def internal(self, public: Floats) -> Floats:
        """The parameters as they are."""
        return public

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Slopes between 0 and ten times the steepest line through the data."""
        top = np.exp(spread.response[1])
        spans = np.maximum(np.ptp(spread.logs[list(self.columns)], axis=1), 1e-9)
        return np.zeros(len(self.names)), np.array([10.0 * top, *(10.0 * top / spans)])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        low, high = np.exp(spread.response)
        logs = spread.logs[list(self.columns)]
        falls = (high - low) * rng.uniform(0.2, 1.0, (count, len(logs))) / len(logs)
        slopes = falls / np.maximum(np.ptp(logs, axis=1), 1e-9)
        top = low + slopes @ logs[:, 1]
        return np.column_stack([top + (high - low - falls.sum(axis=1)) * rng.uniform(0, 1, count) + 1e-9, slopes])
