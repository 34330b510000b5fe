"""Compare families in any table of runs: the same verdicts as a study's, for columns named by the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scaling.laws import forms
from scaling.laws.tables import Table, numbers, read_table
from scaling.verdicts.account import add_checklists
from scaling.verdicts.cells import Cells
from scaling.verdicts.entries import plain
from scaling.verdicts.ranking import rank_families
from scaling.verdicts.study import judge

RESAMPLES = 500


def compare_table(
    path: str | Path,
    *,
    family: str,
    n: str,
    d: str,
    y: str,
    kind: str | None = None,
    seed_column: str | None = None,
    ceiling: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge every family of a table and compare all pairs.

    Args:
        path: CSV or Parquet.
        family: column of names; kind: column of their kinds.
        n, d, y: columns of N, D and the response.
        seed_column: runs of one seed and D share their noise; without it every row counts as the same seed.
        ceiling: of a bounded response; None fits Chinchilla's form.
        seed: of starts and resamples.

    Returns:
        ``{"families": [{"family", "fit", "holdout", "verdict"}], "pairs": [...], "verdict": [sentences]}``.

    Raises:
        TableError: for a bad table.
    """
    labels = [family, *([kind] if kind else []), *([seed_column] if seed_column else [])]
    table = read_table(path, [n, d, y], labels)
    if seed_column is not None:
        numbered = pl.col(seed_column).rank("dense").cast(pl.Float64)
        table = Table(table.path, table.frame.with_columns(numbered.alias(seed_column)))
    families = [
        _cells(str(name), rows, n, d, y, kind, seed_column)
        for (name,), rows in table.frame.group_by(family, maintain_order=True)
    ]
    law = forms.chinchilla() if ceiling is None else forms.bounded(ceiling)
    part, judged, skills = judge(families, law, seed=seed, resamples=RESAMPLES)
    told = {"response": f"column {y} of {Path(path).name}", "counting": f"N is column {n}, D is column {d}"}
    add_checklists(part, judged, skills, {cells.family: told for cells in families})
    ranked = rank_families(judged, skills, part["fits"])
    for entry in part["fits"]:
        del entry["draws"]
    return plain(
        {
            "families": [
                {
                    "family": verdict["family"],
                    "fit": fit_,
                    "holdout": [h for h in part["holdout"] if h["family"] == verdict["family"]],
                    "verdict": verdict,
                }
                for fit_, verdict in zip(part["fits"], ranked["verdicts"], strict=True)
            ],
            "pairs": ranked["pairs"],
            "verdict": ranked["summary"],
        }
    )


def _cells(name: str, rows: pl.DataFrame, n: str, d: str, y: str, kind: str | None, seed_column: str | None) -> Cells:
    seeds = np.zeros(rows.height) if seed_column is None else rows[seed_column].to_numpy()
    return Cells(
        name,
        str(rows[kind][0]) if kind else name,
        y,
        [f"{name} row {i + 1}" for i in range(rows.height)],
        numbers(rows, n),
        numbers(rows, d),
        seeds,
        numbers(rows, y),
        np.full(rows.height, np.nan),
        [],
    )
