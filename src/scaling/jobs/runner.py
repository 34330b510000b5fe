"""The pack runner: trains many cells in one job.

torch is imported once; each cell is a forked child, so that one that fails or dies leaves its neighbours alone. As many
run at a time as the job has slots for (``slots.py``), the longest first. Backbones that cells start from are trained
before them, by whichever job needs one first; a lease keeps its twins from training it too. A cell that runs out of memory
beside others is begun again with a GPU to itself, and there with micro-batches of half the size, and half of that, at the
same effective batch.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Final

import torch

from scaling.data import DataError, ImageData, load
from scaling.jobs.child import CROWDED, SUCCEEDED, Child
from scaling.jobs.job_notes import EXIT_RESUMABLE
from scaling.jobs.runner_line import PackLine
from scaling.jobs.slots import Cores, GpuShares, Slot, Slots
from scaling.models import get_family
from scaling.models.counting import forward_flop
from scaling.models.family import ImageSpec
from scaling.models.own_files import OwnModelError
from scaling.runs.deciding_code import check_unchanged
from scaling.runs.grid import ResolvedCell, Run
from scaling.runs.lease import HEARTBEAT_SECONDS, Lease
from scaling.runs.resolve import last_line
from scaling.runs.store import ForeignRecord, Record, Store
from scaling.training.attempt import CellTraining
from scaling.training.device import Device
from scaling.training.memory import MemoryEstimate
from scaling.training.optimizer import make_optimizer
from scaling.training.start import is_kept
from scaling.training.take_probes import complete

POLL_SECONDS: Final = 0.1
"""Time between two looks at the children (assumption)."""


@dataclass
class Outcome:
    """What became of a pack's cells: keys that have a record now, and the reason of each that has not."""

    finished: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    """those of ``finished`` that were trained here and now"""
    killed: list[str] = field(default_factory=list)
    """those of ``failed`` whose process was killed from outside, as for want of memory"""
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


