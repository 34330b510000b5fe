"""Three questions to a fitted law of N and D: which loss here, which N and D for this budget, which budget for this loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from scaling.laws.any_table.ceilings import CLASSES, group_ceiling, number_of
from scaling.laws.any_table.choose_rows import Choice
from scaling.laws.any_table.forecast_answers import answer_to_budget, answer_to_target, responses_at, with_honest
from scaling.laws.any_table.pool import OnGroupDone
from scaling.laws.any_table.read_table import (
    EVERYTHING,
    ROW,
    Table,
    numbers,
    read_table,
    require_apart,
    require_distinct,
    without_largest,
)
from scaling.laws.any_table.table_file import Readable, TableError, TableFile, open_table
from scaling.laws.any_table.written_numbers import as_numbers
from scaling.laws.compute_optimal.frontier import Compute, SixND, tabled_compute
from scaling.laws.compute_optimal.isoflop import describe_isoflop
from scaling.laws.fitting.solver import fit
from scaling.laws.forms.catalogue import law_for
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.bootstrap import pairs, residual_draws, shortened
from scaling.laws.law_errors import InputError, require_count, require_positive

SEARCH = 1e4
"""Factor beyond the data to which N is searched where C = 6 N D (assumption)."""
SAME_PRICE = 0.01
"""Relative deviation up to which a column of compute counts as a multiple of N D (assumption): it may be rounded."""
MOST_LEVELS = 400
"""Most distinct N and D together from which a price is read (assumption): its least squares take a column for each."""
MOST_GROUPS = 100
"""Most values of a column that are taken to be groups (assumption): beyond it they are rather names of runs."""
ENOUGH_ROWS = 4
"""Rows per value from which on a column's values are taken to be groups (assumption)."""
NO_GROUPS = ("status", "reason", "machine", "device", "precision", "torch_version", "key", "study", "pack")
"""Columns of a study's runs table that say how a run went, not what it is of."""
RESAMPLES = 200
"""Resamples for the intervals of budgets and targets (assumption)."""


def forecast_groups(
    path: Readable,
    *,
    n: str,
    d: str,
    y: str,
    law: str = "chinchilla",
    ceiling: float | str | None = None,
    flop: str | None = None,
    at: Sequence[tuple[float, float]] = (),
    budgets: Sequence[float] = (),
    targets: Sequence[float] = (),
    by: Sequence[str] = (),
    delta: float | None = None,
    drop_largest: int = 0,
    seed: int = 42,
    progress: OnGroupDone | None = None,
    choice: Choice = EVERYTHING,
) -> list[dict[str, Any]]:
    """Fit a table, or each group of it, and answer the questions.

    Args:
        path: a file, "-" for standard input, a frame, or a table that is open.
        n, d, y: columns of N, D and the response.
        law: of N and D; ceiling: for a bounded one; "classes" for chance among the column of that name.
        flop: column of training compute, from which the price of (N, D) is read; None for C = 6 N D.
        at: (N, D) at which the response is wanted.
        budgets: FLOP for which the best N and D are wanted.
        targets: responses for which the least FLOP are wanted.
        by: columns whose values make the groups.
        delta: Huber's; None for 1.345 times the spread of the residuals.
        drop_largest: number of rows with the largest responses to leave out in each group; they are listed.
        seed: of starts and resamples.
        progress: called after each group.
        choice: which rows are used.

    Returns:
        One entry per group: ``{"group", "law", "parameters", "status", "compute", "rows", "dropped", "at": [...],
        "budgets": [...], "targets": [...], "isoflop", "warnings", "not_used"}``. Every answer has an interval or the reason
        why there is none, and warnings. ``isoflop`` is what ``describe_isoflop`` returns. A group that determines no law has
        a ``reason`` and no answers, unless it is the only one.

    Raises:
        TableError: for a bad table.
        InputError: for no question or one that is not positive, a law of one variable, or rows that determine no law.
    """
    if not (at or budgets or targets):
        raise InputError("no question: give at (N, D), a budget or a target")
    require_count("seed", seed)
    require_count("drop_largest", drop_largest)
    if delta is not None:
        require_positive("delta", delta)
    by_classes = ceiling == CLASSES
    law_for(law, {"N": n, "D": d}, 1.0 if by_classes else number_of(ceiling))
    for name, values in (("at", [v for pair in at for v in pair]), ("budget", budgets), ("target", targets)):
        for value in values:
            require_positive(name, value)
    require_apart(n=n, d=d, y=y, flop=flop, **{f"by ({name})": name for name in by})
    source = open_table(path)
    table = read_table(source, [n, d, y, *([flop] if flop else []), *([CLASSES] if by_classes else [])], by, choice=choice)
    for column in (n, d):
        require_distinct(table, column)
    asked = _Asked(table.name, n, d, y, law, ceiling, flop, at, budgets, targets, delta, drop_largest, seed)
    groups = list(table.groups(by))
    warnings = [] if by else groups_within(source, table)
    entries = []
    for done, (group, rows) in enumerate(groups, 1):
        try:
            entry = _forecast(asked, rows)
        except InputError as error:
            if len(groups) == 1:
                raise
            entry = {"law": law, "parameters": {}, "rows": rows.height, "reason": str(error)}
        entries.append({"group": group} | entry | {"warnings": warnings, "not_used": table.told_not_used()})
        if progress is not None:
            progress(done, len(groups))
    if not any(entry["parameters"] for entry in entries):
        raise TableError(f"{table.name}: no group determines a law: {entries[0]['reason']}")
    return entries


