"""Entries of fits.json: a fit, held-out predictions from one kind of origin, a frontier."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from scaling.analysis.family_evidence import Held, Judged, left_over, log_error_ratio, shared_draws
from scaling.analysis.pair_contrasts import centred_interval
from scaling.laws.compute_optimal.frontier import best_use, tabled_compute, trained_budgets
from scaling.laws.compute_optimal.isoflop import describe_isoflop
from scaling.laws.fitting.holdout import root_mean_square
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.noise import design_effect, draw_noise, seed_spread
from scaling.laws.intervals.outliers import describe_outliers
from scaling.laws.intervals.profile import Interval, profile_intervals

LEAST_EFFECT = 0.7
"""Factor on the variance of a parameter below which shared noise may not narrow its interval. What is shared cancels in alpha,
but the share is estimated from a few (seed, D): without this limit, intervals of alpha cover 83 % where 70 % of the variance is
shared (benchmarks/coverage.py --crossed)."""

KEPT_DRAWS = 200
"""Refits kept for the bands of figures (assumption)."""


def fit_row(one: Judged) -> dict[str, Any]:
    """Entry of ``fits``."""
    cells, found = one.cells, one.found
    spread = seed_spread(cells.table(), "y") if cells.keys else None
    intervals, reasons = crossed_intervals(one)
    status = found.status
    if status in ("converged", "at-bound") and any(intervals[name] is None for name in intervals):
        status = "not-identifiable"
    public = None if one.draws is None else found.law.publish(one.draws, found.centre)
    names = found.law.parameters
    return {
        "family": cells.family,
        "kind": cells.kind,
        "response": cells.response,
        "law": found.law.name,
        "ceiling": None if found.law.ceiling is None else found.law.ceiling.ceiling,
        "formula": found.law.formula,
        "reference": found.law.reference,
        "status": status,
        "reasons": found.reasons | reasons,
        "rows": found.rows,
        "excluded": cells.excluded,
        "parameters": found.parameters,
        "objective": found.objective,
        "delta": found.delta,
        "standard_errors": {} if public is None else dict(zip(names, np.std(public, axis=0, ddof=1).tolist(), strict=True)),
        "intervals": {name: None if ends is None else list(ends) for name, ends in intervals.items()},
        "residual_rms": float(root_mean_square(found.residuals)) if found.parameters else None,
        "noise_rms": spread,
        "noise_slope": one.noise.slope,
        "certificate": None if found.certificate is None else asdict(found.certificate),
        "outliers": describe_outliers(found, cells.keys),
        "seconds": found.seconds,
        "draws": [] if public is None else [dict(zip(names, row, strict=True)) for row in public[:KEPT_DRAWS].tolist()],
    }


def crossed_intervals(one: Judged) -> tuple[dict[str, Interval], dict[str, str]]:
    """Profile intervals, adjusted for the noise that runs of one (seed, D) share; and the reason for each that is missing."""
    inflation = None
    if one.found.parameters:
        inflation = np.maximum(design_effect(left_over(one.cells, one.found), one.noise), LEAST_EFFECT)
    return profile_intervals(one.found, inflation=inflation)


def holdout_row(one: Judged, held: Held) -> dict[str, Any]:
    """Entry of ``holdout``."""
    cells = one.cells
    row: dict[str, Any] = {
        "family": cells.family,
        "response": cells.response,
        "origin": held.origin,
        "cells": [],
        "rmse_log": None,
        "persistence_rmse_log": None,
        "skill": None,
        "interval": None,
        "reason": held.reason,
    }
    if held.reason is not None:
        return row
    error, base = np.sqrt(held.squares / len(held.rows))
    low, high = centred_interval(float(np.log(error / base)), log_error_ratio(held.drawn))
    observed, predicted, persistence = np.exp([held.observed, held.predicted, held.persistence])
    return row | {
        "cells": [
            {
                "key": cells.keys[row],
                "params": cells.params[row],
                "images": cells.images[row],
                "seed": int(cells.seeds[row]),
                "observed": observed[i],
                "predicted": predicted[i],
                "persistence": persistence[i],
            }
            for i, row in enumerate(held.rows)
        ],
        "rmse_log": error,
        "persistence_rmse_log": base,
        "skill": 1.0 - error / base,
        "interval": [1.0 - np.exp(high), 1.0 - np.exp(low)],
    }


def frontier_row(one: Judged) -> dict[str, Any] | None:
    """Entry of ``frontier``: N*, D* and L* at the budgets of the runs, and in isoFLOP slices; None without a law or compute."""
    cells, found = one.cells, one.found
    if one.draws is None or not (np.isfinite(cells.flop).all() and (cells.flop > 0).all()):
        return None
    compute = tabled_compute(cells.params, cells.images, cells.flop)
    row: dict[str, Any] = {"family": cells.family}
    names = ("flop", "loss", "params", "images", "low", "high", "params_low", "params_high")
    columns: dict[str, list[float]] = {name: [] for name in names}
    for flop in trained_budgets(cells.flop):
        best = best_use(found.law, found.theta[None], found.centre, compute, float(flop))
        spread = best_use(found.law, one.draws, found.centre, compute, float(flop))
        if best is None or spread is None:
            continue
        low, high = np.quantile(spread.log_response, [0.025, 0.975])
        small, large = np.quantile(spread.log_params, [0.025, 0.975])
        logs = (best.log_response[0], best.log_params[0], best.log_images[0], low, high, small, large)
        for name, value in zip(names, (flop, *np.exp(logs)), strict=True):
            columns[name].append(float(value))
    drawn = found.log_y - found.residuals + _errors(one)
    return row | columns | {"isoflop": describe_isoflop(found, cells.params, cells.images, cells.flop, compute, drawn)}


def _errors(one: Judged) -> Floats:
    """New log residuals [B, n] of a family with the noise of the study, shared by the runs of one (seed, D)."""
    shared = shared_draws([one.cells], 0, KEPT_DRAWS)
    return draw_noise(left_over(one.cells, one.found), one.noise, shared, np.random.default_rng(0), KEPT_DRAWS)


def jsonable(value: Any) -> Any:
    """The value with what JSON allows: numpy scalars as Python's, tuples as lists, NaN and infinities as None."""
    if isinstance(value, dict):
        return {key: jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
