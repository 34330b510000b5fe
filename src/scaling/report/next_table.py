"""What to train next, as a table on the terminal and as rows of the page."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from scaling.jobs.next_runs import NextRuns
from scaling.report.figures.labels import significant
from scaling.report.size_notes import short

ASKED = {
    "exponents": "the exponents alpha and beta",
    "prediction": "the predicted loss at three times the largest N and D",
    "contrast": "the differences of exponents between families",
    "skill": "the predictions of larger N, larger D and both, as skill",
}
"""What each goal narrows, in words."""


def print_next(found: NextRuns, console: Console | None = None) -> None:
    """Print the rows best first, the widths now and after all of them, and what to paste into the study's file."""
    console = console or Console(highlight=False)
    console.print(f"What to train next, for {ASKED[found.goal]}", style="bold", markup=False)
    if found.rows:
        console.print(_rows(found))
        console.print(f"{_runs(found)}, {significant(found.minutes)} minutes of one core or GPU")
    console.print(_widths(found))
    for line in found.notes():
        console.print(line, markup=False)
    if found.rows:
        console.print(f"\nPaste into the study's file, {found.paste_where}:", style="bold", markup=False, soft_wrap=True)
        console.print(found.pasted(), markup=False, soft_wrap=True)


def _rows(found: NextRuns) -> Table:
    table = _table(("family", "N", "D", "seeds"), ("minutes", "gain per minute", "width before", "after"))
    for row in found.rows:
        table.add_row(
            row.family,
            short(row.params),
            f"{row.images:,}",
            " ".join(map(str, row.seeds)),
            significant(row.minutes),
            f"{significant(100 * row.gain, 2)} %",
            significant(row.width_before),
            significant(row.width_after),
        )
    return table


def _widths(found: NextRuns) -> Table:
    table = _table(("family",), (f"95 % width now ({found.unit})", "with all of them"))
    for family, (now, after) in found.widths.items():
        table.add_row(family, significant(now), significant(after))
    return table


def _table(words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _runs(found: NextRuns) -> str:
    number = sum(len(row.seeds) for row in found.rows)
    return f"{number} {'run' if number == 1 else 'runs'}"


def next_section(found: NextRuns | None) -> dict[str, Any] | None:
    """What the page shows; None where no family has a law."""
    if found is None or not found.widths:
        return None
    return {
        "asked": ASKED[found.goal],
        "unit": found.unit,
        "rows": found.as_rows(),
        "runs": _runs(found),
        "minutes": found.minutes,
        "widths": [{"family": family, "now": now, "after": after} for family, (now, after) in found.widths.items()],
        "notes": found.notes(),
        "paste_where": found.paste_where,
        "paste": found.pasted() if found.rows else "",
    }
