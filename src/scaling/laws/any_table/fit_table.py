"""Fit any table: what the command line prints and other programs read as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from scaling.laws.any_table.ceilings import CLASSES, group_ceiling, number_of
from scaling.laws.any_table.checklist import AUTOMATIC_DELTA
from scaling.laws.any_table.choose_rows import Choice
from scaling.laws.any_table.describe import CURVATURE, describe_fit
from scaling.laws.any_table.pool import OnGroupDone, work_in_batches, work_through
from scaling.laws.any_table.read_table import (
    EVERYTHING,
    ROW,
    numbers,
    read_table,
    require_apart,
    require_distinct,
    require_unique,
    variables,
    without_largest,
)
from scaling.laws.any_table.table_file import Readable, TableError
from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.many import fit_many
from scaling.laws.fitting.selection import choose
from scaling.laws.fitting.solver import fit
from scaling.laws.forms.catalogue import BOUNDED, law_for, law_named
from scaling.laws.intervals.agreement import honest_intervals
from scaling.laws.law_errors import InputError, require_count, require_positive

HONEST_GROUPS = 100
"""Groups up to which other laws are tried as well (assumption): they take about a second per group."""
MANY_GROUPS = 1000
"""Groups beyond which those of a named law are fitted in batches, with few starts and with intervals from the curvature: fitted
alone, a group takes ten times as long."""
MANY_STARTS = 4
"""Most starts per group in a batch (assumption); the certificate says how many of them agree."""
BATCH = 50
"""Groups per batch (assumption)."""


def fit_table(
    path: Readable,
    *,
    y: str,
    law: str = "chinchilla",
    n: str | None = None,
    d: str | None = None,
    x: str | None = None,
    unique: str | None = None,
    rate: str | None = None,
    by: Sequence[str] = (),
    delta: float | None = 1e-3,
    drop_largest: int = 0,
    bootstrap: int = 0,
    seed: int = 42,
    starts: int = 16,
    ceiling: float | str | None = None,
    workers: int = 1,
    progress: OnGroupDone | None = None,
    choice: Choice = EVERYTHING,
) -> list[dict[str, Any]]:
    """Fit a law to a table, or to each group of it.

    Args:
        path: a file, "-" for standard input, a frame, or a table that is open.
        y: column of the response.
        law: name of a law, or "auto" for the one that best predicts larger rows from smaller ones.
        n, d: columns of a law of N and D; x: column of a law of one variable.
        unique: column of the unique data among d, or rate: column of the learning rate, for a third variable.
        by: columns whose values make the groups.
        delta: Huber's; None for 1.345 times the spread of the residuals.
        drop_largest: number of rows with the largest responses to leave out in each group; they are listed.
        bootstrap: pair resamples for standard errors and intervals; 0 for profile intervals.
        seed: of starts and resamples.
        starts: random starts per fit.
        ceiling: of a bounded response; infinite for none; "classes" for chance among the column of that name.
        workers: processes among which many groups are shared (``any_table.pool``).
        progress: called after each group.
        choice: which rows are used.

    Returns:
        One entry per group: group, law, status, rows, parameters, objective, standard_errors, intervals, certificate and more.
        ``not_used`` says which rows of the whole table were left out and why.
        ``intervals`` are right if the law holds; ``honest_intervals`` (``laws.intervals.agreement``; for at most HONEST_GROUPS
        groups) also if another law holds that predicts equally well. Beyond MANY_GROUPS groups of a named law there are at most
        MANY_STARTS starts, and ``intervals`` come from the curvature of each optimum, as ``interval_method`` says.

    Raises:
        TableError: for a bad table.
        InputError: for an unknown law or a setting out of range.
    """
    columns = variables(n, d, x, unique, rate)
    require_count("drop_largest", drop_largest)
    require_count("seed", seed)
    require_count("starts", starts, 1)
    require_count("bootstrap", bootstrap)
    if bootstrap == 1:
        raise InputError("bootstrap is 1; it must be 0 for none, or 2 or more")
    if delta is not None:
        require_positive("delta", delta)
    classes = [CLASSES] if ceiling == CLASSES else []
    limit = number_of(ceiling)
    if law != "auto":
        law_for(law, columns, 1.0 if classes and law in BOUNDED else limit)
    require_apart(**columns, y=y, **{f"by ({name})": name for name in by})
    table = read_table(path, [*columns.values(), y, *classes], by, choice=choice)
    for column in columns.values():
        require_distinct(table, column)
    if unique is not None:
        require_unique(table, unique, str(d))
    groups = list(table.groups(by))
    most = max(rows.height for _, rows in groups)
    if drop_largest >= most:
        raise TableError(f"{table.name}: drop_largest is {drop_largest}, which leaves none of {most} rows")
    if limit is not None and not (table.frame[y] < limit).any():
        least = table.frame[y].min()
        raise TableError(f"{table.name}: column {y}: no value lies below the ceiling {limit:g}; the smallest is {least:g}")
    asked = _Asked(
        table.name,
        y,
        columns,
        law,
        delta,
        drop_largest,
        bootstrap,
        seed,
        starts,
        ceiling,
        len(groups) <= HONEST_GROUPS,
        tuple(table.told_not_used()),
        tuple(one.sentence() for one in table.not_used),
    )
    if len(groups) > MANY_GROUPS and law != "auto":
        return work_in_batches(partial(_fit_batch, asked), groups, size=BATCH, workers=workers, progress=progress)
    return work_through(partial(_fit_group, asked), groups, workers=workers, progress=progress)


@dataclass(frozen=True)
class _Asked:
    """What ``fit_table`` was asked, the same for all groups."""

    path: str
    y: str
    columns: Mapping[str, str]
    law: str
    delta: float | None
    drop_largest: int
    bootstrap: int
    seed: int
    starts: int
    ceiling: float | str | None
    honest: bool
    not_used: tuple[dict[str, Any], ...]
    left_out: tuple[str, ...]


_Group = tuple[Mapping[str, str], pl.DataFrame]
"""(column -> value, rows)."""


def _fit_group(asked: _Asked, job: _Group) -> dict[str, Any]:
    """The entry of one group."""
    group, rows = job
    kept, dropped = without_largest(rows, asked.y, asked.drop_largest) if asked.drop_largest else (rows, rows.clear())
    data = {name: numbers(kept, column) for name, column in asked.columns.items()}
    response = numbers(kept, asked.y)
    scores = None
    ceiling = group_ceiling(asked.ceiling, rows, asked.y)
    if asked.law == "auto":
        laws, scores = choose(data, response, ceiling=ceiling, seed=asked.seed)
    else:
        laws = [law_named(asked.law, ceiling)]
    settings = {"delta": asked.delta, "starts": asked.starts, "seed": asked.seed}
    found = _first_readable(fit(one, data, response, **settings) for one in laws)
    told = _known_of(asked, group, scores)
    names = kept[ROW].to_list()
    entry: dict[str, Any] = {"group": group} | describe_fit(
        found, bootstrap=asked.bootstrap, seed=asked.seed, rows=names, told=told
    )
    entry["not_used"] = list(asked.not_used)
    if scores is not None:
        entry["scores"] = scores
    if asked.honest:
        honest = honest_intervals(found, data, response, entry["intervals"], seed=asked.seed)
        entry["honest_intervals"] = honest.pop("intervals")
        entry["honest"] = honest
    if asked.drop_largest:
        everything = {name: numbers(rows, column) for name, column in asked.columns.items()}
        whole = fit(found.law, everything, numbers(rows, asked.y), **settings)
        entry["dropped"] = dropped.select(pl.col(ROW).alias("row"), asked.y).to_dicts()
        entry["parameters_with_dropped"] = whole.parameters
    return entry


def _fit_batch(asked: _Asked, jobs: Sequence[_Group]) -> list[dict[str, Any]]:
    """The entries of one batch of groups, fitted together."""
    splits = [without_largest(rows, asked.y, asked.drop_largest) if asked.drop_largest else (rows, None) for _, rows in jobs]
    found = _fits(asked, jobs, [kept for kept, _ in splits])
    wholes = _fits(asked, jobs, [rows for _, rows in jobs]) if asked.drop_largest else []
    entries = []
    for i, ((group, _), (kept, dropped)) in enumerate(zip(jobs, splits, strict=True)):
        told = _known_of(asked, group, None)
        described = describe_fit(
            found[i], bootstrap=asked.bootstrap, seed=asked.seed, rows=kept[ROW].to_list(), told=told, profiles=False
        )
        entries.append({"group": group} | described | {"not_used": list(asked.not_used)})
        if dropped is not None:
            entries[-1]["dropped"] = dropped.select(pl.col(ROW).alias("row"), asked.y).to_dicts()
            entries[-1]["parameters_with_dropped"] = wholes[i].parameters
    return entries


def _fits(asked: _Asked, jobs: Sequence[_Group], frames: Sequence[pl.DataFrame]) -> list[Fit]:
    """Fits of the rows of a batch of groups; those with the same ceiling are fitted together."""
    laws = [law_named(asked.law, group_ceiling(asked.ceiling, rows, asked.y)) for _, rows in jobs]
    found: dict[int, Fit] = {}
    for law in dict.fromkeys(laws):
        mine = [i for i, one in enumerate(laws) if one == law]
        tables = [
            ({name: numbers(frames[i], column) for name, column in asked.columns.items()}, numbers(frames[i], asked.y))
            for i in mine
        ]
        settings = {"delta": asked.delta, "starts": min(asked.starts, MANY_STARTS), "seed": asked.seed}
        found |= dict(zip(mine, fit_many(law, tables, **settings), strict=True))
    return [found[i] for i in range(len(jobs))]


def _known_of(asked: _Asked, group: Mapping[str, str], scores: Mapping[str, float | None] | None) -> dict[str, str]:
    """Checklist item -> what is known about a group's fit beyond the fit itself.

    Args:
        asked: the question; group: column -> value of the rows fitted.
        scores: law -> score at rolling origins if the law was chosen ("auto"), else None.
    """
    of = "".join(f", {name} = {value}" for name, value in group.items())
    known = {
        "response": f"column {asked.y} of {Path(asked.path).name}{of}",
        "counting": ", ".join(f"{name} is column {column}" for name, column in asked.columns.items()),
        "choice": f"{asked.law}, named by the user",
        "left out": "; ".join(asked.left_out) or "no",
        "validation": "none; `scaling extrapolate` predicts rows that were held out",
    }
    if scores is not None:
        shown = ", ".join(f"{name} {score:.3g}" for name, score in scores.items() if score is not None)
        known["choice"] = f"by rolling origins inside the table, root mean square log error: {shown or 'no origin possible'}"
    if asked.delta is None:
        known["objective"] = AUTOMATIC_DELTA
    if asked.drop_largest:
        dropped = f"the {asked.drop_largest} largest responses, as the user asked; they are listed under dropped"
        known["left out"] = "; ".join((dropped, *asked.left_out))
    return known


def told_of_many(entries: Sequence[Mapping[str, Any]]) -> str | None:
    """How the fits of very many groups are cheaper than those of a few; None if they are not."""
    if not any(entry["interval_method"] == CURVATURE for entry in entries):
        return None
    most = max(entry["certificate"]["starts"] for entry in entries if entry["certificate"])
    return (
        f"{len(entries):,} groups: intervals from the curvature of each optimum, {most} starts each; "
        "fit a group alone for profile intervals"
    )


def _first_readable(fits: Iterable[Fit]) -> Fit:
    """The first fit whose parameters the table determines, else the first: the law that predicts best may have parameters that
    the table does not determine."""
    tried = []
    for found in fits:
        if found.status in ("converged", "at-bound"):
            return found
        tried.append(found)
    return tried[0]
