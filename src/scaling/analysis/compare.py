"""Compare families in any table of runs: the same verdicts as for a study, with columns that the user names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scaling.analysis.checklist_answers import with_checklists
from scaling.analysis.fits_rows import frontier_row, jsonable
from scaling.analysis.ranking import rank_families
from scaling.analysis.study_statistics import judge
from scaling.analysis.usable_runs import Cells
from scaling.laws.any_table.ceilings import CLASSES, group_ceiling, number_of
from scaling.laws.any_table.choose_rows import Choice
from scaling.laws.any_table.read_table import (
    EVERYTHING,
    ROW,
    Table,
    numbers,
    read_table,
    require_apart,
    require_distinct,
)
from scaling.laws.any_table.table_file import Readable, TableError
from scaling.laws.forms.catalogue import law_for
from scaling.laws.law_errors import require_count

RESAMPLES = 500
"""Bootstrap resamples: as many as a study takes by default."""
SEED = "(seed)"
"""Column with a number per seed."""
FAMILY = "(family)"
"""Column of the one family of a table without families."""
ALL = "all rows"
"""What such a family is called."""


@dataclass(frozen=True)
class JudgedTable:
    """A table of runs and what its laws say.

    Attributes:
        table: its rows; families: the rows of each family.
        fits: ``{"fits", "holdout", "frontier", "forms", "verdicts", "pairs", "summary"}``, as for a study.
    """

    table: Table
    families: list[Cells]
    fits: dict[str, Any]


def judge_table(
    path: Readable,
    *,
    n: str,
    d: str,
    y: str,
    family: str | None = None,
    kind: str | None = None,
    seed_column: str | None = None,
    flop: str | None = None,
    ceiling: float | str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    choice: Choice = EVERYTHING,
) -> JudgedTable:
    """The laws of a table's families and all that a study's report says of them.

    Args:
        family: column of names; None for one family, called ``ALL``.
        flop: column of training compute, for the compute-optimal frontier; None for no frontier.
        path, kind, n, d, y, seed_column, ceiling, seed, progress, choice: as for ``compare_table``.

    Raises:
        TableError: for a bad table, or a family of two kinds.
        InputError: for a setting out of range.
    """
    require_count("seed", seed)
    number_of(ceiling)
    require_apart(n=n, d=d, y=y, family=family, flop=flop)
    labels = [column for column in (family, kind, seed_column) if column]
    wanted = [n, d, y, *([flop] if flop else []), *([CLASSES] if ceiling == CLASSES else [])]
    table = read_table(path, wanted, labels, choice=choice)
    limit = group_ceiling(ceiling, table.frame, y)
    bounded = limit is not None and np.isfinite(limit)
    law = law_for("bounded" if bounded else "chinchilla", {"N": n, "D": d}, limit)
    for column in (n, d):
        require_distinct(table, column)
    if family is None:
        family = FAMILY
        table = replace(table, frame=table.frame.with_columns(pl.lit(ALL).alias(FAMILY)))
    if kind is not None:
        _require_one_kind(table, family, kind)
    if seed_column is not None:
        numbered = pl.col(seed_column).rank("dense").cast(pl.Float64)
        table = replace(table, frame=table.frame.with_columns(numbered.alias(SEED)))
    groups = table.frame.group_by(family, maintain_order=True)
    families = [_cells(str(name), rows, (n, d, y), kind, flop) for (name,), rows in groups]
    part, judged, skills = judge(families, law, seed=seed, resamples=RESAMPLES, progress=progress)
    known = {"response": f"column {y} of {Path(table.name).name}", "counting": f"N is column {n}, D is column {d}"}
    if table.not_used:
        known["left out"] = "; ".join(one.sentence() for one in table.not_used)
    fits = with_checklists(part, judged, skills, {cells.family: known for cells in families})
    frontier = [row for one in judged if (row := frontier_row(one))] if flop else []
    entries = {"fits": fits, "holdout": part["holdout"], "frontier": frontier, "forms": []}
    return JudgedTable(table, families, entries | rank_families(judged, skills, fits))


def compare_table(
    path: Readable,
    *,
    family: str,
    n: str,
    d: str,
    y: str,
    kind: str | None = None,
    seed_column: str | None = None,
    ceiling: float | str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    choice: Choice = EVERYTHING,
) -> dict[str, Any]:
    """Judge every family of a table and compare all pairs.

    Args:
        path: a file, "-" for standard input, a frame, or a table that is open.
        family: column of names; kind: column of their kinds.
        n, d, y: columns of N, D and the response.
        seed_column: column of seeds: runs of one seed and D share noise; without it all rows count as one seed.
        ceiling: of a bounded response, or "classes" for chance by the column of that name; with None or an infinite one
            Chinchilla's form is fitted.
        seed: of starts and resamples.
        progress: called after each family with the number of families done and of all.
        choice: which rows are used.

    Returns:
        ``{"families": [{"family", "fit", "holdout", "verdict"}], "pairs": [...], "verdict": [sentences], "not_used"}``.

    Raises:
        TableError: for a bad table, or a family of two kinds.
        InputError: for a setting out of range.
    """
    judged = judge_table(
        path,
        family=family,
        n=n,
        d=d,
        y=y,
        kind=kind,
        seed_column=seed_column,
        ceiling=ceiling,
        seed=seed,
        progress=progress,
        choice=choice,
    )
    said = judged.fits
    return jsonable(
        {
            "families": [
                {
                    "family": verdict["family"],
                    "fit": {name: value for name, value in fit_.items() if name != "draws"},
                    "holdout": [h for h in said["holdout"] if h["family"] == verdict["family"]],
                    "verdict": verdict,
                }
                for fit_, verdict in zip(said["fits"], said["verdicts"], strict=True)
            ],
            "pairs": said["pairs"],
            "verdict": said["summary"],
            "not_used": judged.table.told_not_used(),
        }
    )


def _require_one_kind(table: Table, family: str, kind: str) -> None:
    """Raise TableError if a family has two kinds."""
    kinds = table.frame.group_by(family, maintain_order=True).agg(pl.col(kind).unique(maintain_order=True))
    for name, own in kinds.iter_rows():
        if len(own) > 1:
            raise TableError(f"{table.name}: column {kind}: {name} has more than one: {', '.join(own)}")


def _cells(name: str, rows: pl.DataFrame, columns: tuple[str, str, str], kind: str | None, flop: str | None) -> Cells:
    n, d, y = columns
    return Cells(
        name,
        str(rows[kind][0]) if kind else "",
        y,
        [f"row {row}" for row in rows[ROW]],
        numbers(rows, n),
        numbers(rows, d),
        rows[SEED].to_numpy() if SEED in rows.columns else np.zeros(rows.height),
        numbers(rows, y),
        numbers(rows, flop) if flop else np.full(rows.height, np.nan),
        [],
    )
