"""How far preparing is: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES: Final = 10.0


class Meter(AbstractContextManager["Meter"]):
    """Shows how many images are written, and the time left, on standard error; nothing where it is not ``shown``."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not (shown and console.is_terminal))
        self._lines = shown and not console.is_terminal

    def __enter__(self) -> Meter:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._shown:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def steps(self, name: str, images: int) -> Callable[[int], None]:
        """Say that there are ``images`` to write; the function returned is told how many more have been written."""
        task = self._bar.add_task(name, total=images)
        began = said = time.monotonic()
        written = 0

        def advance(more: int) -> None:
            nonlocal said, written
            written += more
            self._bar.advance(task, more)
            now = time.monotonic()
            if self._lines and now - said > SECONDS_BETWEEN_LINES and written:
                said = now
                speed = written / (now - began)
                left = duration((images - written) / speed)
                print(
                    f"{name}: {written:,} of {images:,} images, {speed:,.0f} per second, {left} left",
                    file=sys.stderr,
                    flush=True,
                )

        return advance


def duration(seconds: float) -> str:
    """Seconds in words, such as ``12 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
