"""When a job stops training before its runs have ended: on a signal, or near its time limit."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that ask a job to end: a batch system's, a user's, and those that Slurm can be told to send."""


class StopRequest:
    """Whether a job was asked to stop; its children see it too.

    Args:
        stop_at: when it stops by itself, on the clock of ``time.monotonic``; None for never.
        warn: is told why it stops by itself.
    """

    def __init__(self, stop_at: float | None, warn: Callable[[str], None]) -> None:
        self._asked = multiprocessing.get_context("fork").Event()
        self._stop_at = math.inf if stop_at is None else stop_at
        self._warn = warn

    def is_made(self) -> bool:
        """Whether the job was asked to stop."""
        return self._asked.is_set()

    def look_at_clock(self) -> None:
        """Ask the job to stop if its time is over."""
        if time.monotonic() >= self._stop_at and not self.is_made():
            self._warn("the job's time limit is near: writing checkpoints")
            self._asked.set()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Within this block, SIGNALS ask the job to stop: it writes checkpoints and leaves."""
        before = {name: signal.signal(name, lambda *_: self._asked.set()) for name in SIGNALS}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)
