"""The term of M4: a power law at large x that bends towards a ceiling of its own at small x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import EXPONENT_LIMIT, Curve, Floats, Spread, Term, logistic, softplus

NEWTON_STEPS = 60
"""Most steps to the root (assumption): bisection alone halves the bracket as often."""
TINY = 1e-100
"""Keeps 0 / 0 finite where a = 0 and u rounds to 1."""


@dataclass(frozen=True)
class Saturating(Term):
    """W u(x), where u in (0, 1) solves W^(1 - a) u / (1 - u)^a = B / x^c.

    Alabdulmohsin et al. 2022, "Revisiting Neural Scaling Laws in Language and Vision", M4:
    (y - E) / (eps_0 - y)^a = B / x^c with y = E + W u and W = eps_0 - E. Internally log W, a, log B, c; with
    v = logit u, G(v) = (1 - a) log W - softplus(-v) + a softplus(v) - (log B - c log x) = 0 rises in v.
    Starts: W within a factor e^0.5 of the largest response, a in [0, 2], c in [0.05, 1.5].
    """

    names: tuple[str, ...] = ("W", "a", "B", "c")
    columns: tuple[int, ...] = (0,)

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives, by the implicit function theorem."""
        x = logs[:, 0]
        log_w, a = theta[:, :1], theta[:, 1:2]
        level = theta[:, 2:3] - theta[:, 3:4] * x - (1.0 - a) * log_w
        v = _solve(level, a)
        up, down = logistic(v), logistic(-v)
        # Derivatives of G in v, and of G in (log W, a, log B, c) at fixed v.
        slope, bend = down + a * up + TINY, (a - 1.0) * up * down
        ones = np.ones_like(v)
        partial = np.stack([(1.0 - a) * ones, softplus(v) - log_w, -ones, x * ones], axis=2)
        first = -partial / slope[..., None]
        mixed = np.zeros((*v.shape, 4, 4))
        mixed[..., 0, 1] = mixed[..., 1, 0] = -1.0
        # G_v depends on a only, with derivative u.
        cross = np.zeros_like(first)
        cross[..., 1] = up
        mixed += cross[..., :, None] * first[..., None, :] + first[..., :, None] * cross[..., None, :]
        outer = first[..., :, None] * first[..., None, :]
        second = -(mixed + bend[..., None, None] * outer) / slope[..., None, None]
        gradient = down[..., None] * first
        gradient[..., 0] += 1.0
        hessian = down[..., None, None] * second - (up * down)[..., None, None] * outer
        return Curve(log_w - softplus(-v), gradient, hessian)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        moved = theta.copy()
        moved[:, 2] -= theta[:, 3] * shift[0]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """W, a, B, c."""
        return np.column_stack([np.exp(theta[:, 0]), theta[:, 1], np.exp(theta[:, 2]), theta[:, 3]])

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        return np.column_stack([np.log(public[:, 0]), public[:, 1], np.log(public[:, 2]), public[:, 3]])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """The ceiling at most e times the largest response; a in [0, 5]."""
        low, high = (float(end) for end in spread.response)
        return np.array([low - 2.0, 0.0, low - 20.0, 0.0]), np.array([high + 1.0, 5.0, high + 20.0, EXPONENT_LIMIT])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        low, high = (float(end) for end in spread.response)
        return np.column_stack(
            [
                rng.uniform(high - 0.5, high + 0.5, count),
                rng.uniform(0.0, 2.0, count),
                rng.uniform(low - 1.0, high + 1.0, count),
                rng.uniform(0.05, 1.5, count),
            ]
        )


def _solve(level: Floats, a: Floats) -> Floats:
    """Root v of a softplus(v) - softplus(-v) = level: Newton's method from the asymptote, kept inside brackets by bisection."""
    a = np.broadcast_to(a, level.shape)
    low = np.minimum(level, 0.0) - 2.0 - np.maximum(a, 1.0) * 2.0
    high = np.maximum(level, 0.0) / np.maximum(a, 1e-3) + 40.0
    v = np.where(level < 0, level, np.minimum(level / np.maximum(a, 0.1), high))
    for _ in range(NEWTON_STEPS):
        value = a * softplus(v) - softplus(-v) - level
        low, high = np.where(value < 0, v, low), np.where(value < 0, high, v)
        step = v - value / (logistic(-v) + a * logistic(v) + TINY)
        new = np.where((step > low) & (step < high), step, 0.5 * (low + high))
        if np.nanmax(np.abs(new - v) / (1.0 + np.abs(v))) < 1e-14:
            return new
        v = new
    return v