class PackRunner:
    """Trains cells into the store; ``label`` names the pack on the terminal, ``probes`` what is read off the models.

    On a CPU it trains ``cores`` cells at a time; on GPUs as many as they hold, but all jobs together no more than
    ``machine_cores``. At ``stop_at`` (``time.monotonic``'s clock) it stops as on a signal, with checkpoints written.
    ``look`` is called again and again while cells run.
    """

    def __init__(
        self,
        store: Store,
        data_path: Path,
        device: Device,
        *,
        label: str,
        cores: int,
        checkpoint_seconds: float,
        machine_cores: int = 1,
        probes: Sequence[str] = (),
        stop_at: float | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.store, self.device, self.label = store, device, label
        self.checkpoint_seconds, self.probes = checkpoint_seconds, tuple(probes)
        self.data: ImageData = load(data_path)
        self.slots: Slots = Cores(cores if device.kind == "cpu" else 1)
        if device.gpus:
            self.slots = GpuShares(device.gpus, MemoryEstimate(self.data), max(cores, machine_cores))
        self._look = look
        self._alone: set[str] = set()
        self._leases: dict[str, Lease] = {}
        """of cells that wait: whether another trainer's heart beats is seen by looking again and again"""
        self._stop = multiprocessing.get_context("fork").Event()
        self._stop_at = math.inf if stop_at is None else stop_at
        self._beaten = time.monotonic()

    def run(self, cells: list[ResolvedCell]) -> Outcome:
        """Train, and read, each of ``cells`` of which the store does not hold all; returns once every one has ended.

        Raises DataError where their keys name other images than were loaded: their records would be of other runs.
        """
        named = {cell.checksum for cell in cells} - {self.data.checksum}
        if named:
            raise DataError(
                f"{self.label}: the runs are of images with sha256 {', '.join(sorted(named))}, those prepared have "
                f"{self.data.checksum}; the images changed after tuning, run again"
            )
        new = [cell for cell in cells if not complete(self.store, cell.key, self.probes)]
        if new:
            _import_before_forking(cells)
            check_unchanged()
        outcome = Outcome()
        backbones = {cell.backbone.key: cell.backbone for cell in new if cell.backbone}
        jobs: list[Run] = [*backbones.values(), *{cell.key: cell for cell in cells}.values()]
        costs = {job.key: _cost(job) for job in jobs}
        waiting = sorted(jobs, key=lambda job: (job.key not in backbones, -costs[job.key]))
        running: list[Child] = []
        line = PackLine(self.label, len(costs), sum(costs.values()))
        with self._signals():
            while waiting or running:
                started = not self._stop.is_set() and self._start_next(waiting, running, outcome)
                self._reap(waiting, running, outcome)
                self._beat(running)
                self._look_at_clock()
                self._look()
                line.say(len(outcome.finished), len(outcome.failed), len(running), self._done(outcome, running, costs))
                if self._stop.is_set() and not running:
                    outcome.interrupted |= bool(waiting)
                    break
                if not started and running:  # the end of a child wakes at once: tiny cells end many times a second
                    connection.wait([job.child.sentinel for job in running], POLL_SECONDS)
                elif not started:
                    time.sleep(POLL_SECONDS)
        line.say(len(outcome.finished), len(outcome.failed), 0, sum(costs.values()), last=True)
        return outcome

    @staticmethod
    def _done(outcome: Outcome, running: list[Child], costs: dict[str, float]) -> float:
        """Cost of what has ended, and of the running cells' share of theirs."""
        ended = sum(costs[key] for key in [*outcome.finished, *outcome.failed])
        return ended + sum(costs[job.cell.key] * job.done for job in running)

    def _start_next(self, waiting: list[Run], running: list[Child], outcome: Outcome) -> bool:
        """Start the first waiting run that can be; True where one was started, or has ended without training."""
        for cell in list(waiting):
            if self._needs_no_training(cell, outcome):
                waiting.remove(cell)
                return True
            if self._waits_for_another(cell):
                continue
            slot = self.slots.take(cell, cell.key in self._alone)
            if slot is None:
                return False
            try:
                lease = self._hold(cell)
            except OSError as error:
                waiting.remove(cell)
                self.slots.free(slot)
                self._failed(cell, f"{error.strerror} in {self.store.folder(cell.key)}", outcome)
                return True
            if lease is None:
                self.slots.free(slot)
                continue
            waiting.remove(cell)
            del self._leases[cell.key]
            running.append(Child.start(self._training(cell, slot), lease, slot))
            return True
        return False

    def _needs_no_training(self, cell: Run, outcome: Outcome) -> bool:
        """Whether ``cell`` is stored, or can never be trained here; ``outcome`` then says so."""
        try:
            record = self._stored(cell)
        except ForeignRecord as error:  # never rewritten, so there is nothing to be done for this cell
            self._failed(cell, str(error), outcome)
            return True
        if record is not None:
            self.slots.learn(cell, record.row["peak_memory"])
            outcome.finished.append(cell.key)
            return True
        if cell.backbone is not None and cell.backbone.key in outcome.failed:
            self._failed(cell, f"its backbone {cell.backbone.key}: {outcome.failed[cell.backbone.key]}", outcome, log=True)
            return True
        return False

    def _waits_for_another(self, cell: Run) -> bool:
        """Whether what ``cell`` starts from is being trained, or a twin trains ``cell`` itself."""
        if cell.backbone is not None and not is_kept(self.store, cell.backbone):
            return True
        if cell.key not in self._leases:
            self._leases[cell.key] = self.store.lease(cell.key)
        return self._leases[cell.key].owner_now()[1]

    def _hold(self, cell: Run) -> Lease | None:
        """The lease of ``cell``, acquired; None where a twin has it, or has trained ``cell`` by now. Raises OSError."""
        lease = self._leases[cell.key]
        if not lease.acquire():
            return None
        if self._stored(cell) is None:
            return lease
        lease.release()
        return None

    def _training(self, cell: Run, slot: Slot) -> CellTraining:
        return CellTraining(
            cell,
            self.data,
            self.store,
            self.device.machine,
            self.checkpoint_seconds,
            alone=slot.alone,
            probes=self.probes,
            stop=self._stop.is_set,
            warn=self._warn,
        )

    def _stored(self, cell: Run) -> Record | None:
        """The record of a cell of which nothing is left to do; a damaged one is set aside."""
        record = self.store.read_or_discard(cell.key, self._warn)
        if cell.objective:
            return record if is_kept(self.store, cell) else None
        return record if record is not None and complete(self.store, cell.key, self.probes) else None

    def _reap(self, waiting: list[Run], running: list[Child], outcome: Outcome) -> None:
        for job in [job for job in running if not job.child.is_alive()]:
            job.child.join()
            running.remove(job)
            self.slots.free(job.slot)
            self._ended(job, waiting, outcome)
            with contextlib.suppress(OSError):  # one that cannot be removed goes stale by itself
                job.lease.release()

    def _ended(self, job: Child, waiting: list[Run], outcome: Outcome) -> None:
        key, code = job.cell.key, job.child.exitcode
        record = self._stored(job.cell)
        succeeded = code == SUCCEEDED or (code != 0 and job.lease.is_lost())
        if record is not None and not succeeded:
            outcome.finished.append(key)
            outcome.trained.append(key)
            self.slots.learn(job.cell, record.row["peak_memory"])
        elif succeeded:  # whatever else went wrong in its last moments: the cell is in other hands
            self._warn(f"{_name(job.cell)} was taken over by another trainer while this one stood still; its result is used")
            waiting.append(job.cell)
        elif code == CROWDED and not self._stop.is_set():
            self._warn(f"{_name(job.cell)} ran out of memory beside others; it is begun again with a GPU to itself")
            self._alone.add(key)
            waiting.append(job.cell)
        elif code in (EXIT_RESUMABLE, CROWDED):
            outcome.failed[key] = "stopped before its end; the next run goes on from its checkpoint"
            outcome.interrupted = True
        elif code is not None and code < 0:
            if code == -signal.SIGKILL:
                outcome.killed.append(key)
            self._failed(job.cell, f"killed by {signal.Signals(-code).name}", outcome, log=True)
        else:
            # From the child itself: on a full disk its log does not say why.
            said = job.said or last_line(self.store.log_path(key))
            self._failed(job.cell, said or f"exit code {code}", outcome)

    def _failed(self, cell: Run, reason: str, outcome: Outcome, *, log: bool = False) -> None:
        """Note that ``cell`` has failed; ``log``: its own log does not say why yet."""
        outcome.failed[cell.key] = reason
        if log:
            with contextlib.suppress(OSError):
                self.store.folder(cell.key).mkdir(parents=True, exist_ok=True)
                with self.store.log_path(cell.key).open("a") as file:
                    file.write(reason + "\n")
        self._warn(f"{_name(cell)} failed: {reason} (log: {self.store.log_path(cell.key)})")

    def _beat(self, running: list[Child]) -> None:
        if time.monotonic() - self._beaten > HEARTBEAT_SECONDS:
            self._beaten = time.monotonic()
            for job in running:
                with contextlib.suppress(OSError):
                    job.lease.renew()

    def _look_at_clock(self) -> None:
        if time.monotonic() >= self._stop_at and not self._stop.is_set():
            self._warn("the job's time limit is near: writing checkpoints")
            self._stop.set()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """While cells run, a signal to end means: write checkpoints, then leave."""
        names = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
        before = {name: signal.signal(name, lambda *_: self._stop.set()) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _warn(self, message: str) -> None:
        print(f"{self.label}: {message}", file=sys.stderr, flush=True)


def _import_before_forking(cells: list[ResolvedCell]) -> None:
    """Import in the parent what each child would import anew: 1.2 to 1.8 s a cell, measured.

    timm with the families' files, and what torch imports with its first optimiser and its FLOP counter.
    """
    for family in {cell.family for cell in cells}:
        with contextlib.suppress(OwnModelError):  # each of its cells says what is wrong with a model of one's own
            get_family(family)
    make_optimizer(torch.nn.Linear(1, 1), cells[0].recipe, 0.0)
    forward_flop(torch.nn.Flatten(), ImageSpec(28, 1, 2))


def _cost(cell: Run) -> float:
    """Relative cost of a cell: images seen x parameters, with a floor for the overhead of small models."""
    return cell.recipe.images_seen(cell.images) * (20_000 + cell.params)


def _name(cell: Run) -> str:
    kind = f"backbone ({cell.objective}) of " if cell.objective else ""
    return f"{kind}{cell.family} N={cell.params} D={cell.images} seed={cell.seed} ({cell.key})"
