"""A law: a sum of terms behind a link, its prediction and derivatives, its public parameters and their coordinates.

log f = link(logsumexp(terms)). The link keeps a bounded response below its ceiling; without one, f is the plain sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from scaling.laws.forms.terms import Curve, Floats, Role, Spread, Term, logistic, softplus


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
        """Log g of a log response; responses at or above the ceiling count as 0.1 % below it (assumption)."""
        share = np.minimum(self.sharpness * (log_f - np.log(self.ceiling)), np.log1p(-1e-3))
        return log_f - np.log(-np.expm1(share)) / self.sharpness


@dataclass(frozen=True)
class Prediction:
    """Log f = link(s), s the log of a sum of terms, at B candidates and n points, with sums of its derivatives.

    The gradient g of s is Sum_i share_i g_i; its Hessian is Sum_i share_i (h_i + g_i g_i^T) - g g^T.

    Attributes:
        value: log f [B, n].
        curves: the terms; shares: of each in the sum, [B, n].
        slope, bend: first and second derivative of the link [B, n]; None without one.
    """

    value: Floats
    curves: tuple[Curve, ...]
    shares: list[Floats]
    slope: Floats | None
    bend: Floats | None

    def gradient(self) -> Floats:
        """Gradient of log f, [B, n, p]."""
        inner = [share[..., None] * curve.gradient for share, curve in zip(self.shares, self.curves, strict=True)]
        total = np.concatenate(inner, axis=2)
        return total if self.slope is None else self.slope[..., None] * total

    def pulled(self, coefficients: Floats) -> Floats:
        """Sum over the rows of coefficient times gradient, [B, p]; ``coefficients`` are [B, n]."""
        linear = coefficients if self.slope is None else coefficients * self.slope
        parts = []
        for share, curve in zip(self.shares, self.curves, strict=True):
            weight = linear * share
            parts.append(weight @ curve.gradient[0] if curve.common else np.einsum("bn,bnp->bp", weight, curve.gradient))
        return np.concatenate(parts, axis=1)

    def curvature(self, outer: Floats, linear: Floats) -> Floats:
        """Sum_n (outer gradient gradient^T + linear Hessian) of log f, [B, p, p]; outer and linear are [B, n]."""
        if self.slope is None or self.bend is None:
            square, plain = outer - linear, linear
        else:
            square = outer * self.slope**2 + linear * (self.bend - self.slope)
            plain = linear * self.slope
        rows = []
        for i, (share, curve) in enumerate(zip(self.shares, self.curves, strict=True)):
            weight = square * share
            row = [_products(weight * self.shares[j], curve, other) for j, other in enumerate(self.curves)]
            row[i] = row[i] + _products(plain * share, curve, curve)
            if curve.hessian is not None:
                row[i] = row[i] + np.einsum("bn,bnij->bij", plain * share, curve.hessian)
            rows.append(np.concatenate(row, axis=2))
        return np.concatenate(rows, axis=1)


def _products(weight: Floats, first: Curve, second: Curve) -> Floats:
    """Sum_n weight g_i g_j^T, [B, q_i, q_j]; one matrix product where both gradients are the same for all candidates."""
    if first.common and second.common:
        left, right = first.gradient[0], second.gradient[0]
        outer = (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
        return (weight @ outer).reshape(len(weight), left.shape[1], right.shape[1])
    return np.matmul((weight[..., None] * first.gradient).transpose(0, 2, 1), second.gradient)


def _log_sum(values: list[Floats]) -> tuple[Floats, list[Floats]]:
    """Log of the sum of exponentials, and the share of each: shifted by the largest, so that none overflows."""
    if len(values) == 1:
        return values[0], [np.ones_like(values[0])]
    largest = np.maximum.reduce(values)
    parts = [np.exp(value - largest) for value in values]
    total = sum(parts[1:], start=parts[0])
    return largest + np.log(total), [part / total for part in parts]


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
        levels: distinct values that each variable must take for the table to determine the parameters.
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
    def roles(self) -> tuple[Role, ...]:
        """Role of each coordinate of theta, in their order."""
        return tuple(role for term in self.terms for role in term.roles or (Role.OTHER,) * len(term.names))

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each term's coordinates lie in theta."""
        edges = accumulate((len(term.names) for term in self.terms), initial=0)
        return tuple(slice(a, b) for a, b in pairwise(edges))

    @property
    def separate(self) -> bool:
        """Whether each public parameter is one coordinate, so that it can be profiled."""
        return all(term.separate for term in self.terms)

    @property
    def stacks(self) -> bool:
        """Whether it can be evaluated at one table per candidate."""
        return all(term.stacks for term in self.terms)

    @property
    def floors(self) -> tuple[str, ...]:
        """Parameters that are floors."""
        pairs = zip(self.slices, self.terms, strict=True)
        return tuple(name for at, term in pairs if not term.columns for name in self.parameters[at])

    def centre(self, raw_logs: Floats) -> Floats:
        """Centre [k] of logs [n, k]; D and U share one, so that their difference stays the log of the number of passes."""
        middle = raw_logs.mean(axis=0) if len(raw_logs) else np.zeros(len(self.variables))
        if "U" in self.variables:
            middle[self.variables.index("U")] = middle[self.variables.index("D")]
        return middle

    def evaluate(self, theta: Floats, logs: Floats) -> Prediction:
        """Log prediction at theta [B, p] and centred logs [n, k], with its derivatives."""
        curves = tuple(term.evaluate(theta[:, at], logs) for term, at in zip(self.terms, self.slices, strict=True))
        total, shares = _log_sum([curve.value for curve in curves])
        if self.ceiling is None:
            return Prediction(total, curves, shares, None, None)
        value, slope, bend = self.ceiling.apply(total)
        return Prediction(value, curves, shares, slope, bend)

    def log_values(self, theta: Floats, logs: Floats) -> Floats:
        """Log prediction alone, [B, n], which costs less than ``evaluate``."""
        values = [term.values(theta[:, at], logs) for term, at in zip(self.terms, self.slices, strict=True)]
        total, _ = _log_sum(values)
        return total if self.ceiling is None else self.ceiling.apply(total)[0]

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        """Theta [B, p] in coordinates whose origin has moved by ``shift`` [k]."""
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
        """Predicted response at public parameters and arrays of the law's variables (N and D, or x), in their broadcast shape.

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
        """Lower and upper limits [p] of the coordinates of theta."""
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
