"""Images per second of batches from a file that is larger than memory, beside reading the same file straight through.

    uv run python benchmarks/reading.py [GB] [LIMIT_GB]

A file of random bytes is made in the temporary folder and removed again. Memory, the kernel's cache of files included, is
limited to LIMIT_GB by a control group (needs root): without one the file may come from memory, and the output says so.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SIDE, BATCH, GIGABYTE = 64, 256, 10**9
IMAGE_BYTES = 3 * SIDE * SIDE


@contextlib.contextmanager
def limited(gigabytes: float) -> Iterator[bool]:
    """Put this process into a group with so much memory, and out of it again; whether that was allowed."""
    first = Path("/sys/fs/cgroup/memory")  # version 1
    root, key = (first, "memory.limit_in_bytes") if first.is_dir() else (first.parent, "memory.max")
    group = root / "scaling-reading"
    try:
        group.mkdir(exist_ok=True)
        (group / key).write_text(str(int(gigabytes * GIGABYTE)))
        (group / "cgroup.procs").write_text(str(os.getpid()))
        held = True
    except OSError:
        held = False
    try:
        yield held
    finally:
        with contextlib.suppress(OSError):
            (root / "cgroup.procs").write_text(str(os.getpid()))
            group.rmdir()


def forget(path: Path) -> None:
    """Let the kernel drop what it holds of the file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def write(path: Path, images: int) -> None:
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, images, 4096):
            file.write(random.bytes(min(4096, images - start) * IMAGE_BYTES))


def straight(path: Path) -> float:
    """Seconds to read the file from its beginning to its end."""
    buffer, began = bytearray(1 << 24), time.monotonic()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.monotonic() - began


def shuffled(path: Path, images: int) -> float:
    """Seconds for one epoch of shuffled batches, as a run reads them, without a model."""
    from scaling.training import images as cell
    from scaling.training.feed import Feed
    from scaling.training.schedule import Order

    cell.IN_MEMORY_BYTES = 0
    array = np.memmap(path, np.uint8, "r", shape=(images, 3, SIDE, SIDE)).view(np.ndarray)
    subset = cell.Subset(array, np.zeros(images, np.int64), np.arange(images), "cpu")
    steps = images // BATCH
    feed = Feed(subset, Order(images, BATCH, 0), steps)
    feed.batch(0)
    began = time.monotonic()
    for step in range(1, steps):
        feed.batch(step)
    return time.monotonic() - began


def main(gigabytes: float, limit: float) -> None:
    images = int(gigabytes * GIGABYTE) // IMAGE_BYTES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images"
        write(path, images)
        with limited(limit) as held:
            print(f"{images:,} images, {gigabytes:g} GB; memory limited to {limit:g} GB" if held else "memory is NOT limited")
            for name, seconds in (("straight through", straight), ("shuffled batches", lambda path: shuffled(path, images))):
                forget(path)
                print(f"{name}: {images / seconds(path):,.0f} images per second")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory of the process: {peak:.2f} GB, torch included")


if __name__ == "__main__":
    given = [float(argument) for argument in sys.argv[1:]]
    main(*(given + [3.0, 1.0][len(given) :]))
