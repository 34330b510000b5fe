"""Work on many groups of rows, in processes where there are many."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

Progress = Callable[[int, int], None]
"""(groups done, groups in all)."""
MANY = 300
"""Groups from which processes pay for their start-up."""
CHUNK = 25
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work_through(
    work: Callable[[Any], Any], jobs: Sequence[Any], *, workers: int = 1, progress: Progress | None = None
) -> list[Any]:
    """``work`` of every job, in their order.

    Args:
        work: a function of a module, or a partial of one: other processes must find it by its name.
        jobs: one a group.
        workers: processes; they are used for MANY jobs or more. Leave it at 1 in a script that does not guard its main part:
            a process that is started reads the script again.
        progress: called after each group.
    """
    if workers == 1 or len(jobs) < MANY:
        return _collected(map(work, jobs), len(jobs), progress)
    # Started afresh, not forked: polars has threads, which a fork would leave in the middle of what they do. Each takes one
    # thread for its small matrices: more would wait for each other.
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        return _collected(pool.map(work, jobs, chunksize=CHUNK), len(jobs), progress)


def work_in_batches(
    work: Callable[[Sequence[Any]], list[Any]],
    jobs: Sequence[Any],
    *,
    size: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Any]:
    """``work`` of ``size`` jobs at a time, which gives one result a job; the results in the order of the jobs.

    Args:
        work, jobs, workers, progress: as for ``work_through``; ``progress`` is called after each batch.
        size: jobs a batch.
    """
    batches = [jobs[at : at + size] for at in range(0, len(jobs), size)]
    if workers == 1:
        return _joined(map(work, batches), len(jobs), progress)
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        return _joined(pool.map(work, batches), len(jobs), progress)


def _joined(batches: Iterable[list[Any]], count: int, progress: Progress | None) -> list[Any]:
    done: list[Any] = []
    for batch in batches:
        done.extend(batch)
        if progress is not None:
            progress(len(done), count)
    return done


def _collected(results: Iterable[Any], count: int, progress: Progress | None) -> list[Any]:
    done = []
    for result in results:
        done.append(result)
        if progress is not None:
            progress(len(done), count)
    return done
