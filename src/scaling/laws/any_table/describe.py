"""A JSON-able account of one fit: parameters with errors and intervals, outliers, and the checklist of how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import numpy as np

from scaling.laws.any_table.checklist import checklist
from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.large import LARGE, told_of_sample
from scaling.laws.intervals.bootstrap import pairs, shortened
from scaling.laws.intervals.curvature import curvature_intervals, standard_errors
from scaling.laws.intervals.outliers import describe_outliers
from scaling.laws.intervals.profile import Interval, profile_intervals, undecided_parameters

CURVATURE: Final = "the curvature of the optimum, t on n - p degrees of freedom"
"""Method of intervals that follow from the curvature alone."""


class _Uncertainty(NamedTuple):
    """Standard errors and intervals of the parameters, how each was made, and why a parameter has none."""

    errors: dict[str, float]
    error_method: str
    intervals: dict[str, Interval]
    interval_method: str
    reasons: dict[str, str]


def describe_fit(
    found: Fit,
    *,
    bootstrap: int = 0,
    seed: int = 42,
    level: float = 0.95,
    rows: Sequence[int] | None = None,
    told: Mapping[str, str] | None = None,
    profiles: bool = True,
) -> dict[str, Any]:
    """JSON-able account of a fit, with its outliers and the checklist of what was fitted and how.

    Args:
        found: the fit.
        bootstrap: pair resamples for standard errors and intervals; 0 for profile intervals and the curvature's errors.
        seed: of the resamples.
        level: coverage.
        rows: what each row of the fit is called among the outliers; None for 1, 2, ...
        told: item -> what the checklist shall say beyond what the fit knows.
        profiles: False for intervals from the curvature alone, which take a fiftieth of the time.

    Raises:
        ValueError: if ``told`` has an item that is not on the checklist.
    """
    law = found.law
    unsure = _resampled(found, bootstrap, seed, level) if bootstrap else _analytic(found, level, profiles)
    reasons = found.reasons | unsure.reasons
    errors = {name: error for name, error in unsure.errors.items() if name not in reasons}
    method = unsure.interval_method
    told = dict(told or {}) | {"intervals": f"{level:.0%} by {method}" if method != "none" else "there are none"}
    lacking = [name for name, ends in unsure.intervals.items() if ends is None]
    if found.parameters and lacking:
        told |= {"identified": f"without an interval: {', '.join(lacking)}"}
    outliers = describe_outliers(found, rows)
    return {
        "law": law.name,
        "formula": law.formula,
        "ceiling": None if law.ceiling is None else law.ceiling.ceiling,
        "reference": law.reference,
        "status": found.status,
        "reasons": reasons,
        "rows": found.rows,
        "parameters": found.parameters,
        "objective": _finite(found.objective),
        "loss": f"sum of Huber({found.delta:.3g}) over log residuals",
        "standard_errors": errors,
        "standard_error_method": unsure.error_method if errors else "none",
        "intervals": {name: None if ends is None else list(ends) for name, ends in unsure.intervals.items()},
        "interval_method": method,
        "residual_rms": _finite(float(np.sqrt(np.mean(found.residuals**2)))) if found.rows else None,
        "certificate": None if found.certificate is None else asdict(found.certificate),
        "outliers": outliers,
        "checklist": checklist(found, outliers, told),
        "seconds": found.seconds,
    }


def _resampled(found: Fit, resamples: int, seed: int, level: float) -> _Uncertainty:
    """Errors and intervals by the pair bootstrap."""
    names, method = found.law.parameters, f"{resamples} pair bootstraps"
    if not found.parameters:
        return _Uncertainty({}, method, dict.fromkeys(names), "none", {})
    draws = pairs(shortened(found)[0], resamples, seed)
    errors = dict(zip(names, np.std(draws, axis=0).tolist(), strict=True))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0).tolist()
    intervals: dict[str, Interval] = dict(zip(names, zip(low, high, strict=True), strict=True))
    undecided = undecided_parameters(found)
    return _Uncertainty(errors, method, intervals | dict.fromkeys(undecided), f"{method}, percentiles", undecided)


def _analytic(found: Fit, level: float, profiles: bool) -> _Uncertainty:
    """Errors by the curvature, and intervals by profiles or by the curvature as well."""
    law, errors = found.law, standard_errors(found)
    if not found.parameters:
        return _Uncertainty(errors, "curvature", dict.fromkeys(law.parameters), "none", {})
    if not law.separate:
        reason = {"intervals": f"{law.name} has a parameter that cannot be profiled: ask for a bootstrap (--bootstrap 200)"}
        return _Uncertainty(errors, "curvature", dict.fromkeys(law.parameters), "none", reason)
    if profiles:
        sample = f"; places of {told_of_sample(found.rows)}" if found.rows > LARGE else ""
        method = f"profile likelihood, t on n - p degrees of freedom{sample}"
        intervals, reasons = profile_intervals(found, level)
    else:
        method = CURVATURE
        intervals, reasons = curvature_intervals(found, level)
    return _Uncertainty(errors, "curvature", intervals, method, reasons)


def _finite(value: float) -> float | None:
    """The value, or None for NaN and infinity, which JSON does not know."""
    return value if np.isfinite(value) else None
