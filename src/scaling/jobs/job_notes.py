"""What each job asked for and what it used: a small file per attempt, below ``results/<study>/jobs/``.

A note is written when a job begins and while it runs, and closed when it ends; a note that was never closed belongs to a job
that was killed. The next attempt reads the notes: if memory ran out, it asks for more. No torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

import psutil

from scaling.files import write_atomic
from scaling.jobs.estimates import rounded_up
from scaling.jobs.job_errors import Stopped
from scaling.runs.lease import HEARTBEAT_SECONDS

Rule = Literal["tune", "train"]

EXIT_RESUMABLE: Final = 75
"""Exit code of a trainer, and of a job, that stopped with its work saved (EX_TEMPFAIL)."""

RUNNING: Final = "running"
ENDED: Final = "ended"
RESUMABLE: Final = "resumable"
OUT_OF_MEMORY: Final = "out of memory"
FAILED: Final = "failed"
KILLED: Final = "killed"
"""Outcomes of an attempt. Killed is never written: it is what a note means that was never closed."""

GROWTH: Final = 1.5
"""A job whose memory ran out asks for this many times the memory that it had (assumption)."""
NEAR: Final = 0.8
"""A job that was killed with at least this share of its memory in use is taken to have run out of it (assumption)."""

LOOK_SECONDS: Final = 2.0
"""Seconds between two looks at the memory in use; a look costs 10 ms per process."""

MEMORY_RETRIES: Final = 3
"""Attempts of a Slurm job that may end for want of memory; then its runs are given up, so that a report is made
(assumption)."""


@dataclass(frozen=True)
class JobNote:
    """One attempt at a job. Memory in MB, times in seconds; None for what was not asked for, or is not known."""

    rule: str
    name: str
    family: str
    attempt: int
    began: float
    """when the program started, in seconds since 1970"""
    node: str
    slurm_job: str | None = None
    asked_memory_mb: int | None = None
    asked_minutes: float | None = None
    asked_cpus: int | None = None
    asked_gpus: int | None = None
    seconds: float = 0.0
    """until the last look, or the end; Snakemake's own start is not included"""
    peak_memory_mb: float = 0.0
    """of all processes of the job, shared pages counted once; looked at every two seconds"""
    gpu_peak_mb: float | None = None
    """largest memory of one run's tensors on a GPU"""
    at_a_time: int = 1
    """runs trained at a time, on a CPU"""
    trained: int = 0
    """runs that this attempt finished"""
    cell_seconds: float = 0.0
    """seconds of training and evaluation, by their records"""
    outcome: str = RUNNING
    reason: str = ""

    @property
    def ran_out(self) -> bool:
        """Whether its memory ran out, as far as can be told."""
        if self.outcome == OUT_OF_MEMORY:
            return True
        near = self.asked_memory_mb is not None and self.peak_memory_mb >= NEAR * self.asked_memory_mb
        return self.outcome == RUNNING and near

    def outcome_at(self, now: float) -> str:
        """Its outcome at ``now`` (seconds since 1970); a note that was not closed is running or killed, by its heartbeat."""
        if self.outcome != RUNNING:
            return self.outcome
        return RUNNING if now - self.began - self.seconds < 6 * HEARTBEAT_SECONDS else KILLED


def memory_to_ask(estimate_mb: int, notes: Iterable[JobNote]) -> int:
    """Memory in MB to ask for: half as much again as any earlier attempt that ran out.

    An attempt that stopped in good order, was cancelled or lost its node changes nothing.

    Args:
        estimate_mb: what is asked for at first.
        notes: those of the earlier attempts.
    """
    ran_out = [note.asked_memory_mb for note in notes if note.ran_out and note.asked_memory_mb]
    return max([estimate_mb, *(rounded_up(GROWTH * asked) for asked in ran_out)])


