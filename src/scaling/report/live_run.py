"""A study that is being trained, on the terminal: one row per family, what goes on now, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scaling.jobs.status import RUNNING, STOPPED, UNTUNED, CellStatus, PackStatus, StudyStatus
from scaling.report.live_status import STYLES, cell_name, clock
from scaling.runs.records import DIVERGED, DONE, FAILED

MOST_TROUBLE: Final = 3
"""Runs without a result that are named; of the others only the number is shown."""


def render_run(status: StudyStatus, seconds_left: float | None, *, over: bool = False) -> RenderableType:
    """``status`` of a study whose last run will end in ``seconds_left`` (None if that is not known), in a few lines.

    ``over`` says that nothing is done any more.
    """
    families = list(dict.fromkeys(pack.family for pack in status.packs))
    # As wide as the terminal, the last column alone gives way: columns whose widths follow their words jump about.
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    table.add_column("family", no_wrap=True)
    table.add_column("runs done", justify="right", no_wrap=True, min_width=len("runs done"))
    table.add_column("lowest loss", justify="right", no_wrap=True, min_width=len("lowest loss"))
    table.add_column("now", overflow="ellipsis", no_wrap=True, ratio=1)
    for family in families:
        cells = [cell for pack in status.packs if pack.family == family for cell in pack.cells]
        losses = [cell.loss for cell in cells if cell.state == DONE and cell.loss is not None]
        before = [job for job in (*status.tuning, *status.pretraining) if job.family == family]
        lowest = f"{min(losses):.3f}" if losses else ""
        table.add_row(family, f"{_ended(cells)} of {len(cells)}", lowest, _now(cells, before))
    cells = [cell for pack in status.packs for cell in pack.cells]
    return Group(_headline(status, cells, seconds_left, over), table, *_trouble(cells))


def _ended(cells: Sequence[CellStatus]) -> int:
    return sum(cell.state in (DONE, DIVERGED) for cell in cells)


def _headline(status: StudyStatus, cells: list[CellStatus], seconds_left: float | None, over: bool) -> Text:
    text = Text(f"{status.study}: ", "bold").append(f"{_ended(cells)} of {len(cells)} runs done")
    if over:
        return text
    if status.ended:
        return text.append("; fitting laws and writing the report")
    return text.append(", time left not known yet" if seconds_left is None else f", about {clock(seconds_left)} left")


def _now(cells: Sequence[CellStatus], before: Sequence[PackStatus]) -> str:
    """What a family does now: its runs, or what has to be done before them."""
    running = [cell for cell in cells if cell.state == RUNNING]
    if running:
        more = f", and {len(running) - 1} more" if len(running) > 1 else ""
        return f"N={running[0].target} D={running[0].images}{_step(running[0])}{more}"
    for job in before:
        at_it = [cell for cell in job.cells if cell.state == RUNNING]
        if at_it:
            what = "tuning" if job.name.startswith("tune") else "pre-training"
            return f"{what}, N={at_it[0].target}{_step(at_it[0])}"
    if _ended(cells) == len(cells):
        return "done"
    return "waiting for its learning rate" if any(cell.reason == UNTUNED for cell in cells) else "waiting"


def _step(cell: CellStatus) -> str:
    progress = cell.progress
    if progress is None:
        return ""
    loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
    end = "" if cell.forecast is None else f", will end near {cell.forecast.loss:.3f}"
    return f", step {progress.step}/{progress.steps}{loss}{end}"


def _trouble(cells: list[CellStatus]) -> list[Text]:
    """Runs that failed, stopped or diverged: the first with their reasons, the others by number."""
    order = (FAILED, STOPPED, DIVERGED)
    found = sorted((cell for cell in cells if cell.state in order), key=lambda cell: order.index(cell.state))
    lines = [
        Text(f"{cell_name(cell)} {cell.state}: {cell.reason}", STYLES[cell.state], no_wrap=True, overflow="ellipsis")
        for cell in found[:MOST_TROUBLE]
    ]
    rest = Counter(cell.state for cell in found[MOST_TROUBLE:])
    if rest:
        lines.append(Text("and " + ", ".join(f"{rest[state]} {state}" for state in order if rest[state]), "dim"))
    return lines
