"""The pack runner: trains many cells in one job.

torch is imported once; each cell is a forked child, so that one that fails or dies leaves its neighbours alone. As many
run at a time as the job has cores (or its GPUs hold), the longest first.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from scaling.data import ImageData, load
from scaling.grid import ResolvedCell
from scaling.models import get_family
from scaling.models.counting import forward_flop
from scaling.models.family import ImageSpec
from scaling.progress import ProgressFile
from scaling.records import DONE
from scaling.resolve import last_line
from scaling.store import HEARTBEAT_SECONDS, Entry, Lease, Store
from scaling.training.checkpoint import UnusableCheckpoint
from scaling.training.device import Device, use_one_thread
from scaling.training.loop import Interrupted, Trainer, make_optimizer
from scaling.training.readings import complete, keep_weights, missing_readings, restore_weights, take_readings

RESUMABLE: Final = 75
"""Exit code of a child, and of a job, that stopped with its work saved (EX_TEMPFAIL)."""

POLL_SECONDS: Final = 0.1
SAY_SECONDS: Final = 15.0

_fork = multiprocessing.get_context("fork")


@dataclass
class _Running:
    cell: ResolvedCell
    child: Any
    lease: Lease
    share: Any


@dataclass
class Outcome:
    """What became of a pack's cells: keys that have a record now, and the reason of each that has not."""

    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


class PackRunner:
    """Trains cells into the store; ``label`` names the pack on the terminal, ``readings`` what is read off the models."""

    def __init__(
        self,
        store: Store,
        data_path: Path,
        device: Device,
        *,
        label: str,
        cores: int,
        checkpoint_seconds: float,
        readings: Sequence[str] = (),
    ) -> None:
        self.store, self.device, self.label = store, device, label
        self.workers = cores if device.kind == "cpu" else max(1, device.count)
        self.checkpoint_seconds, self.readings = checkpoint_seconds, tuple(readings)
        self.data: ImageData = load(data_path)
        self._stop = _fork.Event()
        self._beaten = time.monotonic()

    def run(self, cells: list[ResolvedCell]) -> Outcome:
        """Train, and read, each of ``cells`` of which the store does not hold all; returns once every one has ended."""
        if not all(complete(self.store, cell.key, self.readings) for cell in cells):
            _import_before_forking(cells)
        outcome = Outcome()
        costs = {cell.key: _cost(cell) for cell in cells}
        waiting = sorted({cell.key: cell for cell in cells}.values(), key=lambda cell: -costs[cell.key])
        running: list[_Running] = []
        line = _Line(self.label, costs)
        with self._signals():
            while waiting or running:
                started = False
                if len(running) < self.workers and not self._stop.is_set():
                    started = self._start_next(waiting, running, outcome)
                self._reap(running, outcome)
                self._beat(running)
                line.say(outcome, running)
                if self._stop.is_set() and not running:
                    outcome.interrupted = True
                    break
                if not started:
                    time.sleep(POLL_SECONDS)
        line.say(outcome, running, last=True)
        return outcome

    def _start_next(self, waiting: list[ResolvedCell], running: list[_Running], outcome: Outcome) -> bool:
        """Start the first waiting cell that no other trainer holds; True where one was started or found stored."""
        for cell in list(waiting):
            if self._stored(cell.key):
                waiting.remove(cell)
                outcome.finished.append(cell.key)
                return True
            lease = self.store.lease(cell.key)
            if not lease.acquire():
                continue  # a twin trains it: look again later
            if self._stored(cell.key):
                lease.release()
                continue
            waiting.remove(cell)
            share = _fork.RawValue("d", 0.0)
            number = len(running)
            child = _fork.Process(target=self._train, args=(cell, share, number), name=cell.key)
            child.start()
            running.append(_Running(cell, child, lease, share))
            return True
        return False

    def _stored(self, key: str) -> bool:
        """Whether nothing is left to do for the cell; a damaged record is set aside."""
        return self.store.read_or_discard(key, self._warn) is not None and complete(self.store, key, self.readings)

    def _reap(self, running: list[_Running], outcome: Outcome) -> None:
        for job in [job for job in running if not job.child.is_alive()]:
            job.child.join()
            running.remove(job)
            key, code = job.cell.key, job.child.exitcode
            if complete(self.store, key, self.readings):
                outcome.finished.append(key)
            elif code == RESUMABLE:
                outcome.failed[key] = "stopped before its end; the next run goes on from its checkpoint"
            elif code is not None and code < 0:
                outcome.failed[key] = f"killed by {signal.Signals(-code).name}"
                with self.store.log_path(key).open("a") as log:
                    log.write(outcome.failed[key] + "\n")
            else:
                outcome.failed[key] = last_line(self.store.log_path(key)) or f"exit code {code}"
            if key in outcome.failed and code != RESUMABLE:
                self._warn(f"{_name(job.cell)} failed: {outcome.failed[key]} (log: {self.store.log_path(key)})")
            job.lease.release()

    def _beat(self, running: list[_Running]) -> None:
        if time.monotonic() - self._beaten > HEARTBEAT_SECONDS:
            self._beaten = time.monotonic()
            for job in running:
                job.lease.renew()

    def _train(self, cell: ResolvedCell, share: Any, number: int) -> None:
        """The child: train ``cell``, store its record, leave with an exit code."""
        parent = os.getppid()
        log = self.store.log_path(cell.key).open("w", buffering=1)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = log
        code = 1
        try:
            self._train_here(cell, share, number, parent)
            code = 0
        except Interrupted as error:
            print(error)
            code = RESUMABLE
        except BaseException:
            traceback.print_exc()
        log.flush()
        os._exit(code)  # the parent's exit handlers are not this child's

    def _train_here(self, cell: ResolvedCell, share: Any, number: int, parent: int) -> None:
        use_one_thread()
        if cell.device == "cuda":
            os.environ["CUDA_VISIBLE_DEVICES"] = _nth_device(number % max(1, self.device.count))
        trainer = Trainer(cell, self.data)
        entry = self.store.read(cell.key)
        if entry is None or (self.readings and entry.row["status"] == DONE and not restore_weights(self.store, trainer)):
            trainer, entry = self._train_to_end(trainer, share, parent)
        missing = missing_readings(self.store, cell.key, self.readings)
        take_readings(self.store, trainer, self.data, missing, entry.row["status"] == DONE)

    def _train_to_end(self, trainer: Trainer, share: Any, parent: int) -> tuple[Trainer, Entry]:
        """Train from the start or the checkpoint, store the record and, where the model is to be read, its weights."""
        cell = trainer.cell
        checkpoint = self.store.checkpoint_path(cell.key)
        try:
            if trainer.restore(checkpoint):
                print(f"goes on from step {trainer.progress.step}")
        except UnusableCheckpoint as error:
            print(f"{error}; the cell is trained from its start")
            checkpoint.unlink()
            trainer = Trainer(cell, self.data)

        file = ProgressFile(self.store.progress_path(cell.key), HEARTBEAT_SECONDS)

        def say(*, stopped: bool = False, now: bool = False) -> None:
            done, batch = trainer.progress, cell.recipe.batch
            file.write(done.step, trainer.steps, batch, trainer.recent_loss, done.seconds, stopped=stopped, now=now)

        def beat(progress: Any, steps: int) -> None:
            share.value = progress.step / steps
            say()

        say(now=True)
        try:
            trainer.run(
                checkpoint,
                self.checkpoint_seconds,
                lambda: self._stop.is_set() or os.getppid() != parent,
                beat,
            )
        except Interrupted:
            say(stopped=True, now=True)
            raise
        entry = trainer.entry(self.device.machine)
        if self.readings and entry.row["status"] == DONE:
            keep_weights(self.store, trainer)  # before the record: a record that is there has its weights
        self.store.write(cell.key, entry)
        checkpoint.unlink(missing_ok=True)
        file.path.unlink(missing_ok=True)
        return trainer, entry

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
        get_family(family)
    make_optimizer(torch.nn.Linear(1, 1), cells[0].recipe, 0.0)
    forward_flop(torch.nn.Flatten(), ImageSpec(28, 1, 2))


