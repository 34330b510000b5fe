"""The status of a study on the terminal: families, running jobs, running runs, and runs that need attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from scaling.jobs.status import RUNNING, STATES, STOPPED, WAITING, CellStatus, PackStatus, StudyStatus
from scaling.runs.records import DIVERGED, DONE, FAILED

STYLES = {DONE: "green", DIVERGED: "yellow", RUNNING: "bold blue", STOPPED: "magenta", FAILED: "bold red", WAITING: "dim"}


def render(status: StudyStatus, rows: int | None = None) -> RenderableType:
    """``status`` as text and tables, in about ``rows`` lines at most; None means no limit."""
    jobs = [*status.tuning, *status.pretraining, *status.packs]
    active = [pack for pack in jobs if pack.counts[RUNNING]]
    running = [(pack, cell) for pack in active for cell in pack.cells if cell.state == RUNNING]
    trouble = [(pack, cell) for pack in jobs for cell in pack.cells if cell.state in (FAILED, STOPPED, DIVERGED)]
    families = list(dict.fromkeys(pack.family for pack in status.packs))
    free = None if rows is None else max(4, rows - len(families) - 12)
    parts: list[RenderableType] = [_headline(status), _families(status, families)]
    if len(status.packs) > len(families) or status.tuning or status.pretraining:
        parts.append(_jobs(jobs, active, None if free is None else max(2, free // 4)))
    if running:
        parts.append(_running(running, None if free is None else max(2, free // 2)))
    if trouble:
        parts.append(_trouble(trouble, None if free is None else max(2, free // 4)))
    return Group(*parts)


def as_data(status: StudyStatus) -> dict[str, Any]:
    """``status`` as plain values for JSON."""
    return {
        "study": status.study,
        "ended": status.ended,
        "counts": {state: status.counts[state] for state in STATES},
        **{
            kind: [
                {
                    "name": pack.name,
                    "family": pack.family,
                    "counts": {state: pack.counts[state] for state in STATES},
                    "cells": [asdict(cell) for cell in pack.cells],
                }
                for pack in jobs
            ]
            for kind, jobs in (("tuning", status.tuning), ("pretraining", status.pretraining), ("packs", status.packs))
        },
    }


def _headline(status: StudyStatus) -> Text:
    counts = status.counts
    parts = [(f"{counts[state]} {state}", STYLES[state]) for state in STATES if counts[state]]
    text = Text(f"{status.study}: {counts.total()} runs: ")
    for index, (words, style) in enumerate(parts):
        text.append(", " * bool(index)).append(words, style)
    backbones = sum((job.counts for job in status.pretraining), Counter())
    if backbones:
        text.append(f"; backbones: {backbones[DONE]} of {backbones.total()} done")
    return text


def _table(*names: str, numbers: Iterable[str] = (), title: str | None = None) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title=title, title_justify="left", title_style="bold")
    for name in names:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _counted(counts: Counter[str]) -> list[str]:
    return [f"[{STYLES[state]}]{counts[state]}[/]" if counts[state] else "" for state in STATES]


def _families(status: StudyStatus, families: list[str]) -> Table:
    table = _table("family", numbers=("runs", *STATES))
    for family in families:
        counts = sum((pack.counts for pack in status.packs if pack.family == family), Counter())
        table.add_row(family, str(counts.total()), *_counted(counts))
    return table


def _jobs(jobs: list[PackStatus], active: list[PackStatus], limit: int | None) -> RenderableType:
    """Running jobs and jobs with trouble; the others are summed up in one line."""
    troubled = [pack for pack in jobs if pack not in active and pack.counts[FAILED] + pack.counts[STOPPED]]
    shown = (active + troubled)[:limit]
    table = _table("job", numbers=("runs", *STATES), title="jobs")
    for pack in shown:
        table.add_row(escape(pack.name), str(len(pack.cells)), *_counted(pack.counts))
    others = [pack for pack in jobs if pack not in shown]
    ended = sum(pack.counts[DONE] + pack.counts[DIVERGED] == len(pack.cells) for pack in others)
    rest = Text(f"not shown: {len(others)} jobs, {ended} of them with all runs done", "dim")
    return Group(table, rest) if shown else rest


def _running(running: list[tuple[PackStatus, CellStatus]], limit: int | None) -> RenderableType:
    table = _table("running", "machine", numbers=("step", "loss", "final loss", "images/s", "left"))
    for pack, cell in running[:limit]:
        name = cell_name(cell) + (f" rate={cell.rate:g}" if pack.name.startswith("tune") and cell.rate else "")
        progress = cell.progress
        if progress is None:
            table.add_row(name, escape(cell.machine), "starting", "", "", "", "")
            continue
        table.add_row(
            name,
            escape(cell.machine),
            f"{progress.step}/{progress.steps}",
            "" if progress.loss is None else f"{progress.loss:.3f}",
            "" if cell.forecast is None else f"{cell.forecast.loss:.3f} ({cell.forecast.low:.3f} to {cell.forecast.high:.3f})",
            "" if progress.images_per_second is None else f"{progress.images_per_second:,.0f}",
            "" if progress.seconds_left is None else clock(progress.seconds_left),
        )
    return _with_rest(table, len(running), limit, "running")


def _trouble(cells: list[tuple[PackStatus, CellStatus]], limit: int | None) -> RenderableType:
    table = _table("not done", "state", "why")
    order = {FAILED: 0, STOPPED: 1, DIVERGED: 2}
    for _, cell in sorted(cells, key=lambda pair: order[pair[1].state])[:limit]:
        at = f"step {cell.progress.step}/{cell.progress.steps}: " if cell.progress else ""
        table.add_row(cell_name(cell), f"[{STYLES[cell.state]}]{cell.state}[/]", escape(at + cell.reason))
    return _with_rest(table, len(cells), limit, "not done")


def _with_rest(table: Table, count: int, limit: int | None, what: str) -> RenderableType:
    more = 0 if limit is None else count - limit
    return Group(table, Text(f"and {more} more {what} (all: --once)", "dim")) if more > 0 else table


def cell_name(cell: CellStatus) -> str:
    """A run by its place in the grid."""
    return f"{cell.family} N={cell.target} D={cell.images} seed={cell.seed}"


def clock(seconds: float) -> str:
    """``seconds`` as minutes:seconds, or hours:minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
