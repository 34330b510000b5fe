"""Extrapolate any table: fit the rows marked ``train``, predict those marked ``test``, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scaling.laws.catalogue import BOUNDED, NAMES, ceiling_of, law_for, law_named
from scaling.laws.errors import InputError, require_count
from scaling.laws.law import Law
from scaling.laws.pool import Progress
from scaling.laws.selection import stack
from scaling.laws.solver import fit
from scaling.laws.tables import TableError, numbers, read_table, require_apart, variables
from scaling.laws.terms import Floats

ESTIMATORS: Mapping[str, str] = {
    "m1": "power",
    "m2": "power-floor",
    "m3": "power-shifted",
    "m4": "saturating",
    "bnsl": "broken-1",
}
"""Short names of the published estimators."""
PARTS = ("train", "test")


def extrapolate_table(
    path: str | Path,
    *,
    y: str,
    split: str,
    x: str | None = None,
    n: str | None = None,
    d: str | None = None,
    by: Sequence[str] = (),
    estimator: str = "auto",
    ceiling: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit the rows whose split is ``train`` and predict those whose split is ``test``, group by group.

    Args:
        path: CSV or Parquet.
        y: column of the response; split: column with train or test; rows with anything else are counted and left out.
        x: column of one variable; or n and d for two.
        by: columns whose values make the groups.
        estimator: "auto" (a stack of laws, ``laws.selection``), m1, m2, m3, m4, bnsl or the name of a law.
        ceiling: of a bounded response; without one a response that never exceeds 1 is taken for a share.
        seed: of the starts.
        progress: called after each group.

    Returns:
        ``{"estimator", "curves": [{"group", "estimator", "rmse_log", ...}], "mean", "median", "left_out",
        "left_out_by_split"}``; a curve that could not be fitted has rmse_log None and a reason, and is no part of the mean.

    Raises:
        TableError: for a bad table, or one without train or test rows.
        InputError: for an unknown estimator or a setting out of range.
    """
    columns = variables(n, d, x)
    require_count("seed", seed)
    law = None if estimator == "auto" else _law_of(estimator, ceiling, columns)
    require_apart(**columns, y=y, split=split, **{f"by ({name})": name for name in by})
    table = read_table(path, [*columns.values(), y], by, only=(split, PARTS))
    for part in PARTS:
        if not (table.frame[split] == part).any():
            raise TableError(f"{path}: no row with {split} = {part}")
    groups = list(table.groups(by))
    curves = []
    for done, (group, rows) in enumerate(groups, start=1):
        curves.append({"group": group, "estimator": estimator} | _extrapolate(rows, columns, y, split, law, ceiling, seed))
        if progress is not None:
            progress(done, len(groups))
    errors = [curve["rmse_log"] for curve in curves if curve["rmse_log"] is not None]
    return {
        "estimator": estimator,
        "curves": curves,
        "mean": float(np.mean(errors)) if errors else None,
        "median": float(np.median(errors)) if errors else None,
        "left_out": sum(table.left_out.values()),
        "left_out_by_split": dict(table.left_out),
    }


def _law_of(estimator: str, ceiling: float | None, columns: Mapping[str, str]) -> str:
    """Name of an estimator's law, known to suit the columns and the ceiling."""
    name = ESTIMATORS.get(estimator, estimator)
    if name not in NAMES:
        known = ("auto", *ESTIMATORS, *NAMES)
        close = get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"estimator {estimator!r} is not known; allowed: {', '.join(known)}{hint}")
    law_for(name, columns, 1.0 if name in BOUNDED and ceiling is None else ceiling)
    return name


def _extrapolate(
    rows: pl.DataFrame,
    columns: Mapping[str, str],
    y: str,
    split: str,
    law: str | None,
    ceiling: float | None,
    seed: int,
) -> dict[str, Any]:
    """One curve; ``law`` is a name, or None for the stack."""
    train, test = (rows.filter(pl.col(split) == part) for part in PARTS)
    result: dict[str, Any] = {"rmse_log": None, "rows_train": train.height, "rows_test": test.height}
    for part, name in ((train, "train"), (test, "test")):
        if not part.height:
            return result | {"reason": f"no row with {split} = {name}"}
    data, places = ({v: numbers(part, c) for v, c in columns.items()} for part in (train, test))
    response, observed = numbers(train, y), numbers(test, y)
    limit = ceiling_of(ceiling, response)
    try:
        predicted, told = (
            _stacked(data, response, places, limit, seed) if law is None else _fitted(law, data, response, places, limit, seed)
        )
    except InputError as error:
        return result | {"reason": str(error)}
    errors = np.log(predicted / observed)
    result |= told | {"rmse_log": _rms(errors)}
    result["reach"] = {name: float(places[name].max() / data[name].max()) for name in columns}
    if "N" in data:
        inside = (places["N"] >= data["N"].min()) & (places["N"] <= data["N"].max())
        result |= {"rmse_log_inside": _rms(errors[inside]), "rmse_log_outside": _rms(errors[~inside])}
        result["rows_outside"] = int((~inside).sum())
    return result


def _stacked(
    data: Mapping[str, Floats], response: Floats, places: Mapping[str, Floats], ceiling: float | None, seed: int
) -> tuple[Floats, dict[str, Any]]:
    model = stack(data, response, ceiling=ceiling, seed=seed)
    shares = [{"law": c.law.name, "formula": c.law.formula, "emphasis": c.emphasis, "share": c.share} for c in model.candidates]
    told = {"ceiling": ceiling, "origins": model.origins, "rolling_rmse_log": model.rmse_log, "shares": shares}
    return model.predict(**places), told


def _fitted(
    name: str,
    data: Mapping[str, Floats],
    response: Floats,
    places: Mapping[str, Floats],
    ceiling: float | None,
    seed: int,
) -> tuple[Floats, dict[str, Any]]:
    law: Law = law_named(name, ceiling if name in BOUNDED else None)
    found = fit(law, data, response, delta=None, seed=seed)
    if not found.parameters:
        raise InputError("; ".join(found.reasons.values()))
    return found.predict(**places), {"status": found.status, "parameters": found.parameters}


def _rms(errors: Floats) -> float | None:
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else None