def _nth_device(number: int) -> str:
    visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
    return visible[number % len(visible)] if visible else str(number)


def _cost(cell: ResolvedCell) -> float:
    """Relative cost of a cell: images seen x parameters, with a floor for the overhead of small models."""
    return cell.recipe.images_seen(cell.images) * (20_000 + cell.params)


def _name(cell: ResolvedCell) -> str:
    return f"{cell.family} N={cell.params} D={cell.images} seed={cell.seed} ({cell.key})"


class _Line:
    """The pack's line on the terminal: cells done, running, failed, and the time left."""

    def __init__(self, label: str, costs: dict[str, float]) -> None:
        self.label, self.costs, self.began = label, costs, time.monotonic()
        self.said, self.shown, self.stored = -SAY_SECONDS, "", 0.0

    def say(self, outcome: Outcome, running: list[_Running], last: bool = False) -> None:
        ended = len(outcome.finished) + len(outcome.failed)
        if not last and time.monotonic() - self.said < SAY_SECONDS:
            return
        text = f"{len(outcome.finished)}/{len(self.costs)} done, {len(running)} running, {len(outcome.failed)} failed"
        if not last and ended + len(running):
            text += self._left(outcome, running)
        if text != self.shown:
            print(f"{self.label}: {text}", file=sys.stderr, flush=True)
            self.shown = text
        self.said = time.monotonic()

    def _left(self, outcome: Outcome, running: list[_Running]) -> str:
        total = sum(self.costs.values())
        done = sum(self.costs[key] for key in [*outcome.finished, *outcome.failed])
        done += sum(self.costs[job.cell.key] * job.share.value for job in running)
        passed = time.monotonic() - self.began
        if self.said < 0:
            self.stored = done  # what the store held already took no time
        if done - self.stored < 0.02 * total or passed < 5:
            return ""
        minutes = passed * (total - done) / (done - self.stored) / 60
        return f", about {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"
