"""A stack of fitted and weighted laws: what it predicts, and how far off that may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.fitted import Fit, noise_scale
from scaling.laws.fitting.origins import distance
from scaling.laws.fitting.rolling_fits import RollingFit
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.doubt import Doubt, Interval, honest_interval, interval_if_true


@dataclass(frozen=True)
class Candidate:
    """A form and an emphasis, fitted to all rows.

    Attributes:
        fit: the law, its coordinates and its errors at the origins.
        rmse_log: geometric mean over the origins of its log error there, or None without origins.
        share: weight in the stack; shares sum to 1.
    """

    fit: RollingFit
    rmse_log: float | None
    share: float


@dataclass(frozen=True)
class Stack:
    """Candidates and their weights.

    Attributes:
        candidates: fitted, with shares.
        variables: names, in the order of the logs.
        raw: logs of the rows learnt from [n, k].
        origins: number of origins at which candidates were scored.
        rmse_log: log error of the stack itself at the origins, with shares from the other origins (nested), so that it is an
            honest score of this procedure; None with fewer than two origins.
        doubt: what the origins tell about the error beyond the rows.
        sample: the rows used, where those were not all; None otherwise.
    """

    candidates: tuple[Candidate, ...]
    variables: tuple[str, ...]
    raw: Floats
    origins: int
    rmse_log: float | None
    doubt: Doubt
    sample: str | None = None

    def predict(self, **variables: ArrayLike) -> Floats:
        """Response at the variables of the laws (N and D, or x; U if the stack has it), in their broadcast shape."""
        raw, shape = self._logs(variables)
        return np.exp(self._centre(raw)).reshape(shape)

    def intervals(self, level: float = 0.95, **variables: ArrayLike) -> tuple[Interval, Interval]:
        """Ends of the response of a new run at m places: honestly, and if the law with the largest share holds.

        Args:
            level: coverage.
            variables: as for ``predict``.
        """
        raw, _ = self._logs(variables)
        centre = self._centre(raw)
        values = np.array([c.fit.log_values(raw) for c in self.candidates])
        shares = np.array([c.share for c in self.candidates])
        between = shares @ (values - centre) ** 2
        far = distance(self.raw[:, :2], raw[:, :2])
        honest = honest_interval(centre, self.doubt, between, far, level)
        first = max(self.candidates, key=lambda c: c.share).fit
        freedom = len(self.raw) - len(first.theta)
        true = interval_if_true(first.log_values(raw), first.noise, first.variance(raw), freedom, level)
        return Interval(*np.exp(honest)), Interval(*np.exp(true))

    def refitted(self, found: Fit) -> Stack:
        """The stack of one law, with another fit of that law in place of its own.

        Raises:
            ValueError: if the stack has several candidates.
        """
        (only,) = self.candidates
        spread = float(np.sqrt(noise_scale(found)))
        gradient = found.law.evaluate(found.theta[None], found.logs).gradient()[0]
        information = gradient.T @ (found.weights[:, None] * gradient)
        covariance = spread**2 * np.linalg.pinv(information, hermitian=True)
        own = only.fit._replace(theta=found.theta, centre=found.centre, covariance=covariance, noise=spread)
        return replace(
            self, candidates=(replace(only, fit=own),), doubt=self.doubt._replace(noise=max(spread, self.doubt.noise))
        )

    def _centre(self, raw: Floats) -> Floats:
        return sum((c.share * c.fit.log_values(raw) for c in self.candidates), start=np.zeros(()))

    def _logs(self, variables: Mapping[str, ArrayLike]) -> tuple[Floats, tuple[int, ...]]:
        arrays = np.broadcast_arrays(*(np.asarray(variables[name], float) for name in self.variables))
        raw = np.log(np.column_stack([array.ravel() for array in arrays]))
        if "U" in self.variables:
            raw[:, 2] = np.minimum(raw[:, 1], raw[:, 2])
        return raw, arrays[0].shape
