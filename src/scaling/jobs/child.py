"""A child of the runner: one process that trains one run, writes its log, and exits with a code that says how it ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from scaling.jobs.followers import Place, on_gpus
from scaling.jobs.job_notes import EXIT_RESUMABLE
from scaling.jobs.slots import Slot
from scaling.models import get_family
from scaling.models.family import ImageSpec
from scaling.models.outside import own_place
from scaling.models.own_files import OwnModelError, told
from scaling.runs.grid import Run
from scaling.runs.lease import Lease, LostLease
from scaling.training.cuda_start import is_capture_error, is_cuda_error
from scaling.training.device import seed_the_cpu_alone, use_one_thread

if TYPE_CHECKING:
    from scaling.training.attempt import CellTraining

CROWDED: Final = 76
"""Exit code of a child that met an error of its GPU, memory that ran out or another, while other runs shared it."""

UNCAPTURED: Final = 78
"""Exit code of a child whose GPU refused to capture its step as a graph: it is to be started again without one."""

TAKEN_OVER: Final = 77
"""Exit code of a child that found that another trainer has taken its run over."""

REASON_BYTES: Final = 1000
"""Bytes kept for the reason that a child gives for its failure."""

_fork = multiprocessing.get_context("fork")


def import_before_forking(run: Run) -> None:
    """Import in the parent what each child would have to import: this saves 1.2 to 1.8 s per run (measured).

    That is torch, timm with the file of the family, and what torch imports for its first optimiser and its FLOP counter. A job
    that finds all its runs in the store needs none of it, and saves 4 to 5 s (measured). ``run`` is any of a job's runs, which
    are of one family.
    """
    import torch

    import scaling.training.attempt  # noqa: F401
    from scaling.models.counting import forward_flop
    from scaling.training.optimizer import make_optimizer

    with contextlib.suppress(OwnModelError):  # each of its runs says what is wrong with a model of one's own
        get_family(run.family)
    make_optimizer(torch.nn.Linear(1, 1), run.recipe, 0.0)
    forward_flop(torch.nn.Flatten(), ImageSpec(28, 1, 2))


@dataclass(frozen=True)
class Child:
    """A run in training: its process, its lease, its slot, and the memory through which the process reports."""

    cell: Run
    process: Any
    lease: Lease
    slot: Slot
    share: Any
    reason: Any

    @classmethod
    def start(cls, training: CellTraining, lease: Lease, slot: Slot, gpus: Sequence[Place] = ()) -> Child:
        """Fork a process that trains the run of ``training`` in ``slot``, which is of ``gpus``."""
        share, reason = _fork.RawValue("d", 0.0), _fork.RawArray("c", REASON_BYTES)
        key = training.cell.key
        process = _fork.Process(target=train_and_leave, args=(training, slot, lease, share, reason, gpus), name=key)
        process.start()
        return cls(training.cell, process, lease, slot, share, reason)

    @property
    def done(self) -> float:
        """Share of its steps that is done."""
        return self.share.value

    @property
    def said(self) -> str:
        """Why it failed, in its own words; empty if it did not say."""
        return self.reason.value.decode(errors="replace")


def train_and_leave(
    training: CellTraining, slot: Slot, lease: Lease, share: Any, reason: Any, gpus: Sequence[Place] = ()
) -> None:
    """Train a run into the store and end the process: with EXIT_RESUMABLE if it was stopped, with TAKEN_OVER if another trainer
    has taken the run over.

    Args:
        training: as the parent prepared it; its ``warn`` writes to the terminal, its ``stop`` is the parent's.
        slot: the core, or the share of a GPU, that the run has.
        lease: the parent's lease on the run; once it is another's, nothing more is written.
        share: shared memory; the share of the steps that is done.
        reason: shared memory; why the run failed.
        gpus: the GPUs of the slot; none on a CPU.
    """
    from scaling.training.loop import Interrupted
    from scaling.training.memory import is_out_of_memory

    parent = os.getppid()
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    code = 1

    def warn(message: str) -> None:
        with contextlib.redirect_stderr(terminal):
            training.warn(message)
        with contextlib.suppress(OSError):  # a full disk is better reported by the write that fails
            print(message)

    def beat(done: float) -> None:
        share.value = done

    def stop() -> bool:
        return training.stop() or os.getppid() != parent

    try:
        training.store.held = lease
        training.store.check_held()
        path = training.store.log_path(training.cell.key)
        path.unlink(missing_ok=True)  # an earlier trainer that still runs keeps writing to its own, unlinked file
        log = path.open("w", buffering=1)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = log
        use_one_thread()
        if training.cell.device == "cpu":
            seed_the_cpu_alone()
        mine = replace(training, warn=warn, stop=stop, beat=beat)
        seen = gpus if training.cell.device == "cuda" else ()
        with on_gpus(mine, seen, max(1, len(gpus))) as together:
            together.run()
        code = 0
    except Interrupted as error:
        print(error)
        code = EXIT_RESUMABLE
    except LostLease as error:
        print(error)
        code = TAKEN_OVER
    except BaseException as error:
        place = own_place(training.cell.family)
        told_so = told(error, place[0]) if place else " ".join(f"{type(error).__name__}: {error}".split())
        reason.value = told_so.encode()[: REASON_BYTES - 1]
        with contextlib.suppress(OSError):
            traceback.print_exc()
            if place:
                print(told_so)  # the log ends with where in the user's file it was
        if training.captured and is_capture_error(error):
            code = UNCAPTURED
        elif not slot.alone and (is_out_of_memory(error) or is_cuda_error(error)):
            code = CROWDED
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)  # the parent's exit handlers are not this child's
