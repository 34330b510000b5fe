"""Checks of the disk that holds the results: what the store and its leases need of it, and how fast it is."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from scaling.jobs.doctor.finding import FAIL, PASS, Check, Finding
from scaling.jobs.slots import ledger_path, own_folder
from scaling.runs.lease import HEARTBEAT_SECONDS
from scaling.study.layout import RESULTS

FILE_BYTES: Final = 64 * 1024**2
RANDOM_BYTES: Final = 150 * 1024
"""A read at random: an image of 224 x 224 pixels in colour."""
READS: Final = 200
SLOW_MB: Final = 20.0
"""Sequential MB per second below which a disk is called slow: an epoch of a million images of 150 KB takes two hours."""
SKEW_SECONDS: Final = HEARTBEAT_SECONDS
"""Clocks that differ by more confuse whoever reads times; leases do not compare clocks."""

Disk = Callable[[Path], Finding]


def hard_links(folder: Path) -> Finding:
    """Leases appear by hard links."""
    one = folder / "one"
    one.write_text("x")
    try:
        os.link(one, folder / "two")
    except OSError as error:
        return Finding(FAIL, f"no hard links ({error.strerror})", "put results/ on another filesystem (not FAT, not some FUSE)")
    return Finding(PASS, "hard links work")


def _take_lock(path: str, queue: Any) -> None:
    try:
        FileLock(path, timeout=0).acquire()
        queue.put(True)
    except Timeout:
        queue.put(False)
    except OSError as error:
        queue.put(str(error))


def locks(folder: Path) -> Finding:
    """A lock that one process holds must keep another out."""
    mend = "mount the filesystem with locks (Lustre: -o flock; NFS: without nolock)"
    path = str(folder / "lock")
    try:
        with FileLock(path, timeout=0):
            context = multiprocessing.get_context("fork")
            queue = context.SimpleQueue()
            child = context.Process(target=_take_lock, args=(path, queue))
            child.start()
            child.join()
            taken = queue.get()
    except OSError as error:
        return Finding(FAIL, f"no file locks ({error})", mend)
    return Finding(FAIL, f"two processes got one lock ({taken})", mend) if taken else Finding(PASS, "locks keep others out")


def clock(folder: Path) -> Finding:
    """The time that the filesystem gives a new file, against this machine's."""
    path = folder / "time"
    before = time.time()
    path.write_text("x")
    after, given = time.time(), path.stat().st_mtime
    skew = max(before - given, given - after, 0.0)
    if skew > SKEW_SECONDS:
        return Finding(FAIL, f"its clock differs by {skew:.0f} s", "let server and nodes keep time (chrony, ntpd)")
    return Finding(PASS, f"its clock differs by {skew:.1f} s")


def speed(folder: Path) -> Finding:
    """Sequential writing and reading, and reading at random, past the page cache where the system lets go of it."""
    path, block = folder / "speed", os.urandom(1024**2)
    began = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(FILE_BYTES // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    wrote = FILE_BYTES / 1e6 / (time.perf_counter() - began)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        forget(descriptor)
        began = time.perf_counter()
        while os.read(descriptor, len(block)):
            pass
        read = FILE_BYTES / 1e6 / (time.perf_counter() - began)
        forget(descriptor)
        draw, began = random.Random(0), time.perf_counter()
        for _ in range(READS):
            os.pread(descriptor, RANDOM_BYTES, draw.randrange(FILE_BYTES - RANDOM_BYTES))
        at_random = READS * RANDOM_BYTES / 1e6 / (time.perf_counter() - began)
    finally:
        os.close(descriptor)
    found = f"{wrote:.0f} MB/s written, {read:.0f} read, {at_random:.0f} read at random"
    if min(wrote, read, at_random) < SLOW_MB:
        return Finding(FAIL, found, "images that exceed memory will keep a GPU waiting: use a faster disk for results/")
    return Finding(PASS, found)


def forget(descriptor: int) -> None:
    """Ask the system to drop what it remembers of a file."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def temporary_folder() -> Finding:
    """Jobs of one machine share its GPUs through a ledger in the folder for temporary files."""
    folder = ledger_path().parent
    try:
        own_folder(folder)
    except OSError as error:
        return Finding(FAIL, str(error.strerror), "set TMPDIR to a folder of your own")
    return Finding(PASS, f"{folder} is mine")


def checks(results: Path = RESULTS) -> list[Check]:
    """The checks of the disk of ``results``, or of the folder that will hold it."""

    def on_disk(look: Disk) -> Finding:
        place = results if results.is_dir() else Path()
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as folder:
            return look(Path(folder))

    named: dict[str, Disk] = {"hard links": hard_links, "locks": locks, "clock": clock, "speed": speed}
    found = [Check("filesystem", name, lambda look=look: on_disk(look)) for name, look in named.items()]
    return [*found, Check("filesystem", "temporary folder", temporary_folder)]
