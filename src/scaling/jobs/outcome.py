"""What became of a job's runs, and how it is told: in the job's output, and in the log of a run that could not say it."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field

from scaling.runs.grid import Run
from scaling.runs.store import Store


@dataclass
class Outcome:
    """What became of a job's runs: keys that have a record now, and the reason of each that has none."""

    finished: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    """those of ``finished`` that were trained here and now"""
    killed: list[str] = field(default_factory=list)
    """those of ``failed`` whose process was killed from outside, as for want of memory"""
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


@dataclass(frozen=True)
class Telling:
    """Tells of the runs of the job ``label``, whose logs lie in ``store``."""

    label: str
    store: Store

    def warn(self, message: str) -> None:
        """Print ``message`` to standard error, after the job's name."""
        print(f"{self.label}: {message}", file=sys.stderr, flush=True)

    def failed(self, run: Run, reason: str, outcome: Outcome, *, log: bool = False) -> None:
        """Note in ``outcome`` that ``run`` has failed, and say so; ``log``: the run's own log does not give the reason yet."""
        outcome.failed[run.key] = reason
        path = self.store.log_path(run.key)
        if log:
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a") as file:
                    file.write(reason + "\n")
        self.warn(f"{name_of(run)} failed: {reason} (log: {path})")


def name_of(run: Run) -> str:
    """The run as people are told of it: family, N, D, seed and key."""
    kind = f"backbone ({run.objective}) of " if run.objective else ""
    return f"{kind}{run.family} N={run.params} D={run.images} seed={run.seed} ({run.key})"
