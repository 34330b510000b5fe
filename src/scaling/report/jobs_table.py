"""What jobs asked for and what they used, as the page's table and as jobs.csv."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import polars as pl

from scaling.jobs.job_notes import ENDED, JobNote
from scaling.report.figures.theme import family_order


def jobs_csv(notes: Iterable[JobNote], now: float) -> pl.DataFrame:
    """jobs.csv: one row per attempt, with all that its note says. An attempt with an open note was killed or still runs."""
    types = {"str": pl.String, "int": pl.Int64, "float": pl.Float64}
    schema = {field.name: types[str(field.type).split(" ")[0]] for field in fields(JobNote)}
    return pl.DataFrame([asdict(note) | {"outcome": note.outcome_at(now)} for note in notes], schema=schema)


def jobs_table(notes: Iterable[JobNote], runs: pl.DataFrame, now: float) -> list[dict[str, Any]]:
    """One row per (family, rule): jobs, attempts, the endings other than success, memory and time requested and used.

    Memory and minutes are those of the largest; ``overhead`` is the seconds of its jobs beyond the training of their cells, a
    cell, and None where nothing was trained. ``cell_memory_mb`` is the peak of the largest cell, ``ghost`` counts cells whose
    batch norm saw micro-batches: of training alone.
    """
    groups: dict[tuple[str, str], list[JobNote]] = {}
    for note in notes:
        groups.setdefault((note.family, note.rule), []).append(note)
    rows = []
    for family in family_order({family for family, _ in groups}):
        for rule in ("tune", "train"):
            own = groups.get((family, rule), [])
            if not own:
                continue
            trained = sum(note.trained for note in own)
            beyond = sum(note.seconds - note.cell_seconds / note.at_a_time for note in own)
            cells = runs.filter(pl.col("family") == family) if rule == "train" else runs.clear()
            peak = max(cells["peak_memory"].drop_nulls(), default=None)
            rows.append(
                {
                    "family": family,
                    "rule": rule,
                    "jobs": len({note.name for note in own}),
                    "attempts": len(own),
                    "unwell": _counted(note.outcome_at(now) for note in own),
                    "asked_memory_mb": _largest(note.asked_memory_mb for note in own),
                    "used_memory_mb": _largest(note.peak_memory_mb for note in own),
                    "asked_seconds": _largest(60 * note.asked_minutes for note in own if note.asked_minutes is not None),
                    "used_seconds": _largest(note.seconds for note in own),
                    "trained": trained,
                    "overhead": beyond / trained if trained else None,
                    "cell_memory_mb": peak / 1e6 if peak is not None else None,
                    "ghost": cells["ghost_batch_norm"].sum(),
                }
            )
    return rows


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _counted(outcomes: Iterable[str]) -> dict[str, int]:
    """The number of attempts per ending, for endings other than success."""
    found: dict[str, int] = {}
    for outcome in outcomes:
        if outcome != ENDED:
            found[outcome] = found.get(outcome, 0) + 1
    return found
