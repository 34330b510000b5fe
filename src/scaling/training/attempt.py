"""Training one cell to its record: from its checkpoint where there is one, in smaller micro-batches where memory runs out."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from scaling.data import ImageData
from scaling.runs.answers import keep_answers
from scaling.runs.grid import Backbone, Run
from scaling.runs.kept import missing_probes
from scaling.runs.lease import HEARTBEAT_SECONDS
from scaling.runs.progress import ProgressFile
from scaling.runs.records import DONE
from scaling.runs.store import Record, Store
from scaling.training.ask_model import ask_model
from scaling.training.checkpoint import UnusableCheckpoint
from scaling.training.loop import Interrupted, Trainer
from scaling.training.memory import is_out_of_memory
from scaling.training.pretraining import Pretrainer
from scaling.training.ranks import Ranks
from scaling.training.start import read_start
from scaling.training.take_probes import keep_weights, restore_weights, take_probes
from scaling.training.trunk import Trunk


@dataclass(frozen=True)
class CellTraining:
    """What the training of ``cell``, a run or a backbone, on ``data`` into ``store`` needs.

    ``alone`` says that no other cell shares its device; ``stop`` is asked between steps, ``beat`` is told the share of the
    steps that is done; ``trunk`` is what the run has in common with others; ``warn`` says what is found wrong and mended;
    ``ranks`` are the processes that train it together, None where this one is alone; ``captured`` says that steps may be CUDA
    graphs.
    """

    cell: Run
    data: ImageData
    store: Store
    machine: str
    checkpoint_seconds: float
    alone: bool
    stop: Callable[[], bool]
    beat: Callable[[float], None] = lambda done: None
    probes: tuple[str, ...] = ()
    trunk: Trunk | None = None
    warn: Callable[[str], None] = print
    ranks: Ranks | None = None
    captured: bool = True

    def run(self) -> None:
        """Train to the end, store the record, and take what is to be read off the model.

        Where the device's memory runs out and the cell has it alone, half as many images are computed at a time, and half
        of that, down to one, at the same effective batch. Raises Interrupted when asked to stop, the checkpoint written;
        torch's error where memory runs out beside others' cells, which is no reason to compute anything differently;
        LostLease where another trainer has the cell now.
        """
        self.store.check_held()
        self.store.sweep(self.cell.key)
        found = self._stored() or self._attempt(None)
        while isinstance(found, int):
            gc.collect()
            if self.cell.device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            found = self._attempt(found)
        trainer, entry = found
        if self.cell.objective:
            return
        missing = missing_probes(self.store, self.cell.key, self.probes)
        take_probes(self.store, trainer, self.data, missing, entry.row["status"] == DONE)

    def _stored(self) -> tuple[Trainer, Record] | None:
        """The record and the model of a cell that is stored and only to be read; None where it has to be trained."""
        entry = self.store.read(self.cell.key)
        if entry is None or self.cell.objective:  # of a backbone, the weights are missing or it would not be here
            return None
        trainer = self.new_trainer()
        trainer.shrink(entry.row["micro_batch"])
        if self.probes and entry.row["status"] == DONE and not restore_weights(self.store, trainer, self.warn):
            return None
        return trainer, entry

    def new_trainer(self) -> Trainer:
        """A trainer at the cell's start."""
        if isinstance(self.cell, Backbone):
            trainer: Trainer = Pretrainer(self.cell, self.data)
        else:
            start = read_start(self.store, self.cell.backbone) if self.cell.backbone else None
            trainer = Trainer(self.cell, self.data, start)
        if not self.captured:
            trainer.captured = None
        return trainer

    @property
    def _checkpoint(self) -> Path:
        return self.store.checkpoint_path(self.cell.key)

    def _attempt(self, micro_batch: int | None) -> tuple[Trainer, Record] | int:
        """Train to the end and store the record; or the micro-batch to try next.

        None as ``micro_batch``: the whole batch, or the checkpoint's.
        """
        trainer = self._trainer(afresh=micro_batch is not None)
        if self.ranks is not None:
            self.ranks.join(trainer)
        if micro_batch is not None:
            trainer.shrink(micro_batch)
        try:
            self._train(trainer)
            entry = trainer.entry(self.machine)
        except Exception as error:
            if not (is_out_of_memory(error) and self.alone and trainer.micro_batch > 1):
                raise
            smaller = -(-trainer.micro_batch // 2)
            self.warn(f"out of memory with {trainer.micro_batch} images at a time; goes on with {smaller}: {error}")
            return smaller
        if entry.row["status"] == DONE:  # before the record: a record that is there has what lies beside it
            if self.probes or self.cell.objective:
                keep_weights(self.store, trainer)
            if not self.cell.objective:
                keep_answers(self.store, self.cell.key, ask_model(trainer))
        self.store.write(self.cell.key, entry)
        if self.trunk is not None:
            self.trunk.tidy(self.store)
        self._checkpoint.unlink(missing_ok=True)
        self.store.progress_path(self.cell.key).unlink(missing_ok=True)
        return trainer, entry

    def _trainer(self, *, afresh: bool) -> Trainer:
        """A trainer at the cell's checkpoint, or at its start where there is none that can be used.

        The start is the state that another run of the trunk left, unless ``afresh``: micro-batches may have been others there.
        """
        trainer, found = self._restored(
            self.new_trainer(), self._checkpoint, self.cell.settings(), "", "the run is trained from its start"
        )
        return trainer if found or afresh else self._at_a_trunk(trainer)

    def _at_a_trunk(self, trainer: Trainer) -> Trainer:
        """``trainer``, or one like it, at the longest state of the trunk that can be used, or at its start."""
        trunk = self.trunk
        if trunk is None:
            return trainer
        for step in trunk.starts(self.store, self.cell.key):
            path = self.store.trunk_path(trunk.key, step)
            whose, instead = ", which another length of this run has reached", "removed, the run begins without it"
            trainer, found = self._restored(trainer, path, trunk.settings, whose, instead)
            if found:
                break
        return trainer

    def _restored(
        self, trainer: Trainer, path: Path, settings: dict[str, Any], whose: str, instead: str
    ) -> tuple[Trainer, bool]:
        """``trainer`` at the state in ``path`` and True; or False, and a trainer at its start.

        A state that cannot be used is named, with what is done ``instead``, and removed. ``whose`` ends the line on one that
        can.
        """
        try:
            found = trainer.restore(path, settings)
        except UnusableCheckpoint as error:
            self.store.check_held()
            self.warn(f"{error}; {instead}")
            path.unlink(missing_ok=True)
            return self.new_trainer(), False
        if found:
            with contextlib.suppress(OSError):
                print(f"goes on from step {trainer.progress.step}{whose}")
        return trainer, found

    def _keep_for_others(self, trainer: Trainer) -> Callable[[int], None]:
        """What is to be called after each step: it stores the states of the trunk that other runs wait for."""
        trunk, key = self.trunk, self.cell.key
        if trunk is None:
            return lambda step: None
        steps = trunk.saves(key)

        def passed(step: int) -> None:
            whole = trainer.micro_batch == self.cell.recipe.batch
            if step in steps and whole and not trainer.progress.diverged and trunk.is_wanted(self.store, key, step):
                self.store.check_held()
                try:
                    trainer.save(self.store.trunk_path(trunk.key, step), trunk.settings)
                except OSError as error:  # others then train from their own starts
                    self.warn(f"the state after step {step} is not kept for other lengths of this run: {error}")

        return passed

    def _train(self, trainer: Trainer) -> None:
        """Train to the last step, telling the parent and `scaling status` how far it is."""
        file = ProgressFile(self.store.progress_path(self.cell.key), HEARTBEAT_SECONDS, self.store.check_held)

        def say(*, stopped: bool = False, now: bool = False) -> None:
            done, batch = trainer.progress, self.cell.recipe.batch
            file.write(
                done.step,
                trainer.steps,
                batch,
                trainer.watch.recent,
                done.seconds,
                stopped=stopped,
                now=now,
                curve=done.curve,
            )

        def beat(progress: Any, steps: int) -> None:
            self.beat(progress.step / steps)
            say()

        say(now=True)
        try:
            passed = self._keep_for_others(trainer)
            with self.ranks.together(trainer) if self.ranks is not None else contextlib.nullcontext():
                trainer.run(self._checkpoint, self.checkpoint_seconds, self.stop, beat, self.store.check_held, passed)
        except Interrupted:
            say(stopped=True, now=True)
            raise
