"""The laws: each a small object that knows its formula, parameters, bounds, derivatives and reference.

log f = link(logsumexp(terms)). The link keeps a bounded response below its ceiling; without one, f is the plain sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from scaling.laws.broken import BrokenPower
from scaling.laws.powers import Power, PoweredSum
from scaling.laws.rivals import Exponential, Logarithmic
from scaling.laws.saturating import Saturating
from scaling.laws.terms import Floats, Spread, Term, logistic, softplus


@dataclass(frozen=True)
class Ceiling:
    """f = g / (1 + (g / ceiling)^sharpness)^(1 / sharpness): g where it is small, the ceiling where g is large.

    Sharpness 2 is Rosenfeld et al. 2020 (ICLR), "A Constructive Prediction of the Generalization Error Across Scales",
    equation 5, whose eta is the scale of g and so not a parameter of its own. Sharpness 1 makes the odds f / (ceiling - f)
    equal g / ceiling, a sum of powers.
    """

    ceiling: float
    sharpness: float = 2.0

    def apply(self, s: Floats) -> tuple[Floats, Floats, Floats]:
        """Log f and its first and second derivative, given s = log g."""
        scaled = self.sharpness * (s - np.log(self.ceiling))
        share = logistic(scaled)
        return s - softplus(scaled) / self.sharpness, 1.0 - share, -self.sharpness * share * (1.0 - share)

    def invert(self, log_f: Floats) -> Floats:
        """Log g of a log response; responses at the ceiling or above count as 0.1 % below it."""
        share = np.minimum(self.sharpness * (log_f - np.log(self.ceiling)), np.log1p(-1e-3))
        return log_f - np.log(-np.expm1(share)) / self.sharpness


class Prediction(NamedTuple):
    """Log f [B, n], its gradient [B, n, p], and coefficients [B, n] -> sum_n coefficient Hessian of log f [B, p, p]."""

    value: Floats
    gradient: Floats
    contract: Callable[[Floats], Floats]


@dataclass(frozen=True)
class Law:
    """A law of named variables, as a sum of terms behind a link.

    Attributes:
        name: what the command line and the results call it.
        formula: for people.
        reference: paper and equation.
        variables: names of the arguments, in the order of the columns of ``logs``.
        terms: the summands.
        ceiling: the link of a bounded response, or None.
        levels: distinct values that each variable must take for the parameters to be told apart.
    """

    name: str
    formula: str
    reference: str
    variables: tuple[str, ...]
    terms: tuple[Term, ...]
    ceiling: Ceiling | None = None
    levels: int = 3

    @property
    def parameters(self) -> tuple[str, ...]:
        """Public names of the parameters, in the order of theta."""
        return tuple(name for term in self.terms for name in term.names)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each term's coordinates lie in theta."""
        edges = accumulate((len(term.names) for term in self.terms), initial=0)
        return tuple(slice(a, b) for a, b in pairwise(edges))

    def evaluate(self, theta: Floats, logs: Floats) -> Prediction:
        """Log prediction at theta [B, p] and centred logs [n, k], with exact derivatives."""
        curves = [term.evaluate(theta[:, at], logs) for term, at in zip(self.terms, self.slices, strict=True)]
        total = curves[0].value
        for curve in curves[1:]:
            total = np.logaddexp(total, curve.value)
        shares = [np.exp(curve.value - total) for curve in curves]
        inner = np.concatenate([s[..., None] * c.gradient for s, c in zip(shares, curves, strict=True)], axis=2)
        value, slope, bend = (total, None, None) if self.ceiling is None else self.ceiling.apply(total)
        gradient = inner if slope is None else slope[..., None] * inner

        def contract(coefficients: Floats) -> Floats:
            outer, linear = -coefficients, coefficients
            if slope is not None:
                outer, linear = coefficients * (bend - slope), coefficients * slope
            result = np.matmul((outer[..., None] * inner).transpose(0, 2, 1), inner)
            for share, curve, at in zip(shares, curves, self.slices, strict=True):
                weight = linear * share
                block = np.matmul((weight[..., None] * curve.gradient).transpose(0, 2, 1), curve.gradient)
                if curve.hessian is not None:
                    block = block + np.einsum("bn,bnij->bij", weight, curve.hessian)
                result[:, at, at] += block
            return result

        return Prediction(value, gradient, contract)

    def log_values(self, theta: Floats, logs: Floats) -> Floats:
        """Log prediction alone, [B, n]: what a line search asks for."""
        total = None
        for term, at in zip(self.terms, self.slices, strict=True):
            value = theta[:, at] @ term.features(logs).T if isinstance(term, Power) else term.evaluate(theta[:, at], logs).value
            total = value if total is None else np.logaddexp(total, value)
        return total if self.ceiling is None else self.ceiling.apply(total)[0]

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Theta in coordinates whose origin has moved by ``shift`` [k]."""
        return np.concatenate(
            [term.shifted(theta[:, at], shift) for term, at in zip(self.terms, self.slices, strict=True)], axis=1
        )

    def publish(self, theta: Floats, centre: Floats) -> Floats:
        """Public parameters [B, p] of theta in coordinates centred at ``centre``."""
        origin = self.shifted(theta, -centre)
        return np.concatenate([term.publish(origin[:, at]) for term, at in zip(self.terms, self.slices, strict=True)], axis=1)

    def internal(self, public: Floats, centre: Floats) -> Floats:
        """Inverse of ``publish``."""
        origin = np.concatenate(
            [term.internal(public[:, at]) for term, at in zip(self.terms, self.slices, strict=True)], axis=1
        )
        return self.shifted(origin, centre)

    def predict(self, parameters: Mapping[str, float], **variables: Floats) -> Floats:
        """Predicted response at public parameters and arrays of the law's variables (N and D, or x).

        Raises:
            ValueError: if a variable or a parameter is missing.
        """
        for name in (*self.variables, *self.parameters):
            if name not in variables and name not in parameters:
                raise ValueError(f"{self.name} needs {name}, got {', '.join((*variables, *parameters))}")
        arrays = np.broadcast_arrays(*(np.asarray(variables[name], float) for name in self.variables))
        logs = np.column_stack([np.log(array.ravel()) for array in arrays])
        public = np.array([[parameters[name] for name in self.parameters]], float)
        theta = self.internal(public, np.zeros(len(self.variables)))
        return np.exp(self.log_values(theta, logs))[0].reshape(arrays[0].shape)

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        """Limits of each coordinate of theta."""
        spread = self._unlinked(spread)
        pairs = [term.bounds(spread) for term in self.terms]
        return np.concatenate([low for low, _ in pairs]), np.concatenate([high for _, high in pairs])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        """Random theta [count, p] over the range that each term states."""
        spread = self._unlinked(spread)
        return np.concatenate([term.starts(spread, rng, count) for term in self.terms], axis=1)

    def _unlinked(self, spread: Spread) -> Spread:
        if self.ceiling is None:
            return spread
        return spread._replace(response=self.ceiling.invert(spread.response))


_N, _D = Power("A", ("alpha",), (0,)), Power("B", ("beta",), (1,))
_FLOOR = Power("E")
_BOUND = " behind g / (1 + (g / ceiling)^{0:g})^(1/{0:g})"


def chinchilla() -> Law:
    """L(N, D) = E + A / N^alpha + B / D^beta."""
    return Law(
        "chinchilla",
        "L = E + A / N^alpha + B / D^beta",
        "Hoffmann et al. 2022, equation 2",
        ("N", "D"),
        (_FLOOR, _N, _D),
    )


def interaction() -> Law:
    """Chinchilla's form and a term in which N and D act together."""
    return Law(
        "interaction",
        "L = E + A / N^alpha + B / D^beta + G / (N^gamma D^delta)",
        "Chinchilla's form with a product term (assumption)",
        ("N", "D"),
        (_FLOOR, _N, _D, Power("G", ("gamma", "delta"), (0, 1))),
        levels=4,
    )


