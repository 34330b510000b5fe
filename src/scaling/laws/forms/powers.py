"""Terms that are powers, or powers of sums of powers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import EXPONENT_LIMIT, Curve, Floats, Spread, TermKind, amplitude_bounds


@dataclass(frozen=True)
class Power(TermKind):
    """amplitude * prod_j x_j^(-exponent_j): affine in (log amplitude, exponents); without exponents, a floor.

    Starts: exponents uniform in [0.05, 1.5], amplitudes within a factor e^4 below to e^1 above the responses.
    """

    amplitude: str
    exponents: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()
    affine = True
    separate = True
    heads = (0,)
    stacks = True

    @property
    def names(self) -> tuple[str, ...]:
        """The amplitude, then one exponent a variable."""
        return (self.amplitude, *self.exponents)

    def features(self, logs: Floats) -> Floats:
        """Gradient of the term, which does not depend on theta: [n, q], or [B, n, q] for one table a candidate."""
        return np.stack([np.ones(logs.shape[:-1]), *(-logs[..., column] for column in self.columns)], axis=-1)

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Log of the power with amplitude 1."""
        return [theta[:, 1:] @ self.features(logs)[:, 1:].T]

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        features = self.features(logs)
        if logs.ndim > 2:
            return Curve(np.matmul(features, theta[..., None])[..., 0], features, None)
        value = theta @ features.T
        return Curve(value, np.broadcast_to(features, (*value.shape, features.shape[1])), None, common=True)

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
class PoweredSum(TermKind):
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
        inner = shares[0][..., None] * features[0] + shares[1][..., None] * features[1]
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
        level = rng.uniform(spread.response[0], spread.response[1], count) / kappa
        gap = rng.uniform(-3.0, 3.0, count)
        if self.style == "kaplan":
            return np.column_stack([kappa, level + gap, np.exp(rng.uniform(-1.2, 1.2, count)), level])
        return np.column_stack([kappa, level, level + gap])
