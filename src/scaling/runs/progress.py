"""How far a run is, in a small file beside its lease, for `scaling status`; nothing else depends on it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaling.files import write_atomic


@dataclass(frozen=True)
class ProgressReport:
    """A run's step out of ``steps``, its training loss in nats, its speed, and the most seconds that it will still take.

    ``at`` is the time of writing (seconds since 1970); ``stopped`` says that its trainer was asked to end and left a
    checkpoint. ``curve`` holds the evaluations so far: step, and validation loss in nats.
    """

    step: int
    steps: int
    loss: float | None
    images_per_second: float | None
    seconds_left: float | None
    at: float
    stopped: bool = False
    curve: Sequence[dict[str, Any]] = ()


def write_progress(path: Path, progress: ProgressReport) -> None:
    """Replace the file at ``path``. It may be lost at no cost, so it is not flushed, and a full disk is ignored."""
    with contextlib.suppress(OSError):
        write_atomic(path, json.dumps(asdict(progress)).encode(), durable=False)


def read_progress(path: Path) -> ProgressReport | None:
    """What ``path`` says; None if it is missing or not whole."""
    try:
        found = json.loads(path.read_bytes())
        return ProgressReport(**found | {"curve": tuple(found.get("curve", ()))})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


class ProgressFile:
    """Writes a run's progress to ``path``: soon at first, then every ``every`` seconds; ``check`` may raise to refuse."""

    def __init__(self, path: Path, every: float, check: Callable[[], None] = lambda: None) -> None:
        self.path, self.every, self._check = path, every, check
        self._written, self._step, self._pause = 0.0, 0, 1.0

    def write(
        self,
        step: int,
        steps: int,
        batch: int,
        loss: float | None,
        seconds: float,
        *,
        stopped: bool = False,
        now: bool = False,
        curve: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Say that ``step`` of ``steps`` (each of ``batch`` images) is reached after ``seconds`` of training in all attempts.

        ``curve`` are the run's evaluations; of each only the step and the validation loss are written.
        ``now`` writes even if the last writing was a moment ago. Raises what ``check`` raises.
        """
        time_ = time.time()
        if not now and time_ - self._written < min(self._pause, self.every):
            return
        self._check()
        speed = (step - self._step) * batch / (time_ - self._written) if self._written and step > self._step else None
        left = (steps - step) * seconds / step if step else None
        points = [{name: point.get(name) for name in ("step", "validation_loss")} for point in curve]
        write_progress(self.path, ProgressReport(step, steps, loss, speed, left, time_, stopped, points))
        self._written, self._step, self._pause = time_, step, 2 * self._pause
