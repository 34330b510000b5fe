"""Laws of runs that were trained at several learning rates (or batch sizes): the best one moves with N and D.

Close to the best rate the loss is a parabola in the log of the rate. Its place is a power of N and D, as DeepSeek-AI 2024
("DeepSeek LLM", section 3.1) and Li et al. 2025 ("Predictable Scale: Part I, Step Law", equation 1) fit it, both for learning
rates and batch sizes. That a poor rate multiplies what could still be learnt, and not the floor, is an assumption.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from scaling.laws.forms.law import Law
from scaling.laws.forms.powers import KaplanSum, Power
from scaling.laws.forms.shared import SharedExponent
from scaling.laws.forms.terms import EXPONENT_LIMIT, Curve, Floats, Role, Spread, Term, amplitude_bounds

BENDS: Final = (1e-4, 10.0)
"""Range of kappa (assumption): at the upper end a rate that is off by a third doubles what could be learnt, at the lower end a
factor of 100 costs nothing."""
FURTHEST: Final = float(np.log(1e3))
"""Distance of the best rate at the centre of the table from the middle of its rates, in log units (assumption)."""
STEEPEST: Final = 2.0
"""Largest exponent of the best rate in N or D (assumption: published ones lie between -0.71 and 0.57)."""


@dataclass(frozen=True)
class PowerPair(Term):
    """A / N^alpha + B / D^beta as one term. Coordinates: log A, alpha, log B, beta.

    Starts: exponents uniform in [0.05, 1.5].
    """

    names = ("A", "alpha", "B", "beta")
    columns = (0, 1)
    separate = True
    heads = (0, 2)
    roles = (Role.OTHER, Role.EXPONENT, Role.OTHER, Role.EXPONENT)

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Logs of the summands with amplitude 1."""
        return [-theta[:, 1:2] * logs[:, 0], -theta[:, 3:4] * logs[:, 1]]

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives."""
        of_n, of_d = self.parts(theta, logs)
        of_n, of_d = theta[:, :1] + of_n, theta[:, 2:3] + of_d
        value = np.logaddexp(of_n, of_d)
        share, ones = np.exp(of_n - value), np.ones_like(value)
        n, d = logs[:, 0] * ones, logs[:, 1] * ones
        gradient = np.stack([share, -share * n, 1.0 - share, -(1.0 - share) * d], axis=2)
        contrast = np.stack([ones, -n, -ones, d], axis=2)
        between = (share * (1.0 - share))[..., None, None]
        return Curve(value, gradient, between * contrast[..., :, None] * contrast[..., None, :])

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        moved = theta.copy()
        moved[:, [0, 2]] -= theta[:, [1, 3]] * shift[:2]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """Amplitudes and exponents."""
        return _exponentiated(theta, [0, 2])

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        return _logged(public, [0, 2])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Exponents in [0, EXPONENT_LIMIT]."""
        low, high = amplitude_bounds(spread)
        return np.array([low, 0.0, low, 0.0]), np.array([high, EXPONENT_LIMIT, high, EXPONENT_LIMIT])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        amplitudes = rng.uniform(spread.response[0] - 4.0, spread.response[1] + 1.0, (count, 2))
        exponents = rng.uniform(0.05, 1.5, (count, 2))
        return np.stack([amplitudes[:, 0], exponents[:, 0], amplitudes[:, 1], exponents[:, 1]], axis=1)


