"""Entries of fits.json: one fit, one kind of held-out prediction, one frontier."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from scaling.laws.frontier import best_split, compute_of, trained_budgets
from scaling.laws.holdout import root_mean_square
from scaling.laws.noise import seed_spread
from scaling.laws.profile import profile_intervals
from scaling.verdicts.families import centred_interval
from scaling.verdicts.judging import Held, Judged, log_ratio

KEPT_DRAWS = 200
"""Refits kept for drawing bands."""


def fit_entry(one: Judged) -> dict[str, Any]:
    """Entry of ``fits``."""
    cells, found = one.cells, one.found
    spread = seed_spread(cells.table(), "y") if cells.keys else None
    intervals, reasons = profile_intervals(found)
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
        "certificate": None if found.certificate is None else asdict(found.certificate),
        "seconds": found.seconds,
        "draws": [] if public is None else [dict(zip(names, row, strict=True)) for row in public[:KEPT_DRAWS].tolist()],
    }


def holdout_entry(one: Judged, held: Held) -> dict[str, Any]:
    """Entry of ``holdout``."""
    cells = one.cells
    entry: dict[str, Any] = {
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
        return entry
    error, base = np.sqrt(held.squares / len(held.rows))
    low, high = centred_interval(float(np.log(error / base)), log_ratio(held.drawn))
    observed, predicted, persistence = np.exp([held.observed, held.predicted, held.persistence])
    return entry | {
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


def frontier_entry(one: Judged) -> dict[str, Any] | None:
    """Entry of ``frontier``; None where the law or the compute is not known."""
    cells, found = one.cells, one.found
    if not found.parameters or not np.isfinite(cells.flop).all() or (cells.flop <= 0).any():
        return None
    compute = compute_of(cells.params, cells.images, cells.flop)
    budgets = trained_budgets(cells.flop)
    rows = [best_split(lambda n, d: found.predict(N=n, D=d), compute, float(flop)) for flop in budgets]
    params, images, loss = (np.array(column) for column in zip(*rows, strict=True))
    known = np.isfinite(loss)
    params, images, loss, budgets = params[known], images[known], loss[known], budgets[known]
    logs = np.log(np.column_stack([params, images])) - found.centre
    band = np.exp(found.law.log_values(one.draws, logs))
    low, high = np.quantile(band, [0.025, 0.975], axis=0)
    return {
        "family": cells.family,
        "flop": budgets.tolist(),
        "loss": loss.tolist(),
        "params": params.tolist(),
        "images": images.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
    }


def plain(value: Any) -> Any:
    """Numbers that JSON knows: numpy scalars as Python's, NaN and infinities as null."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
