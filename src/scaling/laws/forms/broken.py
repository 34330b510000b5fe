"""The broken power: slopes that change at some x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import EXPONENT_LIMIT, Curve, Floats, Spread, Term, amplitude_bounds, logistic, softplus


@dataclass(frozen=True)
class BrokenPower(Term):
    """b x^(-c0) prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i): a power with smooth breaks at d_i.

    Caballero et al. 2023, "Broken Neural Scaling Laws", equation 1. Internally log b, c0, then c_i, log d_i, log f_i.
    Starts: c0 in [0.02, 1], c_i in [-0.5, 1], breaks inside the range of x, f_i in [0.1, 1.6].
    """

    breaks: int

    @property
    def names(self) -> tuple[str, ...]:
        """b and c0; then c, d and f of each break."""
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
        """Coordinates of the same term about another centre."""
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
        """Breaks lie inside the range of x: outside it they could not be distinguished from no break."""
        low, high = amplitude_bounds(spread)
        left, right = spread.logs[0]
        lower = [low, -0.5] + [-2.0, left, np.log(0.05)] * self.breaks
        upper = [high, EXPONENT_LIMIT] + [2.0, right, np.log(5.0)] * self.breaks
        return np.array(lower), np.array(upper)

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above; breaks in order."""
        columns = [rng.uniform(spread.response[0], spread.response[1], count), rng.uniform(0.02, 1.0, count)]
        left, right = spread.logs[0]
        places = np.sort(rng.uniform(left, right, (count, self.breaks)), axis=1)
        for index in range(self.breaks):
            columns += [rng.uniform(-0.5, 1.0, count), places[:, index], rng.uniform(np.log(0.1), 0.5, count)]
        return np.column_stack(columns)
