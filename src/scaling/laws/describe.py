"""Fit, extrapolate and forecast for any table: what the command line prints and other programs read as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scaling.laws.bootstrap import pairs
from scaling.laws.catalogue import law_named
from scaling.laws.checklist import checklist, told_of_table
from scaling.laws.law import Law
from scaling.laws.outliers import describe_outliers
from scaling.laws.powers import Power
from scaling.laws.profile import profile_intervals
from scaling.laws.selection import choose, stack
from scaling.laws.solver import Fit, fit
from scaling.laws.tables import Table, TableError, numbers, read_table, require_distinct
from scaling.laws.terms import Floats

Progress = Callable[[int, int], None]
"""(groups done, groups in all)."""

ESTIMATORS: Mapping[str, str] = {
    "m1": "power",
    "m2": "power-floor",
    "m3": "power-shifted",
    "m4": "saturating",
    "bnsl": "broken-1",
}
"""Short names of the published estimators."""


def fit_table(
    path: str | Path,
    *,
    y: str,
    law: str = "chinchilla",
    n: str | None = None,
    d: str | None = None,
    x: str | None = None,
    by: Sequence[str] = (),
    delta: float | None = 1e-3,
    drop_largest: int = 0,
    bootstrap: int = 0,
    seed: int = 42,
    starts: int = 16,
    ceiling: float | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Fit a law to a table, or to each group of it.

    Args:
        path: CSV or Parquet.
        y: column of the response.
        law: name of a law, or "auto" for the one that best predicts larger rows from smaller ones.
        n, d: columns of a law of N and D; x: column of a law of one variable.
        by: columns whose values make the groups.
        delta: Huber's; None for 1.345 times the spread of the residuals.
        drop_largest: rows with the largest responses to leave out, in each group; they are listed.
        bootstrap: pair resamples for standard errors and intervals; 0 for profile intervals.
        seed: of starts and resamples.
        starts: random starts.
        ceiling: of a bounded response.
        progress: called after each group.

    Returns:
        One entry a group: group, law, status, rows, parameters, objective, standard_errors, intervals, certificate ...

    Raises:
        TableError: for a bad table.
        ValueError: for an unknown law or a setting out of range.
    """
    for name, value in (("bootstrap", bootstrap), ("drop_largest", drop_largest)):
        if value < 0:
            raise ValueError(f"{name} is {value}; it must be 0 or more")
    columns = _variables(n, d, x)
    if law != "auto":
        _check_variables(law_named(law, ceiling), columns)
    table = read_table(path, [*columns.values(), y], by)
    if not by:
        for column in columns.values():
            require_distinct(table, column)
    groups = list(table.groups(by))
    entries = []
    for done, (group, rows) in enumerate(groups, start=1):
        order = rows[y].arg_sort()
        dropped = np.sort(order.to_numpy()[len(order) - drop_largest :]) if drop_largest else np.zeros(0, int)
        if len(dropped) >= rows.height:
            raise TableError(f"{path}: dropping {drop_largest} of {rows.height} rows leaves none{_of(group)}")
        kept = rows.filter(~pl.Series(np.isin(np.arange(rows.height), dropped)))
        data = {name: numbers(kept, column) for name, column in columns.items()}
        response = numbers(kept, y)
        scores = None
        if law == "auto":
            chosen, scores = choose(data, response, ceiling=_ceiling(ceiling, response), seed=seed)
        else:
            chosen = law_named(law, ceiling)
        found = fit(chosen, data, response, delta=delta, starts=starts, seed=seed)
        told = told_of_table(path, y, columns, group, law, scores, delta, drop_largest)
        kept_rows = np.setdiff1d(np.arange(rows.height), dropped) + 1
        entry = {"group": group} | describe_fit(found, bootstrap=bootstrap, seed=seed, rows=kept_rows.tolist(), told=told)
        if scores is not None:
            entry["scores"] = scores
        if drop_largest:
            everything = {name: numbers(rows, column) for name, column in columns.items()}
            whole = fit(chosen, everything, numbers(rows, y), delta=delta, starts=starts, seed=seed)
            entry["dropped"] = [{"row": int(row) + 1, y: float(rows[y][int(row)])} for row in dropped]
            entry["parameters_with_dropped"] = whole.parameters
        entries.append(entry)
        if progress is not None:
            progress(done, len(groups))
    return entries


