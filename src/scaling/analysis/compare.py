"""Compare families in any table of runs: the same verdicts as for a study, with columns that the user names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scaling.analysis.checklist_answers import with_checklists
from scaling.analysis.fits_rows import jsonable
from scaling.analysis.ranking import rank_families
from scaling.analysis.study_statistics import judge
from scaling.analysis.usable_runs import Cells
from scaling.laws.any_table.read_table import (
    CLASSES,
    ROW,
    Table,
    TableError,
    group_ceiling,
    number_of,
    numbers,
    read_table,
    require_apart,
    require_distinct,
)
from scaling.laws.forms.catalogue import law_for
from scaling.laws.law_errors import require_count

RESAMPLES = 500
"""Bootstrap resamples: as many as a study takes by default."""
SEED = "(seed)"
"""Column with a number per seed."""


def compare_table(
    path: str | Path,
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
) -> dict[str, Any]:
    """Judge every family of a table and compare all pairs.

    Args:
        path: CSV or Parquet.
        family: column of names; kind: column of their kinds.
        n, d, y: columns of N, D and the response.
        seed_column: column of seeds: runs of one seed and D share noise; without it all rows count as one seed.
        ceiling: of a bounded response, or "classes" for chance by the column of that name; with None or an infinite one
            Chinchilla's form is fitted.
        seed: of starts and resamples.
        progress: called after each family with the number of families done and of all.

    Returns:
        ``{"families": [{"family", "fit", "holdout", "verdict"}], "pairs": [...], "verdict": [sentences]}``.

    Raises:
        TableError: for a bad table, or a family of two kinds.
        InputError: for a setting out of range.
    """
    require_count("seed", seed)
    number_of(ceiling)
    require_apart(n=n, d=d, y=y, family=family)
    labels = [family, *([kind] if kind else []), *([seed_column] if seed_column else [])]
    table = read_table(path, [n, d, y, *([CLASSES] if ceiling == CLASSES else [])], labels)
    limit = group_ceiling(ceiling, table.frame, y)
    bounded = limit is not None and np.isfinite(limit)
    law = law_for("bounded" if bounded else "chinchilla", {"N": n, "D": d}, limit)
    for column in (n, d):
        require_distinct(table, column)
    if kind is not None:
        _require_one_kind(table, family, kind)
    if seed_column is not None:
        numbered = pl.col(seed_column).rank("dense").cast(pl.Float64)
        table = Table(table.path, table.frame.with_columns(numbered.alias(SEED)))
    families = [_cells(str(name), rows, n, d, y, kind) for (name,), rows in table.frame.group_by(family, maintain_order=True)]
    part, judged, skills = judge(families, law, seed=seed, resamples=RESAMPLES, progress=progress)
    known = {"response": f"column {y} of {Path(path).name}", "counting": f"N is column {n}, D is column {d}"}
    fits = with_checklists(part, judged, skills, {cells.family: known for cells in families})
    ranked = rank_families(judged, skills, fits)
    return jsonable(
        {
            "families": [
                {
                    "family": verdict["family"],
                    "fit": {name: value for name, value in fit_.items() if name != "draws"},
                    "holdout": [h for h in part["holdout"] if h["family"] == verdict["family"]],
                    "verdict": verdict,
                }
                for fit_, verdict in zip(fits, ranked["verdicts"], strict=True)
            ],
            "pairs": ranked["pairs"],
            "verdict": ranked["summary"],
        }
    )


def _require_one_kind(table: Table, family: str, kind: str) -> None:
    """Raise TableError if a family has two kinds."""
    kinds = table.frame.group_by(family, maintain_order=True).agg(pl.col(kind).unique(maintain_order=True))
    for name, own in kinds.iter_rows():
        if len(own) > 1:
            raise TableError(f"{table.path}: column {kind}: {name} has more than one: {', '.join(own)}")


def _cells(name: str, rows: pl.DataFrame, n: str, d: str, y: str, kind: str | None) -> Cells:
    return Cells(
        name,
        str(rows[kind][0]) if kind else "",
        y,
        [f"row {row}" for row in rows[ROW]],
        numbers(rows, n),
        numbers(rows, d),
        rows[SEED].to_numpy() if SEED in rows.columns else np.zeros(rows.height),
        numbers(rows, y),
        np.full(rows.height, np.nan),
        [],
    )
