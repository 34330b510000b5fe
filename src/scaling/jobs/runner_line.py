"""The line of a job on the terminal: runs done, running and failed, and the time left."""

from __future__ import annotations

import sys
import time
from typing import Final

SAY_SECONDS: Final = 15.0
"""Seconds between two lines that say how far a job is (assumption)."""


class PackLine:
    """Says from time to time how far the job ``label`` is, which has ``cells`` runs of a ``total`` cost."""

    def __init__(self, label: str, cells: int, total: float) -> None:
        self.label, self.cells, self.total, self.began = label, cells, total, time.monotonic()
        self.said, self.shown, self.stored = -SAY_SECONDS, "", 0.0

    def say(self, finished: int, failed: int, running: int, done: float, last: bool = False) -> None:
        """Print the line, unless it was printed a moment ago.

        Args:
            finished, failed, running: numbers of runs.
            done: cost of what is trained, in the unit of the costs that the line was made with.
            last: print it in any case, without the time left.
        """
        if not last and time.monotonic() - self.said < SAY_SECONDS:
            return
        text = f"{finished}/{self.cells} done, {running} running, {failed} failed"
        if not last and finished + failed + running:
            text += self._left(done)
        if text != self.shown:
            print(f"{self.label}: {text}", file=sys.stderr, flush=True)
            self.shown = text
        self.said = time.monotonic()

    def _left(self, done: float) -> str:
        passed = time.monotonic() - self.began
        if self.said < 0:
            self.stored = done  # what the store held took no time
        if done - self.stored < 0.02 * self.total or passed < 5:
            return ""
        minutes = passed * (self.total - done) / (done - self.stored) / 60
        return f", about {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"
