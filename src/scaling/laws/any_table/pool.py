"""Work on many groups of rows, in several processes if there are enough groups."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

OnGroupDone = Callable[[int, int], None]
"""(groups done, groups in all)."""
ENOUGH_FOR_PROCESSES = 300
"""Groups from which on several processes save more time than they take to start, some seconds each."""
GROUPS_PER_TASK = 25
"""Groups handed to a process at a time (assumption)."""
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def work_through(
    work: Callable[[Any], Any], groups: Sequence[Any], *, workers: int = 1, progress: OnGroupDone | None = None
) -> list[Any]:
    """``work`` of every group, in their order.

    Args:
        work: a function of a module, or a partial of one: other processes must find it by its name.
        groups: what ``work`` takes.
        workers: processes, used for ENOUGH_FOR_PROCESSES groups or more. Leave it at 1 in a script that does not guard its main
            part: a process that is started reads the script again.
        progress: called after each group.
    """
    if workers == 1 or len(groups) < ENOUGH_FOR_PROCESSES:
        return _gathered(([work(group)] for group in groups), len(groups), progress)
    with _processes(workers) as pool:
        results = pool.map(work, groups, chunksize=GROUPS_PER_TASK)
        return _gathered(([result] for result in results), len(groups), progress)


def work_in_batches(
    work: Callable[[Sequence[Any]], list[Any]],
    groups: Sequence[Any],
    *,
    size: int,
    workers: int = 1,
    progress: OnGroupDone | None = None,
) -> list[Any]:
    """``work`` of ``size`` groups at a time, which returns one result per group; the results in the order of the groups.

    Args:
        work, groups, workers, progress: as for ``work_through``; ``progress`` is called after each batch.
        size: groups per batch.
    """
    batches = [groups[at : at + size] for at in range(0, len(groups), size)]
    if workers == 1:
        return _gathered(map(work, batches), len(groups), progress)
    with _processes(workers) as pool:
        return _gathered(pool.map(work, batches), len(groups), progress)


def _processes(workers: int) -> ProcessPoolExecutor:
    """Processes that are started afresh, not forked: a fork would leave the threads of polars in the middle of their work.

    Each uses one thread for its small matrices: more threads would wait for each other.
    """
    os.environ.update(ONE_THREAD)
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


def _gathered(parts: Iterable[Sequence[Any]], count: int, progress: OnGroupDone | None) -> list[Any]:
    """All results of the parts in one list; progress is told after each part."""
    done: list[Any] = []
    for part in parts:
        done.extend(part)
        if progress is not None:
            progress(len(done), count)
    return done
