"""Errors of runs, and which of them runs share: what is drawn per run, per (seed, D) and per place.

The variance of a log response is a power of D. One part of it is shared by all runs of one (seed, D), which train on the same
images. Another is the error of a law that is not quite true: it is the same for all seeds of one place, which more seeds do
not average out, and alike at places nearby. The rest is a run's own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scaling.laws.forms.terms import Floats

MOST_COMMON = 0.95
"""Largest share of the variance that runs have in common (assumption): the rest keeps the covariance invertible."""

RANGE = 1.0
"""Distance in log units over which the error of a law that is not quite true stays alike, to a factor of e (assumption)."""


class Runs(NamedTuple):
    """Runs of one family: logs of the law's variables [n, k], seeds [n], and the column of the logs that is D."""

    logs: Floats
    seeds: Floats
    data: int = 1


class RunNoise(NamedTuple):
    """Errors of log responses.

    Attributes:
        variance: of one run where log D is ``reference``.
        slope: d log variance / d log D; reference: a log D.
        shared: share of the variance that runs of one (seed, D) have in common.
        place: share that seeds of one place have in common, and less the farther two places are apart.
    """

    variance: float
    slope: float = 0.0
    reference: float = 0.0
    shared: float = 0.0
    place: float = 0.0

    def deviations(self, runs: Runs) -> Floats:
        """Standard deviation of each run [n]."""
        return np.sqrt(self.variance * np.exp(self.slope * (runs.logs[:, runs.data] - self.reference)))

    def between(self, first: Runs, second: Runs) -> Floats:
        """Covariance [n, m] of the errors of different runs."""
        shared, place = self._common()
        same_seed = first.seeds[:, None] == second.seeds[None]
        same_data = np.isclose(first.logs[:, first.data, None], second.logs[None, :, second.data], rtol=0, atol=1e-9)
        distance = np.sqrt(np.sum((first.logs[:, None] - second.logs[None]) ** 2, axis=2))
        common = shared * (same_seed & same_data) + place * np.exp(-distance / RANGE)
        return self.deviations(first)[:, None] * self.deviations(second)[None] * common

    def among(self, runs: Runs) -> Floats:
        """Covariance [n, n] of the errors of runs, their own parts included."""
        own = 1.0 - sum(self._common())
        return self.between(runs, runs) + np.diag(own * self.deviations(runs) ** 2)

    def _common(self) -> tuple[float, float]:
        total = self.shared + self.place
        scale = min(1.0, MOST_COMMON / total) if total > 0 else 1.0
        return self.shared * scale, self.place * scale
