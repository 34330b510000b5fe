"""Terms that are powers, or powers of sums of powers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import EXPONENT_LIMIT, AffineTerm, Curve, Floats, Role, Spread, Term, amplitude_bounds

LEAST_KAPPA = 1e-3
"""Least power of a sum: at 0 the term is constant and its scale undefined (assumption: no law has so small an exponent)."""


@dataclass(frozen=True)
class Power(AffineTerm):
    """amplitude * prod_j x_j^(-exponent_j): affine in (log amplitude, exponents); without exponents, a floor.

    Starts: exponents uniform in [0.05, 1.5], amplitudes within a factor e^4 below to e^1 above the responses.
    """

    amplitude: str
    exponents: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()
    stacks = True

    @property
    def names(self) -> tuple[str, ...]:
        """The amplitude, then one exponent per variable."""
        return (self.amplitude, *self.exponents)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Nothing is known of the amplitude; an exponent is one of its variable alone, or of a product."""
        role = Role.EXPONENT if len(self.columns) == 1 else Role.PRODUCT_EXPONENT
        return (Role.OTHER, *(role for _ in self.columns))

    def features(self, logs: Floats) -> Floats:
        """Gradient of the term, which does not depend on theta: [n, q], or [B, n, q] for one table per candidate."""
        return np.stack([np.ones(logs.shape[:-1]), *(-logs[..., column] for column in self.columns)], axis=-1)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same power about another centre: the log amplitude moves along its exponents."""
        moved = theta.copy()
        for position, column in enumerate(self.columns, start=1):
            moved[:, 0] -= theta[:, position] * shift[column]
        return moved

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


class PoweredSum(Term):
    """(c_1 ... + c_2 ...)^kappa: a power of a sum of two powers. Subclasses say which.

    Coordinates: kappa, then those of the two summands, whose logs are linear in them. An exponent that is fixed at 1 is an
    offset of its summand.
    """

    def summands(self, theta: Floats, logs: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Log of each summand [B, n], and its gradient [n, q - 1] in the coordinates after kappa.

        Raises:
            NotImplementedError: here; a subclass defines it.
        """
        raise NotImplementedError

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        (first, first_features), (second, second_features) = self.summands(theta, logs)
        total = np.logaddexp(first, second)
        pairs = ((np.exp(first - total), first_features), (np.exp(second - total), second_features))
        inner = sum((share[..., None] * features for share, features in pairs), start=np.zeros(()))
        kappa = theta[:, :1, None]
        gradient = np.concatenate([total[..., None], kappa * inner], axis=2)
        outer = sum(
            (share[..., None, None] * (features[:, :, None] * features[:, None, :]) for share, features in pairs),
            start=np.zeros(()),
        )
        hessian = np.zeros((*gradient.shape, gradient.shape[2]))
        hessian[..., 1:, 1:] = kappa[..., None] * (outer - inner[..., :, None] * inner[..., None, :])
        hessian[..., 0, 1:] = inner
        hessian[..., 1:, 0] = inner
        return Curve(theta[:, :1] * total, gradient, hessian)

    @staticmethod
    def reach(spread: Spread) -> float:
        """Largest absolute value of a summand's log: kappa may be small, and the term is kappa times it."""
        return 4.0 + 30.0 * float(np.abs(spread.response).max())

    @staticmethod
    def drawn(spread: Spread, rng: np.random.Generator, count: int) -> tuple[Floats, Floats, Floats]:
        """Random kappa, log of a summand at the level of the responses, and the other summand's distance from it, [count] each.

        Kappa is uniform in [0.05, 1.5]; the summands lie within e^3 of each other.
        """
        kappa = rng.uniform(0.05, 1.5, count)
        level = rng.uniform(spread.response[0], spread.response[1], count) / kappa
        return kappa, level, rng.uniform(-3.0, 3.0, count)