def kaplan() -> Law:
    """L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D, without a floor."""
    return Law(
        "kaplan",
        "L = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D",
        "Kaplan et al. 2020, equation 1.5",
        ("N", "D"),
        (PoweredSum("kaplan"),),
        levels=2,
    )


def bounded(ceiling: float, sharpness: float = 2.0) -> Law:
    """Chinchilla's sum below a known ceiling: chance for an error rate, ln of the class count for a loss.

    Raises:
        ValueError: if the ceiling is not positive.
    """
    if not ceiling > 0:
        raise ValueError(f"ceiling is {ceiling}; it must be positive")
    return Law(
        "bounded",
        "g = E + A / N^alpha + B / D^beta" + _BOUND.format(sharpness) + f", ceiling {ceiling:.6g}",
        "Rosenfeld et al. 2020, equation 5",
        ("N", "D"),
        (_FLOOR, _N, _D),
        Ceiling(ceiling, sharpness),
    )


_X = Power("B", ("c",), (0,))


def power() -> Law:
    """y = B / x^c (M1)."""
    return Law("power", "y = B / x^c", "Alabdulmohsin et al. 2022, M1", ("x",), (_X,), levels=2)


def power_floor() -> Law:
    """y = E + B / x^c (M2)."""
    return Law("power-floor", "y = E + B / x^c", "Alabdulmohsin et al. 2022, M2", ("x",), (_FLOOR, _X))


def power_shifted() -> Law:
    """y = beta (1 / x + gamma)^c (M3)."""
    return Law(
        "power-shifted",
        "y = beta (1/x + gamma)^c",
        "Alabdulmohsin et al. 2022, M3",
        ("x",),
        (PoweredSum("shifted"),),
    )


def saturating() -> Law:
    """y = E + W u with W^(1 - a) u / (1 - u)^a = B / x^c (M4; W = eps_0 - E)."""
    return Law(
        "saturating",
        "y = E + W u, W^(1-a) u / (1-u)^a = B / x^c",
        "Alabdulmohsin et al. 2022, M4: (y - E) / (eps_0 - y)^a = B / x^c with W = eps_0 - E",
        ("x",),
        (_FLOOR, Saturating()),
        levels=5,
    )


def power_bounded(ceiling: float, sharpness: float = 2.0) -> Law:
    """A power with a floor below a ceiling."""
    return Law(
        "power-bounded",
        "g = E + B / x^c" + _BOUND.format(sharpness) + f", ceiling {ceiling:.6g}",
        "Rosenfeld et al. 2020, equation 5, in one variable",
        ("x",),
        (_FLOOR, _X),
        Ceiling(ceiling, sharpness),
    )


def broken(breaks: int = 1) -> Law:
    """y = E + b x^(-c0) prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i), one or two breaks."""
    return Law(
        f"broken-{breaks}",
        "y = E + b x^(-c0) prod_i (1 + (x / d_i)^(1 / f_i))^(-c_i f_i)",
        "Caballero et al. 2023, equation 1",
        ("x",),
        (_FLOOR, BrokenPower(breaks)),
        levels=3 + 3 * breaks,
    )


def exponential() -> Law:
    """y = E + A exp(-x / tau), a rival."""
    return Law("exponential", "y = E + A exp(-x / tau)", "rival without a power", ("x",), (_FLOOR, Exponential()))


def logarithmic() -> Law:
    """y = A - B log x, a rival."""
    return Law("logarithmic", "y = A - B log x", "rival without a power", ("x",), (Logarithmic(),), levels=2)