def read_notes(folder: Path, rule: str, name: str) -> list[JobNote]:
    """The notes of the attempts at a job, oldest first; damaged ones are left out.

    Args:
        folder: of the notes of all jobs.
        rule: of the job, such as train; name: of its pack or family.
    """
    try:
        names = sorted(os.listdir(folder / f"{rule}-{name}"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = (_read(folder / f"{rule}-{name}" / file) for file in names if file.endswith(".json"))
    return sorted((note for note in found if note is not None), key=lambda note: note.attempt)


def read_all_notes(folder: Path) -> list[JobNote]:
    """The notes of all jobs below ``folder``, in the order in which they began."""
    found = (_read(path) for path in folder.glob("*/*.json"))
    return sorted((note for note in found if note is not None), key=lambda note: (note.began, note.name))


def _read(path: Path) -> JobNote | None:
    try:
        body = json.loads(path.read_bytes())
        known = {field.name for field in fields(JobNote)}
        return JobNote(**{name: value for name, value in body.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


class Attempt:
    """The attempt of this process at a job: its note, opened here, kept up to date by ``look``, and closed by ``close``."""

    def __init__(self, folder: Path, rule: Rule, name: str, family: str, asked: dict[str, Any], at_a_time: int) -> None:
        """Open the note.

        Args:
            folder: where the notes of the study lie.
            rule, name, family: the job.
            asked: what the job was given, as fields asked_* of JobNote; Slurm's own variables overrule it.
            at_a_time: runs that it trains at a time.
        """
        began = psutil.Process().create_time()  # before torch was imported
        self._began, self._looked = time.monotonic() - (time.time() - began), -LOOK_SECONDS
        self._kills = _kills_for_memory()
        self.earlier = read_notes(folder, rule, name)
        number = max((note.attempt for note in self.earlier), default=0) + 1
        self.note = JobNote(
            rule,
            name,
            family,
            number,
            began,
            socket.gethostname(),
            slurm_job=os.environ.get("SLURM_JOB_ID"),
            at_a_time=at_a_time,
            seconds=time.monotonic() - self._began,  # imports may have taken long: the age of the note counts from here
            **(asked | given_by_slurm(os.environ)),
        )
        # Two drivers may try at once, so the name holds the process too.
        self._path = folder / f"{rule}-{name}" / f"{number:04d}-{self.note.node}-{os.getpid()}.json"
        self._write()

    def look(self) -> None:
        """Note how much memory the job's processes hold; may be called often."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        before = self.note.peak_memory_mb
        self.note = replace(
            self.note, peak_memory_mb=max(before, memory_in_use() / 1e6), seconds=time.monotonic() - self._began
        )
        grown = self.note.peak_memory_mb > 1.05 * before
        if grown or time.monotonic() - self._written > HEARTBEAT_SECONDS:
            self._write()

    def count(self, trained: Iterable[dict[str, Any]]) -> None:
        """Count runs that the attempt has finished, given the rows of their records."""
        for row in trained:
            gpu = row["peak_memory"] / 1e6 if row["device"] == "cuda" and row.get("peak_memory") else None
            peaks = [peak for peak in (self.note.gpu_peak_mb, gpu) if peak is not None]
            self.note = replace(
                self.note,
                trained=self.note.trained + 1,
                cell_seconds=self.note.cell_seconds + (row.get("seconds") or 0.0),
                gpu_peak_mb=max(peaks, default=None),
            )

    def lost_to_memory(self, killed: int) -> bool:
        """Whether memory ran out, given that ``killed`` of the job's processes were killed from outside."""
        near = replace(self.note, outcome=RUNNING).ran_out
        return killed > 0 and (near or _kills_for_memory() > self._kills)

    @property
    def tried_for_memory(self) -> int:
        """Earlier attempts that ran out of memory."""
        return sum(note.ran_out for note in self.earlier)

    def close(self, outcome: str, reason: str = "") -> None:
        """Write how the attempt ended; its peak of memory is at least that of its largest process."""
        seconds = time.monotonic() - self._began
        largest = max(_largest(resource.RUSAGE_SELF), _largest(resource.RUSAGE_CHILDREN)) / 1e6
        peak = max(self.note.peak_memory_mb, largest)
        self.note = replace(self.note, seconds=seconds, peak_memory_mb=peak, outcome=outcome, reason=reason)
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        with contextlib.suppress(OSError):  # a full disk must not stop a job because of its note
            write_atomic(self._path, (json.dumps(asdict(self.note), indent=1) + "\n").encode())


@contextlib.contextmanager
def attempt(folder: Path, rule: Rule, name: str, family: str, asked: dict[str, Any], at_a_time: int) -> Iterator[Attempt]:
    """The note of this process's attempt at a job, closed by how the block is left: it ended, was stopped, or failed.

    The arguments are those of ``Attempt``.
    """
    made = Attempt(folder, rule, name, family, asked, at_a_time)
    outcome, reason = ENDED, ""
    try:
        yield made
    except Stopped:
        outcome = RESUMABLE
        raise
    except BaseException as error:
        outcome, reason = FAILED, f"{type(error).__name__}: {error}"
        raise
    finally:
        if made.note.outcome == RUNNING:
            made.close(outcome, reason)


def given_by_slurm(environment: Any) -> dict[str, Any]:
    """What Slurm gave the job, by its ``environment``, as fields of JobNote; empty outside of Slurm."""
    found: dict[str, Any] = {}
    for field, variable in (("asked_memory_mb", "SLURM_MEM_PER_NODE"), ("asked_cpus", "SLURM_CPUS_ON_NODE")):
        if environment.get(variable, "").isdigit():
            found[field] = int(environment[variable])
    start, end = (environment.get(f"SLURM_JOB_{name}_TIME", "") for name in ("START", "END"))
    if start.isdigit() and end.isdigit():
        found["asked_minutes"] = (int(end) - int(start)) / 60
    if "SLURM_JOB_ID" in environment:
        found["asked_gpus"] = len([one for one in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if one])
    return found


def memory_in_use() -> float:
    """Bytes that this process and its children hold in memory. Linux counts pages that several share once; elsewhere the
    children's shared pages are left out."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            found = process.memory_full_info()
            alone = found.rss if process == me else getattr(found, "uss", 0)
            total += getattr(found, "pss", alone)
    return total


def _largest(who: int) -> float:
    """Most bytes that one process of ``who`` held."""
    peak = resource.getrusage(who).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def _kills_for_memory() -> int:
    """Processes of this job that Linux has killed for want of memory, by its control group; 0 if that is not known."""
    try:
        group = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        events = Path(f"/sys/fs/cgroup{group}/memory.events").read_text().split()
        return int(events[events.index("oom_kill") + 1])
    except (OSError, StopIteration, ValueError, IndexError):
        return 0