@dataclass(frozen=True)
class KaplanSum(PoweredSum):
    """[(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D (Kaplan et al. 2020, equation 1.5).

    Coordinates: kappa = alpha_D, the log of N's summand at the centre, the ratio alpha_N / alpha_D, the log of D_c.
    Starts: as ``PoweredSum.drawn``, the ratio of exponents in [0.3, 3.3].
    """

    names: tuple[str, ...] = ("N_c", "alpha_N", "D_c", "alpha_D")
    columns: tuple[int, ...] = (0, 1)
    data_scale: Role = Role.OTHER

    @property
    def roles(self) -> tuple[Role, ...]:
        """Of the coordinates only log D_c may have one."""
        return (Role.OTHER, Role.OTHER, Role.OTHER, self.data_scale)

    def summands(self, theta: Floats, logs: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """The summand of N and that of D."""
        ones, zeros = np.ones(len(logs)), np.zeros(len(logs))
        n, d = logs[:, 0], logs[:, 1]
        of_n, of_d = np.column_stack([ones, -n, zeros]), np.column_stack([zeros, zeros, ones])
        return (theta[:, 1:] @ of_n.T, of_n), (-d + theta[:, 1:] @ of_d.T, of_d)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        moved = theta.copy()
        moved[:, 1] -= theta[:, 2] * shift[0]
        moved[:, 3] -= shift[1]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """N_c, alpha_N, D_c, alpha_D."""
        kappa, nc, ratio, dc = theta.T
        with np.errstate(divide="ignore", over="ignore"):
            return np.column_stack([np.exp(nc / ratio), ratio * kappa, np.exp(dc), kappa])

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        nc, alpha_n, dc, alpha_d = public.T
        ratio = alpha_n / alpha_d
        with np.errstate(divide="ignore"):
            return np.column_stack([alpha_d, ratio * np.log(nc), ratio, np.log(dc)])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Kappa in [0.001, EXPONENT_LIMIT]: at 0 the term is constant and its scale undefined."""
        reach = self.reach(spread)
        return np.array([LEAST_KAPPA, -reach, 1e-3, -reach]), np.array([EXPONENT_LIMIT, reach, 30.0, reach])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        kappa, level, gap = self.drawn(spread, rng, count)
        return np.column_stack([kappa, level + gap, np.exp(rng.uniform(-1.2, 1.2, count)), level])


@dataclass(frozen=True)
class ShiftedPower(PoweredSum):
    """beta (1 / x + gamma)^c (Alabdulmohsin et al. 2022, M3). Coordinates: kappa = c, then the logs of the two summands.

    Starts: as ``PoweredSum.drawn``.
    """

    names: tuple[str, ...] = ("beta", "c", "gamma")

    def summands(self, theta: Floats, logs: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """The summand of x and the constant one."""
        ones, zeros = np.ones(len(logs)), np.zeros(len(logs))
        of_x, constant = np.column_stack([ones, zeros]), np.column_stack([zeros, ones])
        return (-logs[:, 0] + theta[:, 1:] @ of_x.T, of_x), (theta[:, 1:] @ constant.T, constant)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        moved = theta.copy()
        moved[:, 1] -= shift[0]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """beta, c, gamma."""
        kappa, scale, offset = theta.T
        return np.column_stack([np.exp(kappa * scale), kappa, np.exp(offset - scale)])

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        beta, c, gamma = public.T
        with np.errstate(divide="ignore"):
            scale = np.log(beta) / c
            return np.column_stack([c, scale, scale + np.log(gamma)])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Kappa in [0.001, EXPONENT_LIMIT]: at 0 the term is constant and its scale undefined."""
        reach = self.reach(spread)
        return np.array([LEAST_KAPPA, -reach, -reach]), np.array([EXPONENT_LIMIT, reach, reach])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        kappa, level, gap = self.drawn(spread, rng, count)
        return np.column_stack([kappa, level, level + gap])
