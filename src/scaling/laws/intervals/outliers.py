"""Outliers: which rows lie far from a fitted law, and what the law would be without them.

They stay in the fit, whose Huber loss already limits the influence of each, and are listed. Whether to leave out rows that do
not suit the law is for the reader to decide (in Besiroglu et al. 2024 five rows moved beta from 0.45 to 0.37).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.fitting.fitted import EXACT, Fit
from scaling.laws.fitting.newton import MAD, minimise
from scaling.laws.fitting.points import too_few
from scaling.laws.forms.terms import Floats

THRESHOLD = 4.0
"""Robust standard deviations beyond which a row is shown as an outlier. By simulation of clean Gaussian tables on grids of
4 x 4 to 15 x 15 points, 2 to 8 % of the tables have such a row (15 % at 3.5); a row that is off by 10 is found in 99 %."""
LEAST_FREE = 0.05
"""Smallest share of a row's own error that its residual is taken to contain (assumption): a row that alone determines a
parameter has none."""


@dataclass(frozen=True)
class Outliers:
    """Rows far from a law, and the law without them.

    Attributes:
        z: robust studentised residual of every row [n].
        scale: standard deviation of the log response of a row of weight 1, from the median absolute residual.
        rows: indices with abs(z) above THRESHOLD, the furthest first.
        weights: Huber weight of each of them: the share of its influence that the fit lets through.
        without: public parameters of the refit without these rows; empty where there are none or ``reason`` says why.
        change: largest change of log prediction over the table's rows; None without a refit.
        reason: why there is no refit, or None.
    """

    z: Floats
    scale: float
    rows: np.ndarray
    weights: Floats
    without: dict[str, float]
    change: float | None
    reason: str | None


def find_outliers(found: Fit) -> Outliers:
    """Rows whose residual is beyond THRESHOLD robust standard deviations, and one warm refit without them.

    z = r sqrt(w) / (s sqrt(1 - h)), where h is the row's leverage and s is 1.4826 times the median absolute value of the
    numerator over sqrt(1 - h): on a grid of 16 points the residual of a corner contains only half of its own error.

    Raises:
        ValueError: if nothing was fitted.
    """
    if not found.parameters:
        raise ValueError(f"{found.law.name} was not fitted: {next(iter(found.reasons.values()))}")
    root = np.sqrt(found.weights)
    gradient = found.law.evaluate(found.theta[None], found.logs).gradient()[0] * root[:, None]
    # Singular vectors of the directions that the rows determine; a parameter at a bound may have none.
    left, values, _ = np.linalg.svd(gradient, full_matrices=False)
    leverage = np.sum(left[:, values > 1e-10 * values[0]] ** 2, axis=1)
    studentised = found.residuals * root / np.sqrt(np.maximum(1.0 - leverage, LEAST_FREE))
    used = found.weights > 0
    scale = MAD * float(np.median(np.abs(studentised[used])))
    z = studentised / max(scale, EXACT)
    flagged = np.flatnonzero((np.abs(z) > THRESHOLD) & used)
    flagged = flagged[np.argsort(-np.abs(z[flagged]), kind="stable")]
    shares = np.minimum(1.0, found.delta / np.abs(found.residuals[flagged]))
    if not len(flagged):
        return Outliers(z, scale, flagged, shares, {}, None, None)
    kept = found.weights.copy()
    kept[flagged] = 0.0
    lacking = too_few(found.law, (found.logs + found.centre)[kept > 0])
    if lacking:
        return Outliers(z, scale, flagged, shares, {}, None, next(iter(lacking.values())))
    again = minimise(found.problem(), found.theta[None], kept, tolerance=1e-10)
    if not again.converged[0]:
        return Outliers(z, scale, flagged, shares, {}, None, "the refit without them has not converged")
    public = found.law.publish(again.theta, found.centre)[0]
    moved = found.law.log_values(again.theta, found.logs)[0] - (found.log_y - found.residuals)
    without = dict(zip(found.law.parameters, map(float, public), strict=True))
    return Outliers(z, scale, flagged, shares, without, float(np.max(np.abs(moved))), None)


def describe_outliers(found: Fit, rows: Sequence[Any] | None = None) -> dict[str, Any] | None:
    """JSON-able account of a fit's outliers; None where nothing was fitted.

    Args:
        found: the fit.
        rows: name of each row, by index (a key, or a row's number in its table); None for 1, 2, ...

    Returns:
        ``{"threshold", "scale", "rows": [{"row", the variables, "observed", "predicted", "z", "weight"}],
        "parameters", "parameters_without", "largest_change", "reason"}``; the change is that of the log prediction.
    """
    if not found.parameters:
        return None
    seen = find_outliers(found)
    # 12 digits, without the rounding of a logarithm and its inverse.
    flagged = seen.rows
    variables, observed, predicted = (
        np.vectorize(lambda value: float(f"{value:.12g}"), otypes=[float])(np.exp(logs))
        for logs in (
            (found.logs[flagged] + found.centre),
            found.log_y[flagged],
            (found.log_y - found.residuals)[flagged],
        )
    )
    listed = [
        {
            "row": rows[row] if rows is not None else int(row) + 1,
            **dict(zip(found.law.variables, variables[place].tolist(), strict=True)),
            "observed": float(observed[place]),
            "predicted": float(predicted[place]),
            "z": float(seen.z[row]),
            "weight": float(weight),
        }
        for place, (row, weight) in enumerate(zip(flagged, seen.weights, strict=True))
    ]
    return {
        "threshold": THRESHOLD,
        "scale": seen.scale,
        "rows": listed,
        "parameters": found.parameters,
        "parameters_without": seen.without,
        "largest_change": seen.change,
        "reason": seen.reason,
    }
