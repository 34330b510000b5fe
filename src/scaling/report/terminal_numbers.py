"""How the terminal shows numbers, tables and rows: nothing is cut, whatever the width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

UNBOUNDED = 100_000
"""Columns of a terminal on which nothing has to be broken."""
MOST_DROPPED = 20
"""Excluded rows that are listed one by one."""


def terminal() -> Console:
    """A console as wide as the terminal; in a pipe or a file no line is folded."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=1000)


def ends(interval: Sequence[float | None], digits: int = 4) -> str:
    """An interval, as markup; an end that is not known is "no end"."""
    low, high = ("no end" if end is None else digits_of(end, digits) for end in interval)
    return escape(f"[{low}, {high}]")


def digits_of(value: float | None, digits: int = 4) -> str:
    """A number for people; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def percent(value: float | None) -> str:
    """A share in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.3g} %"


def plain_table(words: Sequence[str], numbers: Sequence[str], notes: Sequence[str] = ()) -> Table:
    """An empty table without lines, for 80 columns; a name that is too long goes on in the next line.

    Args:
        words: titles of columns of names; numbers: of columns that are aligned to the right; notes: of columns of sentences.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in words:
        table.add_column(escape(name), overflow="fold")
    for name in numbers:
        table.add_column(escape(name), justify="right", no_wrap=True, overflow="fold")
    for name in notes:
        table.add_column(escape(name), overflow="fold")
    return table


def fits_into(table: Table, console: Console) -> bool:
    """Whether no cell of the table has to be broken."""
    unbounded = console.options.update(width=UNBOUNDED)
    return Measurement.get(console, unbounded, table).maximum <= console.width


def print_dropped(dropped: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Say which rows ``--drop-largest`` left out."""
    if not dropped:
        return
    (response,) = [name for name in dropped[0] if name != "row"]
    listed = ", ".join(f"row {one['row']} ({one[response]:.4g})" for one in dropped[:MOST_DROPPED])
    more = f" and {len(dropped) - MOST_DROPPED} more" if len(dropped) > MOST_DROPPED else ""
    console.print(f"left out, the largest {escape(response)}: {listed}{more} (row 1 is the first of the data)")
