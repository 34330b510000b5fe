"""Extrapolate any table: fit the rows marked ``train``, predict those marked ``test``, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from scaling.laws.any_table.ceilings import CLASSES, group_ceiling, number_of
from scaling.laws.any_table.choose_rows import Choice
from scaling.laws.any_table.pool import OnGroupDone, work_through
from scaling.laws.any_table.read_table import (
    EVERYTHING,
    numbers,
    read_table,
    require_apart,
    require_distinct,
    require_unique,
    variables,
)
from scaling.laws.any_table.table_file import Readable, TableError
from scaling.laws.fitting.selection import stack
from scaling.laws.fitting.solver import fit
from scaling.laws.fitting.stacked import Stack
from scaling.laws.forms.catalogue import BOUNDED, NAMES, law_for, law_named
from scaling.laws.forms.terms import Floats
from scaling.laws.law_errors import InputError, require_count

ESTIMATORS: Mapping[str, str] = {
    "m1": "power",
    "m2": "power-floor",
    "m3": "power-shifted",
    "m4": "saturating",
    "bnsl": "broken-1",
}
"""Short names of the published estimators."""
PARTS = ("train", "test")
LEAST_RATES = 3
"""Distinct rates that a parabola needs."""
LEVEL = 0.95
"""Coverage of the intervals."""


def extrapolate_table(
    path: Readable,
    *,
    y: str,
    split: str,
    x: str | None = None,
    n: str | None = None,
    d: str | None = None,
    unique: str | None = None,
    rate: str | None = None,
    by: Sequence[str] = (),
    estimator: str = "auto",
    ceiling: float | str | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: OnGroupDone | None = None,
    choice: Choice = EVERYTHING,
) -> dict[str, Any]:
    """Fit the rows whose split is ``train`` and predict those whose split is ``test``, group by group.

    Args:
        path: a file, "-" for standard input, a frame, or a table that is open.
        y: column of the response.
        split: column with train or test; rows with any other value are counted and left out.
        x: column of one variable; or n and d for two.
        unique: column of the unique data among d, or rate: column of the learning rate, for a third variable.
        by: columns whose values make the groups.
        estimator: "auto" (a stack of laws, ``laws.fitting.selection``), m1, m2, m3, m4, bnsl or the name of a law.
        ceiling: of a bounded response; infinite for none; "classes" for chance among the column of that name; None if
            it is not known: several are tried then.
        seed: of the starts.
        workers: processes among which many groups are shared (``laws.any_table.pool``).
        progress: called after each group.
        choice: which rows are used.

    Returns:
        ``{"estimator", "curves": [{"group", "estimator", "rmse_log", "predictions", ...}], "mean", "median", "left_out",
        "left_out_by_split", "not_used"}``. A curve that could not be fitted has rmse_log None and a reason, and does not count
        in the mean.
        ``predictions`` has ``{the variables, "observed", "predicted", "low", "high", "low_if_true", "high_if_true"}`` of each
        test row: 95 % intervals of a new run, honestly and if the law holds.

    Raises:
        TableError: for a bad table, or one without train or test rows.
        InputError: for an unknown estimator or a setting out of range.
    """
    columns = variables(n, d, x, unique, rate)
    require_count("seed", seed)
    number_of(ceiling)
    law = None if estimator == "auto" else _law_of(estimator, ceiling, columns)
    classes = [CLASSES] if ceiling == CLASSES else []
    require_apart(**columns, y=y, split=split, **{f"by ({name})": name for name in by})
    table = read_table(path, [*columns.values(), y, *classes], by, only=(split, PARTS), choice=choice)
    for part in PARTS:
        if not (table.frame[split] == part).any():
            raise TableError(f"{table.name}: no row has {split} = {part}")
    if unique is not None:
        require_unique(table, unique, str(d))
    if rate is not None:
        require_distinct(table, rate, LEAST_RATES)
    groups = list(table.groups(by))
    asked = _Asked(estimator, columns, y, split, law, ceiling, seed)
    curves = work_through(partial(_extrapolate, asked), groups, workers=workers, progress=progress)
    errors = [curve["rmse_log"] for curve in curves if curve["rmse_log"] is not None]
    return {
        "estimator": estimator,
        "curves": curves,
        "mean": float(np.mean(errors)) if errors else None,
        "median": float(np.median(errors)) if errors else None,
        "left_out": sum(table.left_out.values()),
        "left_out_by_split": dict(table.left_out),
        "not_used": table.told_not_used(),
    }


def _law_of(estimator: str, ceiling: float | str | None, columns: Mapping[str, str]) -> str:
    """Name of an estimator's law, once it is checked against the columns and the ceiling."""
    name = ESTIMATORS.get(estimator, estimator)
    if name not in NAMES:
        known = ("auto", *ESTIMATORS, *NAMES)
        close = get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"estimator {estimator!r} is not known; allowed: {', '.join(known)}{hint}")
    law_for(name, columns, 1.0 if ceiling == CLASSES and name in BOUNDED else number_of(ceiling))
    return name