@dataclass(frozen=True)
class Rated(Term):
    """A term of N and D times exp(kappa log^2(rate / best)), best = rho N^mu D^nu.

    Coordinates: those of the term, then log kappa, the log of the best rate at the centre, mu, nu.
    Starts: kappa between 0.01 and 0.3, the best rate within a factor of e of the middle, mu and nu within 0.3 of 0.
    """

    inner: Term
    columns = (0, 1, 2)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the term, then those of the rate."""
        return (*self.inner.names, "kappa", "rho", "mu", "nu")

    @property
    def roles(self) -> tuple[Role, ...]:
        """Those of the term; of the rate's, something is known of the exponents only."""
        return (*self.inner.roles, Role.OTHER, Role.OTHER, Role.BEST_RATE_EXPONENT, Role.BEST_RATE_EXPONENT)

    @property
    def heads(self) -> tuple[int, ...]:
        """Those of the term."""
        return self.inner.heads

    @property
    def separate(self) -> bool:
        """Whether the term's parameters are."""
        return self.inner.separate

    def _off(self, theta: Floats, logs: Floats) -> Floats:
        """Log of the rate over the best one, [B, n]."""
        return logs[:, 2] - theta[:, -3:-2] - theta[:, -2:] @ logs[:, :2].T

    def parts(self, theta: Floats, logs: Floats) -> list[Floats]:
        """Logs of the term's summands with amplitude 1."""
        cost = np.exp(theta[:, -4:-3]) * self._off(theta, logs) ** 2
        return [part + cost for part in self.inner.parts(theta[:, :-4], logs[:, :2])]

    def evaluate(self, theta: Floats, logs: Floats) -> Curve:
        """Logarithm of the term and its derivatives: those of the inner term and of the rate's parabola do not mix."""
        inner = self.inner.evaluate(theta[:, :-4], logs[:, :2])
        kappa, off = np.exp(theta[:, -4:-3]), self._off(theta, logs)
        ones = np.ones_like(off)
        place = np.stack([ones, logs[:, 0] * ones, logs[:, 1] * ones], axis=2)
        slope = np.concatenate([(kappa * off**2)[..., None], -2.0 * (kappa * off)[..., None] * place], axis=2)
        gradient = np.concatenate([inner.gradient, slope], axis=2)
        hessian = np.zeros((*gradient.shape, gradient.shape[2]))
        if inner.hessian is not None:
            hessian[..., :-4, :-4] = inner.hessian
        hessian[..., -4, -4:] = hessian[..., -4:, -4] = slope
        hessian[..., -3:, -3:] = 2.0 * kappa[..., None, None] * place[..., :, None] * place[..., None, :]
        return Curve(inner.value + kappa * off**2, gradient, hessian)

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Coordinates of the same term about another centre."""
        moved = np.concatenate([self.inner.shifted(theta[:, :-4], shift[:2]), theta[:, -4:]], axis=1)
        moved[:, -3] += theta[:, -2:] @ shift[:2] - shift[2]
        return moved

    def publish(self, theta: Floats) -> Floats:
        """Parameters of the term, then kappa, rho, mu, nu."""
        return np.concatenate([self.inner.publish(theta[:, :-4]), _exponentiated(theta[:, -4:], [0, 1])], axis=1)

    def internal(self, public: Floats) -> Floats:
        """Inverse of ``publish``."""
        return np.concatenate([self.inner.internal(public[:, :-4]), _logged(public[:, -4:], [0, 1])], axis=1)

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Those of the term; kappa in BENDS, the best rate and its exponents within their limits."""
        low, high = self.inner.bounds(spread)
        return (
            np.append(low, [np.log(BENDS[0]), -FURTHEST, -STEEPEST, -STEEPEST]),
            np.append(high, [np.log(BENDS[1]), FURTHEST, STEEPEST, STEEPEST]),
        )

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random coordinates over the range stated above."""
        bend, best = rng.uniform(np.log(0.01), np.log(0.3), count), rng.uniform(-1.0, 1.0, count)
        return np.column_stack([self.inner.starts(spread, rng, count), bend, best, rng.uniform(-0.3, 0.3, (count, 2))])


def _exponentiated(theta: Floats, columns: list[int]) -> Floats:
    public = theta.copy()
    with np.errstate(over="ignore"):
        public[:, columns] = np.exp(theta[:, columns])
    return public


def _logged(public: Floats, columns: list[int]) -> Floats:
    theta = public.copy()
    with np.errstate(divide="ignore"):
        theta[:, columns] = np.log(public[:, columns])
    return theta


def _law(name: str, inner: Term, formula: str, source: str) -> Law:
    cost = " exp(kappa log^2(rate / best)), best = rho N^mu D^nu"
    reference = f"{source}, with the best rate of Li et al. 2025, Step Law, equation 1"
    return Law(name, f"L = E + {formula}{cost}", reference, ("N", "D", "rate"), (Power("E"), Rated(inner)))


def rated() -> Law:
    """Chinchilla's form whose powers cost more where the rate is not the best one for N and D."""
    return _law("rated", PowerPair(), "(A / N^alpha + B / D^beta)", "Hoffmann et al. 2022, equation 2")


def rated_tied() -> Law:
    """The same with one exponent for N and D."""
    return _law("rated-tied", SharedExponent(), "(A / N^alpha + B / D^alpha)", "Chinchilla's form with beta = alpha")


def rated_kaplan() -> Law:
    """The same for Kaplan's form with a floor."""
    inner = KaplanSum(data_scale=Role.LOG_DATA_SCALE)
    formula = "[(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D"
    return _law("rated-kaplan", inner, formula, "Kaplan et al. 2020, equation 1.5, with a floor")


laws: Final[dict[str, Callable[[], Law]]] = {"rated": rated, "rated-tied": rated_tied, "rated-kaplan": rated_kaplan}
