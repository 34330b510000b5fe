"""How well one law predicts the larger rows of a table from its smaller ones, and by how much it is too sure of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.rolling_fits import LoggedRows, RollingFit, logged_rows, rolling_fits
from scaling.laws.fitting.selection import geometric_mean_rms
from scaling.laws.forms.law import Law
from scaling.laws.intervals.doubt import doubt_of


@dataclass(frozen=True)
class Trial:
    """One law tried at the rolling origins of a table, and fitted to all of it.

    Attributes:
        fit: the law, its coordinates and its errors at the origins.
        rows: number of rows fitted.
        score: geometric mean over the origins of the root mean square log error.
        inflation: factor by which those errors exceed what the law expected of them, at least 1.
        drift: error of the law per log unit beyond its rows (``laws.intervals.doubt``).
    """

    fit: RollingFit
    rows: int
    score: float
    inflation: float
    drift: float


def trials_of(
    law: Law, data: Mapping[str, ArrayLike], response: ArrayLike, emphases: Sequence[float] = (0.0,), seed: int = 0
) -> list[Trial]:
    """The law at the rolling origins, one trial per emphasis on large rows; none if no origin has enough rows for it.

    Args:
        law: the form.
        data: one array per variable; response: positive, one value per row.
        emphases: as for ``rolling_fits``; seed: of the starts.

    Raises:
        ValueError: for a value that is not positive and finite.
    """
    rows = logged_rows([law], data, response)
    if not rows.origins or len(rows.log_y) < len(law.parameters) + 1:
        return []
    fits = rolling_fits(law, emphases, rows, seed)
    if all(error is None for error in fits[0].errors):
        return []
    return [_trial(one, rows) for one in fits]


def _trial(one: RollingFit, rows: LoggedRows) -> Trial:
    scored = [(origin, error) for origin, error in zip(rows.origins, one.errors, strict=True) if error is not None]
    ratios = []
    for origin, error in scored:
        # Fewer rows leave the law's value less certain, in proportion.
        variance = one.variance(rows.raw[origin.test]) * len(rows.log_y) / origin.train.sum()
        ratios.append(float(np.mean(error**2 / (one.noise**2 + variance))))
    errors = [error for _, error in scored]
    distances = [origin.beyond[origin.test] for origin, _ in scored]
    return Trial(
        fit=one,
        rows=len(rows.log_y),
        score=geometric_mean_rms(errors),
        inflation=max(1.0, float(np.sqrt(np.mean(ratios)))),
        drift=doubt_of(one.noise, errors, distances).drift,
    )
