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

RANGE = 3.0
"""Distance in log units over which the error of a law that is not quite true stays alike, to a factor of e: as wide as a grid
over a decade or two (assumption). With 1, designs on simulated grids were as good or worse."""


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
        return self._deviations(runs.logs, runs.data)

    def _deviations(self, logs: Floats, data: int) -> Floats:
        return np.sqrt(self.variance * np.exp(self.slope * (logs[:, data] - self.reference)))

    def between(self, first: Runs, second: Runs) -> Floats:
        """Covariance [n, m] of the errors of different runs."""
        shared, _ = self._common()
        same_seed = first.seeds[:, None] == second.seeds[None]
        same_data = np.isclose(first.logs[:, first.data, None], second.logs[None, :, second.data], rtol=0, atol=1e-9)
        drawn = shared * (same_seed & same_data) * self.deviations(first)[:, None] * self.deviations(second)[None]
        return drawn + self.off_law(first.logs, second)

    def off_law(self, places: Floats, others: Runs | Floats) -> Floats:
        """Covariance [n, m] of the law's own error at ``places``, uncentred logs [n, k], with that at runs or other places."""
        logs, data = (others.logs, others.data) if isinstance(others, Runs) else (others, Runs._field_defaults["data"])
        distance = np.sqrt(np.sum((places[:, None] - logs[None]) ** 2, axis=2))
        alike = self._common()[1] * np.exp(-distance / RANGE)
        return alike * self._deviations(places, data)[:, None] * self._deviations(logs, data)[None]

    def among(self, runs: Runs) -> Floats:
        """Covariance [n, n] of the errors of runs, their own parts included."""
        own = 1.0 - sum(self._common())
        return self.between(runs, runs) + np.diag(own * self.deviations(runs) ** 2)

    def _common(self) -> tuple[float, float]:
        total = self.shared + self.place
        scale = min(1.0, MOST_COMMON / total) if total > 0 else 1.0
        return self.shared * scale, self.place * scale