@dataclass(frozen=True)
class _Asked:
    """What ``extrapolate_table`` was asked, the same for all groups; ``law`` is a name, or None for the stack."""

    estimator: str
    columns: Mapping[str, str]
    y: str
    split: str
    law: str | None
    ceiling: float | str | None
    seed: int


def _extrapolate(asked: _Asked, job: tuple[Mapping[str, str], pl.DataFrame]) -> dict[str, Any]:
    """One curve."""
    group, rows = job
    train, test = (rows.filter(pl.col(asked.split) == part) for part in PARTS)
    result: dict[str, Any] = {"group": group, "estimator": asked.estimator, "rmse_log": None}
    result |= {"rows_train": train.height, "rows_test": test.height}
    for part, name in ((train, "train"), (test, "test")):
        if not part.height:
            return result | {"reason": f"no row has {asked.split} = {name}"}
    data, places = ({v: numbers(part, c) for v, c in asked.columns.items()} for part in (train, test))
    response, observed = numbers(train, asked.y), numbers(test, asked.y)
    try:
        ceiling = group_ceiling(asked.ceiling, rows, asked.y)
        model, told = _modelled(asked, data, response, ceiling)
    except InputError as error:
        return result | {"reason": str(error)}
    predicted = model.predict(**places)
    errors = np.log(predicted / observed)
    result |= told | {"rmse_log": _rms(errors)}
    result["reach"] = {name: float(places[name].max() / data[name].max()) for name in asked.columns}
    if "N" in data:
        inside = (places["N"] >= data["N"].min()) & (places["N"] <= data["N"].max())
        result |= {"rmse_log_inside": _rms(errors[inside]), "rmse_log_outside": _rms(errors[~inside])}
        result["rows_outside"] = int((~inside).sum())
    honest, true = model.intervals(LEVEL, **places)
    result["covered"] = float(np.mean((honest.low <= observed) & (observed <= honest.high)))
    listed = {**places, "observed": observed, "predicted": predicted, "low": honest.low, "high": honest.high}
    listed |= {"low_if_true": true.low, "high_if_true": true.high}
    result["predictions"] = [dict(zip(listed, map(float, row), strict=True)) for row in zip(*listed.values(), strict=True)]
    return result


def _modelled(
    asked: _Asked, data: Mapping[str, Floats], response: Floats, ceiling: float | None
) -> tuple[Stack, dict[str, Any]]:
    """The stack that predicts, and what the result says about it."""
    if asked.law is None:
        model = stack(data, response, ceiling=ceiling, seed=asked.seed)
        shares = [
            {"law": c.fit.law.name, "formula": c.fit.law.formula, "emphasis": c.fit.emphasis, "share": c.share}
            for c in model.candidates
        ]
        told = {"ceiling": ceiling if ceiling is not None and np.isfinite(ceiling) else None, "shares": shares}
    else:
        law = law_named(asked.law, ceiling if asked.law in BOUNDED else None)
        found = fit(law, data, response, delta=None, seed=asked.seed)
        if not found.parameters:
            raise InputError("; ".join(found.reasons.values()))
        model = stack(data, response, laws=(law,), seed=asked.seed).refitted(found)
        told = {"status": found.status, "parameters": found.parameters}
    doubt = model.doubt
    told |= {"origins": model.origins, "rolling_rmse_log": model.rmse_log, "sample": model.sample}
    return model, told | {"noise": doubt.noise, "drift": doubt.drift, "drift_origins": doubt.origins}


def _rms(errors: Floats) -> float | None:
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else None
