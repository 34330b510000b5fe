"""Laws at rolling origins: a law with an emphasis on large rows, fitted to all rows and to the smaller rows of every origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.candidates import emphasised, fit_jobs, prior_precision, residual_spread
from scaling.laws.fitting.large import SAMPLE, sampled, told_of_sample
from scaling.laws.fitting.origins import Origin, curve_origins, grid_origins
from scaling.laws.fitting.points import log_table
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats

SPARE_ROWS: Final = 1
"""Rows beyond its parameters that a law needs at an origin: with none, its residuals say nothing."""
MANY_ROWS: Final = 2 * SAMPLE
"""Rows beyond which a sample is used (``laws.fitting.large``)."""
FURTHEST: Final = 3.0
"""Residuals beyond this many robust standard deviations count as this many in the noise (assumption)."""


class LoggedRows(NamedTuple):
    """A table for laws of its variables.

    Attributes:
        raw: logs of the variables [n, k]; log_y: log response [n].
        origins: rolling origins inside it; none for a table that is too small.
        sample: which rows these are, where they are not all; None otherwise.
    """

    raw: Floats
    log_y: Floats
    origins: list[Origin]
    sample: str | None


class RollingFit(NamedTuple):
    """A law and an emphasis, fitted to all rows, and how it predicted larger rows from smaller ones.

    Attributes:
        law: the form; emphasis: exponent of the rows' weights.
        theta: coordinates [p] about ``centre`` [k]; covariance: of theta if the law holds [p, p].
        noise: standard deviation of the log response of a run of mean weight.
        errors: log predictions minus log observations at each origin; None where it had too few rows for the law.
    """

    law: Law
    emphasis: float
    theta: Floats
    centre: Floats
    covariance: Floats
    noise: float
    errors: list[Floats | None]

    def log_values(self, raw: Floats) -> Floats:
        """Log response [m] at raw logs [m, k]; variables of other laws are left out."""
        return self.law.log_values(self.theta[None], self._logs(raw))[0]

    def variance(self, raw: Floats) -> Floats:
        """Variance of the log response [m] at raw logs [m, k] if the law holds."""
        gradient = self.law.evaluate(self.theta[None], self._logs(raw)).gradient()[0]
        return np.einsum("mi,ij,mj->m", gradient, self.covariance, gradient)

    def _logs(self, raw: Floats) -> Floats:
        return raw[:, : len(self.centre)] - self.centre


def logged_rows(laws: Sequence[Law], data: Mapping[str, ArrayLike], response: ArrayLike) -> LoggedRows:
    """The table as these laws see it; a sample of a long one.

    Args:
        laws: of one variable, or of N and D and perhaps of U.
        data: one array per variable; response: positive, one value per row.

    Raises:
        ValueError: for a value that is not positive and finite.
    """
    widest = max(laws, key=lambda law: len(law.variables))
    raw, log_y = log_table(widest, data, response)
    sample = None
    if len(log_y) > MANY_ROWS:
        sample = told_of_sample(len(log_y))
        chosen = sampled(len(log_y))
        raw, log_y = raw[chosen], log_y[chosen]
    origins = grid_origins(raw) if "N" in widest.variables else curve_origins(raw[:, 0])
    return LoggedRows(raw, log_y, origins, sample)


def rolling_fits(law: Law, emphases: Sequence[float], rows: LoggedRows, seed: int) -> list[RollingFit]:
    """One fit per emphasis, in their order; all of them, at all origins, are searched together.

    Args:
        law: the form, with fewer parameters than there are rows.
        emphases: exponents k of weights in proportion to (size)^k, where size is x, or D.
        rows: the table.
        seed: of the starts.
    """
    own = rows.raw[:, : len(law.variables)]
    centre = law.centre(own)
    logs = own - centre
    size = logs[:, min(1, logs.shape[1] - 1)]
    enough = [int(one.train.sum()) >= len(law.parameters) + SPARE_ROWS for one in rows.origins]
    trains = [one.train for one, able in zip(rows.origins, enough, strict=True) if able]
    trains.append(np.ones(len(rows.log_y), bool))
    weights = np.array([emphasised(size, train, emphasis) for emphasis in emphases for train in trains])
    thetas = fit_jobs(law, logs, rows.log_y, weights, np.random.default_rng(seed))
    fits = []
    for place, emphasis in enumerate(emphases):
        block = slice(place * len(trains), (place + 1) * len(trains))
        *at_origins, at_all = thetas[block]
        found = iter(at_origins)
        errors = [
            law.log_values(next(found)[None], logs[one.test])[0] - rows.log_y[one.test] if able else None
            for one, able in zip(rows.origins, enough, strict=True)
        ]
        covariance, noise = _precision(law, at_all, logs, rows.log_y, weights[block][-1])
        fits.append(RollingFit(law, emphasis, at_all, centre, covariance, noise, errors))
    return fits


def _precision(law: Law, theta: Floats, logs: Floats, log_y: Floats, weights: Floats) -> tuple[Floats, float]:
    """Covariance of theta if the law holds, and the standard deviation of a run of mean weight."""
    spread = float(residual_spread(law, theta[None], logs, log_y, weights[None])[0])
    gradient = law.evaluate(theta[None], logs).gradient()[0]
    information = gradient.T @ (weights[:, None] * gradient) + np.diag(prior_precision(law, spread))
    spare = max(len(log_y) - len(theta), 1)
    residuals = np.clip(log_y - law.log_values(theta[None], logs)[0], -FURTHEST * spread, FURTHEST * spread)
    noise = float(np.sqrt(np.mean(weights * residuals**2) * len(log_y) / spare))
    return noise**2 * np.linalg.pinv(information, hermitian=True), noise