def describe_fit(
    found: Fit,
    *,
    bootstrap: int = 0,
    seed: int = 42,
    level: float = 0.95,
    rows: Sequence[int] | None = None,
    told: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """JSON-able account of a fit, with its outliers and the checklist of what was fitted and how.

    Args:
        found: the fit.
        bootstrap: pair resamples for standard errors and intervals; 0 for profile intervals and the curvature's errors.
        seed: of the resamples.
        level: coverage.
        rows: what each row of the fit is called among the outliers; None for 1, 2, ...
        told: what the checklist shall say beyond what the fit knows (``laws.checklist``).
    """
    law = found.law
    told = dict(told or {})
    reasons = dict(found.reasons)
    intervals: dict[str, Any] = dict.fromkeys(law.parameters)
    errors: dict[str, float] = {}
    method = "none"
    if found.parameters and bootstrap:
        method = f"{bootstrap} pair bootstraps, percentiles"
        draws = pairs(found, bootstrap, seed)
        errors = dict(zip(law.parameters, np.std(draws, axis=0).tolist(), strict=True))
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        intervals = {name: [float(low[i]), float(high[i])] for i, name in enumerate(law.parameters)}
    elif found.parameters and all(isinstance(term, Power) for term in law.terms):
        method = "profile likelihood, t on n - p degrees of freedom"
        ends, why = profile_intervals(found, level)
        reasons |= why
        intervals = {name: None if end is None else list(end) for name, end in ends.items()}
    elif found.parameters:
        reasons["intervals"] = f"{law.name} has terms that are no powers: ask for a bootstrap"
    told |= {"intervals": f"{level:.0%} by {method}" if method != "none" else "there are none"}
    lacking = [name for name, ends in intervals.items() if ends is None]
    if found.parameters and lacking:
        told |= {"identified": f"without an interval: {', '.join(lacking)}"}
    outliers = describe_outliers(found, rows)
    return {
        "law": law.name,
        "formula": law.formula,
        "reference": law.reference,
        "status": found.status,
        "reasons": reasons,
        "rows": found.rows,
        "parameters": found.parameters,
        "objective": _number(found.objective),
        "loss": f"sum of Huber({found.delta:.3g}) over log residuals",
        "standard_errors": errors,
        "intervals": intervals,
        "interval_method": method,
        "residual_rms": _number(float(np.sqrt(np.mean(found.residuals**2)))) if found.rows else None,
        "certificate": None if found.certificate is None else asdict(found.certificate),
        "outliers": outliers,
        "checklist": checklist(found, outliers, told),
        "seconds": found.seconds,
    }


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
        y: column of the response; split: column with train or test.
        x: column of one variable; or n and d for two.
        by: columns whose values make the groups.
        estimator: "auto" (a stack of laws, ``laws.selection``), m1, m2, m3, m4, bnsl or the name of a law.
        ceiling: of a bounded response; without one a response that never exceeds 1 is taken for an error rate.
        seed: of the starts.
        progress: called after each group.

    Returns:
        ``{"estimator", "curves": [{"group", "estimator", "rmse_log", ...}], "mean", "median", "left_out"}``.

    Raises:
        TableError: for a bad table, or a group without train or test rows.
        ValueError: for an unknown estimator.
    """
    columns = _variables(n, d, x)
    if estimator != "auto":
        _check_variables(law_named(ESTIMATORS.get(estimator, estimator), ceiling or 1.0), columns)
    table = read_table(path, [*columns.values(), y], [*by, split])
    used = table.frame.filter(pl.col(split).is_in(["train", "test"]))
    if not used.height:
        raise TableError(f"{path}: column {split} holds no row with train or test")
    groups = list(Table(table.path, used).groups(by))
    curves = []
    for done, (group, rows) in enumerate(groups, start=1):
        curves.append({"group": group} | _extrapolate(path, group, rows, columns, y, split, estimator, ceiling, seed))
        if progress is not None:
            progress(done, len(groups))
    errors = [curve["rmse_log"] for curve in curves if curve["rmse_log"] is not None]
    return {
        "estimator": estimator,
        "curves": curves,
        "mean": float(np.mean(errors)) if errors else None,
        "median": float(np.median(errors)) if errors else None,
        "left_out": table.frame.height - used.height,
    }


def _extrapolate(
    path: str | Path,
    group: Mapping[str, str],
    rows: pl.DataFrame,
    columns: Mapping[str, str],
    y: str,
    split: str,
    estimator: str,
    ceiling: float | None,
    seed: int,
) -> dict[str, Any]:
    train, test = (rows.filter(pl.col(split) == part) for part in ("train", "test"))
    for part, name in ((train, "train"), (test, "test")):
        if not part.height:
            raise TableError(f"{path}: no row with {split} = {name}{_of(group)}")
    data, places = ({v: numbers(part, c) for v, c in columns.items()} for part in (train, test))
    response, observed = numbers(train, y), numbers(test, y)
    limit = _ceiling(ceiling, response)
    result: dict[str, Any] = {"estimator": estimator, "rows_train": train.height, "rows_test": test.height}
    if estimator == "auto":
        try:
            model = stack(data, response, ceiling=limit, seed=seed)
        except ValueError as error:
            return result | {"rmse_log": None, "reason": str(error)}
        predicted = model.predict(**places)
        result |= {
            "ceiling": limit,
            "origins": model.origins,
            "rolling_rmse_log": model.rmse_log,
            "shares": [
                {"law": c.law.name, "formula": c.law.formula, "emphasis": c.emphasis, "share": c.share}
                for c in model.candidates
            ],
        }
    else:
        found = fit(law_named(ESTIMATORS.get(estimator, estimator), limit or 1.0), data, response, delta=None, seed=seed)
        if not found.parameters:
            return result | {"rmse_log": None, "reason": next(iter(found.reasons.values()))}
        predicted = found.predict(**places)
        result |= {"status": found.status, "parameters": found.parameters}
    errors = np.log(predicted / observed)
    result["rmse_log"] = _rms(errors)
    if "N" in data:
        inside = (places["N"] >= data["N"].min()) & (places["N"] <= data["N"].max())
        result |= {"rmse_log_inside": _rms(errors[inside]), "rmse_log_outside": _rms(errors[~inside])}
        result["rows_outside"] = int((~inside).sum())
    return result


def _variables(n: str | None, d: str | None, x: str | None) -> dict[str, str]:
    """Variable -> column: either x, or n and d."""
    if (x is None) == (n is None and d is None) or (x is None and (n is None or d is None)):
        given = ", ".join(f"{k} = {v}" for k, v in (("x", x), ("n", n), ("d", d)) if v is not None) or "none"
        raise ValueError(f"give x for a law of one variable, or n and d for two; got {given}")
    return {"x": x} if x is not None else {"N": str(n), "D": str(d)}


def _check_variables(law: Law, columns: Mapping[str, str]) -> None:
    if set(law.variables) != set(columns):
        wanted = "x" if law.variables == ("x",) else "n and d"
        raise ValueError(f"law {law.name} needs {wanted}, got {', '.join(columns)}")


def _ceiling(given: float | None, response: Floats) -> float | None:
    """Assumption: a response that never exceeds 1 is a share, whose limit is 1 (for a small one the limit hardly matters)."""
    return given if given is not None else 1.0 if response.max() <= 1.0 else None


def _of(group: Mapping[str, str]) -> str:
    return "".join(f", {name} = {value}" for name, value in group.items())


def _rms(errors: Floats) -> float | None:
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else None


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
