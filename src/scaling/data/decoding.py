"""Decoding the images of a listing into their rows, in parallel; what is done is written down, so that a killed one goes on."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from PIL import UnidentifiedImageError
from PIL import __version__ as pillow_version

from scaling.cores import usable_cores
from scaling.data.data_errors import Unfinished, one_line
from scaling.data.listing import Chunk, Irregular, Split, Stamp
from scaling.data.pixels import decode
from scaling.data.prepared import Slot
from scaling.files import flush

SECONDS_TO_DISK: Final = 5.0
"""Decoded rows are flushed to disk, and written down as done, so often: what a kill costs."""

DECODER: Final = f"1, Pillow {pillow_version}"
"""Rows that another version decoded are decoded again."""

FEW_IMAGES: Final = 128
"""So many are decoded by this process alone: to start others takes a second."""

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class UnreadableImage(Irregular):
    """An image that could not be decoded, and its row."""

    split: Split
    row: int


@dataclass
class Decoded:
    """What came of decoding: the sha256 of images that are files of their own, and those that could not be decoded."""

    digests: dict[str, str] = field(default_factory=dict)
    unreadable: list[UnreadableImage] = field(default_factory=list)

    def add(self, other: Decoded) -> None:
        """Take in what came of another chunk."""
        self.digests.update(other.digests)
        self.unreadable.extend(other.unreadable)


class Journal:
    """Which chunks are done: a line each, beside the file that their rows lie in."""

    def __init__(self, path: Path, layout: str) -> None:
        """``layout`` names the file's rows; what was written down of another one is forgotten."""
        self.path = path
        self._head = json.dumps([DECODER, layout])
        self.done = self._read()

    def start(self) -> None:
        """Begin anew."""
        self.done = {}
        self.path.write_text(self._head + "\n")

    def add(self, found: Mapping[str, Decoded]) -> None:
        """Write down that these chunks are done, by key; their rows are on disk."""
        with self.path.open("a") as file:
            for key, part in found.items():
                file.write(json.dumps([key, part.digests, [asdict(one) for one in part.unreadable]]) + "\n")

    def _read(self) -> dict[str, Decoded]:
        found: dict[str, Decoded] = {}
        try:
            head, *lines = self.path.read_text().split("\n")
        except (OSError, ValueError):
            return found
        for line in lines if head == self._head else ():
            try:
                key, digests, unreadable = json.loads(line)
                found[key] = Decoded(digests, [UnreadableImage(**one) for one in unreadable])
            except (ValueError, TypeError):
                break  # the last line of a process that was killed
        return found


def decode_all(
    chunks: Sequence[Chunk],
    stamps: Mapping[str, Stamp],
    slots: Mapping[str, Slot],
    journal: Journal,
    advance: Callable[[int], None],
    where: str,
) -> Decoded:
    """Decode images into the rows of the arrays ``slots["train_images"]`` and ``slots["test_images"]``, on all cores.

    Chunks that ``journal`` knows are passed over. ``advance`` is told how many images each step has done. The rows of those
    that could not be read hold zeros. Raises Unfinished when a process is killed (by lack of memory, say).
    """
    keys = [chunk.key(stamps) for chunk in chunks]
    found = Decoded()
    waiting = []
    for chunk, key in zip(chunks, keys, strict=True):
        if key in journal.done:
            found.add(journal.done[key])
            advance(len(chunk.places))
        else:
            waiting.append((key, (chunk, dict(slots))))
    unwritten: dict[str, Decoded] = {}
    flushed = time.monotonic()
    file = next(iter(slots.values())).path
    try:
        tasks = [task for _, task in waiting]
        few = sum(len(chunk.places) for chunk, _ in tasks) <= FEW_IMAGES
        results = map(_decode_chunk, tasks) if few else in_processes(_decode_chunk, tasks, where)
        for (key, (chunk, _)), part in zip(waiting, results, strict=True):
            found.add(part)
            unwritten[key] = part
            advance(len(chunk.places))
            if time.monotonic() - flushed > SECONDS_TO_DISK:
                flush(file)
                journal.add(unwritten)
                unwritten, flushed = {}, time.monotonic()
    except BaseException:
        flush(file)
        journal.add(unwritten)
        raise
    return found


def in_processes(function: Callable[[Task], Result], tasks: Sequence[Task], where: str) -> Iterator[Result]:
    """What comes of each task, in order, by as many processes as this one may use cores.

    Raises Unfinished, which names ``where``, when a process is killed.
    """
    workers = min(usable_cores(), len(tasks))
    if workers <= 1:
        yield from map(function, tasks)
        return
    # Spawned, not forked: the progress bar has a thread, and a fork would copy its locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_end_with_parent) as pool:
        try:
            # A few tasks for each worker at a time: a million that wait would be copied into the pool's queue.
            yield from _in_order(pool, function, iter(tasks), 4 * workers)
        except BrokenProcessPool as error:
            raise Unfinished(
                f"images in {where!r}: a decoding process was killed, memory may be short; run again to go on"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _in_order(
    pool: ProcessPoolExecutor, function: Callable[[Task], Result], tasks: Iterable[Task], ahead: int
) -> Iterator[Result]:
    tasks = iter(tasks)
    waiting = [pool.submit(function, task) for task in itertools.islice(tasks, ahead)]
    while waiting:
        result = waiting.pop(0).result()
        waiting += [pool.submit(function, task) for task in itertools.islice(tasks, 1)]
        yield result


def _end_with_parent() -> None:
    """Let this process end when its parent was killed; it would wait for work for ever."""

    def watch() -> None:
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _decode_chunk(task: tuple[Chunk, dict[str, Slot]]) -> Decoded:
    """Decode the images of a chunk in one process."""
    chunk, slots = task
    found = Decoded()
    # Written, not mapped: processes that map one file for writing are at the mercy of network filesystems.
    with next(iter(slots.values())).path.open("r+b", buffering=0) as target:
        for place, opened in chunk.open_each():
            slot = slots[f"{place.split}_images"]
            row = np.zeros(slot.shape[1:], np.uint8)
            if chunk.own_files:
                found.digests[place.name] = ""
            try:
                with opened() as file:
                    if chunk.own_files:
                        # Read and hashed from the same open file: the digest is of what was decoded, whatever is put there
                        # meanwhile.
                        found.digests[place.name] = file_digest(file, "sha256").hexdigest()  # pyright: ignore[reportArgumentType]
                        file.seek(0)
                    row[:] = decode(file, row.shape[-1], row.shape[0])
            except MemoryError:
                raise
            except Exception as error:  # decoders raise anything on damaged bytes: SyntaxError, struct.error, KeyError ...
                # Pillow's own words for this one name the file, which the message does anyway.
                unknown = isinstance(error, UnidentifiedImageError)
                reason = "no image of a known format" if unknown else one_line(error)
                found.unreadable.append(UnreadableImage(place.name, reason, place.split, place.row))
            _write_at(target.fileno(), row.tobytes(), slot.offset + place.row * row.nbytes)
    return found


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of ``content``, however little the system takes at a time. Raises OSError."""
    done = 0
    while done < len(content):
        done += os.pwrite(descriptor, content[done:], offset + done)
