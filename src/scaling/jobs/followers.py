"""The processes of a run that has several GPUs: one for each GPU beside the first, which is that of the run's own process."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scaling.training.device import Gpu, see_gpu

if TYPE_CHECKING:
    from scaling.training.attempt import CellTraining

Place = tuple[int, Gpu]
"""The position of a GPU among the visible ones, and the GPU."""

END_SECONDS: Final = 3.0
"""Seconds from the moment at which a process closes its connections to its end (assumption)."""

LEAVE_SECONDS: Final = 30.0
"""Seconds that a process has to end once it was let go (assumption)."""

_fork = multiprocessing.get_context("fork")


class LostFollower(RuntimeError):
    """The process on one of the run's GPUs has ended before the run; the message says which."""


@contextmanager
def on_gpus(training: CellTraining, gpus: Sequence[Place], count: int) -> Iterator[CellTraining]:
    """``training`` as it is run by this process, which sees the first of ``gpus`` and no other from now on.

    Where ``count`` is more than 1, so many processes train the run together; the others end with the block. To be entered
    before anything touches CUDA. Raises LostFollower where one of them ends too early.
    """
    if count == 1:
        _see(gpus, 0)
        yield training
        return
    from torch.distributed import FileStore  # type: ignore[attr-defined]

    from scaling.training.ranks import Ranks

    with tempfile.TemporaryDirectory(prefix="scaling-ranks-") as folder:
        meeting, device = Path(folder) / "ranks", training.cell.device
        arguments = [(training, gpus, rank, count, meeting) for rank in range(1, count)]
        followers = [_fork.Process(target=_follow, args=each, name=f"rank {each[2]}") for each in arguments]
        for follower in followers:
            follower.start()
        try:
            _see(gpus, 0)
            store = FileStore(str(meeting), count)
            while not store.check([follower.name for follower in followers]):
                _check(followers, count)
                time.sleep(0.05)
            ranks = Ranks(0, count, store, device)
            yield replace(training, ranks=ranks)
            ranks.leave()
            for follower in followers:
                follower.join(LEAVE_SECONDS)
        except RuntimeError as error:  # torch's, about a connection: which process ended says more
            connection.wait([follower.sentinel for follower in followers], END_SECONDS)  # it has closed its connections before
            _check(followers, count, error)
            raise
        finally:
            for follower in followers:
                if follower.is_alive():
                    follower.kill()
                follower.join()


def _see(gpus: Sequence[Place], rank: int) -> None:
    if gpus:
        position, gpu = gpus[rank]
        see_gpu(gpu, position)


def _check(followers: Sequence[Any], count: int, error: BaseException | None = None) -> None:
    for rank, follower in enumerate(followers, 1):
        if follower.exitcode:
            raise LostFollower(
                f"the process on GPU {rank + 1} of {count} ended with exit code {follower.exitcode}; its error is in the log"
            ) from error


def _follow(training: CellTraining, gpus: Sequence[Place], rank: int, count: int, meeting: Path) -> None:
    """Train the run as rank ``rank`` until rank 0 lets go, and end the process."""
    from torch.distributed import FileStore  # type: ignore[attr-defined]

    from scaling.training.ranks import Ranks

    code = 1
    try:
        _see(gpus, rank)
        store = FileStore(str(meeting), count)
        store.set(f"rank {rank}", "here")
        Ranks(rank, count, store, training.cell.device).follow(training.new_trainer)
        code = 0
    except BaseException:
        traceback.print_exc()
    os._exit(code)  # the parent's exit handlers are not this process's
