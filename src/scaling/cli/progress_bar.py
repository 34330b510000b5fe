"""How far work is: of a command, on standard error (a bar on a terminal, else a line after 2 s and every 10 s from then on);
and of a study, how often a display looks at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from scaling.cli.endings import say

FIRST_LINE: Final = 2.0
"""Seconds until the first line (assumption)."""
LOOK_SECONDS: Final = 2.0
"""Seconds between two looks at a study, at least (assumption)."""
LOOK_SHARE: Final = 0.2
"""Of the time, looking takes this share at most (assumption)."""
NEXT_LINE: Final = 10.0
"""Seconds between two lines (assumption)."""

Report = Callable[[int, int], None]
"""(groups done, groups in all) -> None."""


@contextmanager
def progress_bar(label: str) -> Iterator[Report]:
    """Show ``label`` and how far the work is for as long as the block runs; yields what the work reports to."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        with _lines(label) as report:
            yield report
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _lines(label: str) -> Iterator[Report]:
    """The lines, written by a thread of their own: one large group reports nothing until it is done."""
    clock, over = time.monotonic(), threading.Event()
    known = [0, 0]

    def write() -> None:
        wait = FIRST_LINE
        while not over.wait(wait):
            done, total = known
            spent = time.monotonic() - clock
            groups = f", {done} of {total} groups, about {spent * (total - done) / done:.0f} s left" if done else ""
            say(f"{label}: {spent:.0f} s{groups}")
            wait = NEXT_LINE

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield lambda done, total: known.__setitem__(slice(None), (done, total))
    finally:
        over.set()
        thread.join()


def until_next_look(began: float) -> float:
    """Seconds until a display looks at a study again; ``began``: the last look, on the clock of ``time.monotonic``."""
    return max(LOOK_SECONDS, (time.monotonic() - began) / LOOK_SHARE)
