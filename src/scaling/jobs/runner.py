"""The runner: trains many runs in one job.

torch is imported once, before the first run is trained; each run is a forked child, so that one that fails or dies leaves the
others alone. As many train at a time as the job has slots for (``slots.py``), the longest first. Backbones are trained before
the runs that start from them, by whichever job needs one first; a lease keeps other jobs from training it too. A run that runs
out of memory beside others, or meets another error of CUDA there, is started again with a GPU to itself, and if memory runs out
there too, with micro-batches of half the size, then a quarter and so on, at the same effective batch. One whose step CUDA
refuses to capture is started again without a graph. A run may have several GPUs (``followers.py``).
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scaling.data import DataError, ImageData, is_verified, load
from scaling.jobs.child import CROWDED, TAKEN_OVER, UNCAPTURED, Child, import_before_forking
from scaling.jobs.followers import Place
from scaling.jobs.job_notes import EXIT_RESUMABLE
from scaling.jobs.outcome import Outcome, Telling, name_of
from scaling.jobs.runner_line import PackLine
from scaling.jobs.slots import Cores, GpuShares, Slot, Slots
from scaling.jobs.stopping import StopRequest
from scaling.runs.deciding_code import check_unchanged
from scaling.runs.grid import ResolvedCell, Run
from scaling.runs.kept import is_complete, is_kept
from scaling.runs.lease import HEARTBEAT_SECONDS, Lease
from scaling.runs.progress import read_progress
from scaling.runs.resolve import last_line
from scaling.runs.store import ForeignRecord, Record, Store
from scaling.training.device import Device

if TYPE_CHECKING:
    from scaling.training.attempt import CellTraining
    from scaling.training.trunk import Trunk

POLL_SECONDS: Final = 0.1
"""Seconds between two looks at the children (assumption)."""


class PackRunner:
    """Trains runs into the store.

    Args:
        store: where the records lie.
        data_path: the prepared images.
        device: where the runs are trained.
        label: names the job on the terminal.
        cores: runs trained at a time on a CPU; GPUs take as many as their memory holds.
        checkpoint_seconds: time between two checkpoints of a run.
        machine_cores: runs that all jobs together train at a time on the GPUs of this machine.
        probes: what is read off the models.
        trunks: key of a run -> what it has in common with runs of other lengths.
        stop_at: when it stops as on a signal, with checkpoints written, on the clock of ``time.monotonic``; None for never.
        gpus_per_run: GPUs that train one run together; a backbone is trained on one.
        look: is called again and again while runs are trained.

    Raises:
        DataError: the prepared images are missing or damaged.
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
        trunks: Mapping[str, Trunk] | None = None,
        stop_at: float | None = None,
        gpus_per_run: int = 1,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.store, self.device, self.label = store, device, label
        self.checkpoint_seconds, self.probes = checkpoint_seconds, tuple(probes)
        self.data: ImageData = load(data_path, verify=not is_verified(data_path))
        self.slots: Slots = Cores(cores if device.kind == "cpu" else 1)
        if device.gpus:
            from scaling.training.memory import MemoryEstimate

            self.slots = GpuShares(device.gpus, MemoryEstimate(self.data), max(cores, machine_cores), gpus_per_run)
        self._trunks = trunks or {}
        self._look, self._tell = look, Telling(label, store)
        self._alone: set[str] = set()
        self._uncaptured: set[str] = set()
        self._leases: dict[str, Lease] = {}
        """of runs that wait, or are waited for: whether another trainer is alive is seen by watching its heartbeat"""
        self._stop = StopRequest(stop_at, self._tell.warn)
        self.imported = False
        """whether what trains was imported: not before there is something to train"""
        self._beaten = time.monotonic()

    def run(self, cells: list[ResolvedCell]) -> Outcome:
        """Train each of ``cells`` that has no record yet, and take the probes that are missing; returns once all have ended.

        Raises:
            DataError: the keys of ``cells`` name other images than those that were loaded.
            CodeError: a file that decides results was edited since this process started.
        """
        others = {cell.checksum for cell in cells} - {self.data.checksum}
        if others:
            raise DataError(
                f"{self.label}: the runs are of images with sha256 {', '.join(sorted(others))}, those prepared have "
                f"{self.data.checksum}; the images changed after tuning, run again"
            )
        new = [cell for cell in cells if not is_complete(self.store, cell.key, self.probes)]
        outcome = Outcome()
        backbones = {cell.backbone.key: cell.backbone for cell in new if cell.backbone}
        runs: list[Run] = [*backbones.values(), *{cell.key: cell for cell in cells}.values()]
        costs = {run.key: _cost(run) for run in runs}
        waiting = sorted(runs, key=lambda run: (run.key not in backbones, -costs[run.key]))
        running: list[Child] = []
        line = PackLine(self.label, len(costs), sum(costs.values()))
        with self._stop.on_signals():
            while waiting or running:
                started = not self._stop.is_made() and self._start_next(waiting, running, outcome)
                self._reap(waiting, running, outcome)
                self._beat(running)
                self._stop.look_at_clock()
                self._look()
                line.say(len(outcome.finished), len(outcome.failed), len(running), self._done(outcome, running, costs))
                if self._stop.is_made() and not running:
                    outcome.interrupted |= bool(waiting)
                    break
                if not started and running:  # wakes as soon as a child ends: tiny runs end many times per second
                    connection.wait([child.process.sentinel for child in running], POLL_SECONDS)
                elif not started:
                    time.sleep(POLL_SECONDS)
        line.say(len(outcome.finished), len(outcome.failed), 0, sum(costs.values()), last=True)
        return outcome

    @staticmethod
    def _done(outcome: Outcome, running: list[Child], costs: dict[str, float]) -> float:
        """Cost of the runs that have ended, and of the part that is done of those in training."""
        ended = sum(costs[key] for key in [*outcome.finished, *outcome.failed])
        return ended + sum(costs[child.cell.key] * child.done for child in running)

    def _start_next(self, waiting: list[Run], running: list[Child], outcome: Outcome) -> bool:
        """Start the first waiting run that can start; True if one was started, or has ended without training."""
        for run in waiting:
            if self._needs_no_training(run, outcome):
                break
            if self._waits_for_another(run):
                continue
            slot = self.slots.take(run, run.key in self._alone)
            if slot is None:
                return False
            if self._start_in(slot, run, running, outcome):
                break
        else:
            return False
        waiting.remove(run)
        return True

    def _start_in(self, slot: Slot, run: Run, running: list[Child], outcome: Outcome) -> bool:
        """Start ``run`` in ``slot``; False if another job was faster. A run whose folder cannot be written has failed."""
        if not self.imported:
            import_before_forking(run)
            check_unchanged()
            self.imported = True
        try:
            lease = self._hold(run)
        except OSError as error:
            self.slots.free(slot)
            self._tell.failed(run, f"{error.strerror} in {self.store.folder(run.key)}", outcome)
            return True
        if lease is None:
            self.slots.free(slot)
            return False
        del self._leases[run.key]
        running.append(Child.start(self._training(run, slot), lease, slot, self._gpus(slot)))
        return True

    def _needs_no_training(self, cell: Run, outcome: Outcome) -> bool:
        """Whether ``cell`` is stored already, or cannot be trained here; ``outcome`` then says which."""
        try:
            record = self._stored(cell)
        except ForeignRecord as error:  # it is never rewritten, so nothing can be done for this run
            self._tell.failed(cell, str(error), outcome)
            return True
        if record is not None:
            self.slots.learn(cell, record.row["peak_memory"])
            outcome.finished.append(cell.key)
            return True
        if cell.backbone is not None and cell.backbone.key in outcome.failed:
            self._tell.failed(cell, f"its backbone {cell.backbone.key}: {outcome.failed[cell.backbone.key]}", outcome, log=True)
            return True
        return False

    def _waits_for_another(self, cell: Run) -> bool:
        """Whether the backbone of ``cell`` is still missing, another job trains ``cell`` itself, or what it can start from."""
        if cell.backbone is not None and not is_kept(self.store, cell.backbone):
            return True
        return self._is_trained_now(cell.key) or self._trunk_grows(cell.key)

    def _is_trained_now(self, key: str) -> bool:
        """Whether another job, or a child of this one, trains the run ``key``."""
        if key not in self._leases:
            self._leases[key] = self.store.lease(key)
        return self._leases[key].owner_now()[1]

    def _trunk_grows(self, key: str) -> bool:
        """Whether a run in training will leave a state for the run ``key`` to start from, longer than those that are there."""
        trunk = self._trunks.get(key)
        if trunk is None or self.store.checkpoint_path(key).exists():
            return False
        there = max(trunk.starts(self.store, key), default=0)
        for other, leaves in trunk.leaves.items():
            step = min(leaves, trunk.leaves[key])
            if other != key and step > there and self._is_trained_now(other):
                said = read_progress(self.store.progress_path(other))
                if said is None or said.step < step:
                    return True
        return False

    def _hold(self, cell: Run) -> Lease | None:
        """The lease of ``cell``; None if another job holds it, or has trained ``cell`` by now. Raises OSError."""
        lease = self._leases[cell.key]
        if not lease.acquire():
            return None
        if self._stored(cell) is None:
            return lease
        lease.release()
        return None

    def _gpus(self, slot: Slot) -> list[Place]:
        """The GPUs of ``slot``."""
        return [(position, self.device.gpus[position]) for position in slot.gpus]

    def _training(self, cell: Run, slot: Slot) -> CellTraining:
        from scaling.training.attempt import CellTraining

        names = [gpu.name or self.device.machine for _, gpu in self._gpus(slot)]
        several = f"{len(names)} x " if len(names) > 1 else ""
        return CellTraining(
            cell,
            self.data,
            self.store,
            several + ", ".join(dict.fromkeys(names)) if names else self.device.machine,
            self.checkpoint_seconds,
            alone=slot.alone,
            probes=self.probes,
            trunk=self._trunks.get(cell.key),
            stop=self._stop.is_made,
            warn=self._tell.warn,
            captured=cell.key not in self._uncaptured,
        )

    def _stored(self, cell: Run) -> Record | None:
        """The record of ``cell`` if nothing is left to do for it, else None; a damaged record is set aside."""
        record = self.store.read_or_discard(cell.key, self._tell.warn)
        if cell.objective:
            return record if is_kept(self.store, cell) else None
        return record if record is not None and is_complete(self.store, cell.key, self.probes) else None

    def _reap(self, waiting: list[Run], running: list[Child], outcome: Outcome) -> None:
        for child in [child for child in running if not child.process.is_alive()]:
            child.process.join()
            running.remove(child)
            self.slots.free(child.slot)
            self._ended(child, waiting, outcome)
            with contextlib.suppress(OSError):  # a lease that cannot be removed goes stale by itself
                child.lease.release()

    def _ended(self, child: Child, waiting: list[Run], outcome: Outcome) -> None:
        key, code = child.cell.key, child.process.exitcode
        record = self._stored(child.cell)
        taken_over = code == TAKEN_OVER or (code != 0 and child.lease.is_lost())
        if record is not None and not taken_over:
            outcome.finished.append(key)
            outcome.trained.append(key)
            self.slots.learn(child.cell, record.row["peak_memory"])
        elif taken_over:  # whatever went wrong in its last moments: another job has the run
            self._tell.warn(
                f"{name_of(child.cell)} was taken over by another trainer while this one stood still; its result is used"
            )
            waiting.append(child.cell)
        elif code == CROWDED and not self._stop.is_made():
            why = f" ({child.said})" if child.said else ""
            self._tell.warn(
                f"{name_of(child.cell)} failed on a GPU beside others{why}; it is started again with a GPU to itself"
            )
            self._alone.add(key)
            waiting.append(child.cell)
        elif code == UNCAPTURED and not self._stop.is_made():
            self._tell.warn(f"{name_of(child.cell)}: no CUDA graph of its step ({child.said}); it is started again without one")
            self._uncaptured.add(key)
            waiting.append(child.cell)
        elif code in (EXIT_RESUMABLE, CROWDED, UNCAPTURED):
            outcome.failed[key] = "stopped before its end; the next run goes on from its checkpoint"
            outcome.interrupted = True
        elif code is not None and code < 0:
            if code == -signal.SIGKILL:
                outcome.killed.append(key)
            self._tell.failed(child.cell, f"killed by {signal.Signals(-code).name}", outcome, log=True)
        else:
            # The child itself says why: on a full disk its log does not.
            said = child.said or last_line(self.store.log_path(key))
            self._tell.failed(child.cell, said or f"exit code {code}", outcome)

    def _beat(self, running: list[Child]) -> None:
        if time.monotonic() - self._beaten > HEARTBEAT_SECONDS:
            self._beaten = time.monotonic()
            for child in running:
                with contextlib.suppress(OSError):
                    child.lease.renew()


def _cost(cell: Run) -> float:
    """Relative cost of a run: images seen x parameters, with a floor for the overhead of small models (assumption)."""
    return cell.recipe.length(cell.images) * (20_000 + cell.params)