def forecast_table(path: Readable, **asked: Any) -> dict[str, Any]:
    """The answers of one law that is fitted to all rows: the only entry of ``forecast_groups``, whose arguments it takes."""
    (entry,) = forecast_groups(path, **asked)
    return entry


@dataclass(frozen=True)
class _Asked:
    """What ``forecast_groups`` was asked, the same for all groups."""

    name: str
    n: str
    d: str
    y: str
    law: str
    ceiling: float | str | None
    flop: str | None
    at: Sequence[tuple[float, float]]
    budgets: Sequence[float]
    targets: Sequence[float]
    delta: float | None
    drop_largest: int
    seed: int


def _forecast(asked: _Asked, rows: pl.DataFrame) -> dict[str, Any]:
    """The answers for one group of rows. Raises InputError if they determine no law."""
    n, d, y, flop, seed = asked.n, asked.d, asked.y, asked.flop, asked.seed
    form = law_for(asked.law, {"N": n, "D": d}, group_ceiling(asked.ceiling, rows, y))
    if asked.drop_largest >= rows.height:
        raise TableError(f"{asked.name}: drop_largest is {asked.drop_largest}, which leaves none of {rows.height} rows")
    kept, dropped = without_largest(rows, y, asked.drop_largest)
    params, images, response = (numbers(kept, column) for column in (n, d, y))
    found = fit(form, {"N": params, "D": images}, response, delta=asked.delta, seed=seed)
    if not found.parameters:
        raise TableError(f"{asked.name}: {'; '.join(found.reasons.values())}")
    spent = numbers(kept, flop) if flop else 6.0 * params * images
    compute = _price(asked.name, params, images, spent if flop else None)
    short, used = shortened(found)
    searched = asked.budgets or asked.targets
    draws = form.internal(pairs(short, RESAMPLES, seed), found.centre) if searched else found.theta[None]
    return {
        "law": form.name,
        "parameters": found.parameters,
        "status": found.status,
        "compute": f"column {flop}" if flop else "6 N D",
        "rows": found.rows,
        "dropped": dropped.select(pl.col(ROW).alias("row"), y).to_dicts(),
        "at": with_honest(responses_at(found, asked.at), found, form, params, images, response, seed),
        "budgets": [answer_to_budget(found, draws, compute, budget) for budget in asked.budgets],
        "targets": [answer_to_target(found, draws, compute, target) for target in asked.targets],
        "isoflop": describe_isoflop(
            short, params[used], images[used], spent[used], compute, residual_draws(short, RESAMPLES, seed)
        ),
    }


def groups_within(source: TableFile, table: Table) -> list[str]:
    """A warning for a table that seems to hold several groups: a column of names whose values share places (N, D) rows.

    Such a column has 2 to MOST_GROUPS texts, and as many rows per text as ENOUGH_ROWS at least.
    """
    found = []
    frame = source.load(source.columns).with_row_index(ROW, 1).filter(pl.col(ROW).is_in(table.frame[ROW].to_list()))
    for name in source.columns:
        column = frame[name]
        if column.dtype != pl.String or name in NO_GROUPS:
            continue
        text = column.str.strip_chars().drop_nulls()
        text = text.filter(text != "")
        if not len(text) or as_numbers(text, source.separator).null_count() == 0:
            continue
        values = text.unique(maintain_order=True)
        if 2 <= len(values) <= MOST_GROUPS and len(text) >= ENOUGH_ROWS * len(values) and set(values) != {"train", "test"}:
            found.append((name, len(values), ", ".join(values[:3].to_list()) + (" ..." if len(values) > 3 else "")))
    if not found:
        return []
    name, count, shown = max(found, key=lambda one: one[1])
    return [f"column {name} has {count} values ({shown}): one law is fitted to all of them; --by {name} fits one to each"]


def _six_nd(params: Floats, images: Floats, factor: float = 6.0) -> SixND:
    """C = factor N D, searched to SEARCH times beyond the data in N and as far in D."""
    slack = np.log(SEARCH)
    low, high = float(np.log(params.min()) - slack), float(np.log(params.max()) + slack)
    cheap, dear = np.log(factor * params.min() * images.min()), np.log(factor * params.max() * images.max())
    return SixND((low, high), (float(cheap - slack), float(dear + 2.0 * slack)), factor)


def _price(name: str, params: Floats, images: Floats, flop: Floats | None) -> Compute:
    """Price of (N, D): 6 N D, another multiple of N D, or a sum over the levels of a grid.

    Raises:
        TableError: if the table's compute is no multiple of N D, and N and D form no grid that shows it.
    """
    if flop is None:
        return _six_nd(params, images)
    ratio = flop / (params * images)
    middle = float(np.median(ratio))
    if np.abs(ratio / middle - 1.0).max() <= SAME_PRICE:
        return _six_nd(params, images, middle)
    levels = len(np.unique(params)) + len(np.unique(images))
    if levels > min(MOST_LEVELS, len(flop)):
        raise TableError(
            f"{name}: the flop column is no multiple of N D, and {levels} levels of N and D in {len(flop)} rows form no grid "
            "that would show the price; leave the column out for 6 N D"
        )
    return tabled_compute(params, images, flop)
