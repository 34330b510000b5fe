"""Any folder of class folders as a source: its listing, and its images decoded once, in parallel.

Layouts: ``FOLDER/{train,test}/CLASS/*``, or ``FOLDER/CLASS/*``. In the latter one image in five of each class
(at least one) is a test image: those whose ``CLASS/NAME`` has the lowest sha256, so that the split depends on
names alone. Classes are sorted by name; a class folder is not searched deeper; hidden files and files whose
ending no image format has are passed over.

An image becomes 8-bit RGB (grey is repeated on the three channels, transparency is dropped, of an animation
the first frame is taken, orientation tags are not applied), is scaled bicubically until its shorter side is
``side`` pixels, and the centre square of that is kept.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from scaling.data.data_errors import DataError, one_line
from scaling.data.prepared import Slot

TEST_SHARE: Final = 5
"""Without a test folder, one image in this many of each class is a test image."""

_CHUNK_IMAGES: Final = 64
_EIGHT_BIT_MODES: Final = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"}
)


@dataclass(frozen=True)
class Listing:
    """The images of a folder by name: for each split pairs of (path relative to the folder, label)."""

    folder: Path
    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]

    def fingerprint(self) -> str:
        """sha256 over names, sizes and times of change: differs once the folder has changed."""
        digest = hashlib.sha256()
        for name, label in (*self.train, *self.test):
            status = (self.folder / name).stat()
            digest.update(os.fsencode(f"{name}\0{label}\0{status.st_size}\0{status.st_mtime_ns}\0"))
        return digest.hexdigest()


@dataclass(frozen=True)
class UnreadableImage:
    """An image that could not be decoded: its row in the array it was meant for, its name, why."""

    row: int
    name: str
    reason: str


def list_images(folder: Path) -> Listing:
    """List the images of a folder and split them into training and test images, without opening one.

    Raises DataError when the folder is missing, has no classes, or a class has no training image.
    """
    if not folder.is_dir():
        raise DataError(f"image folder {str(folder)!r} is not a folder")
    splits = [split for split in ("train", "test") if (folder / split).is_dir()]
    if len(splits) == 1:
        raise DataError(f"image folder {str(folder)!r} has {splits[0]}/ alone; allowed: train/ and test/, or class folders")
    if splits:
        by_class = {split: _list_classes(folder, f"{split}/") for split in splits}
        unknown = sorted(set(by_class["test"]) - set(by_class["train"]))
        if unknown:
            raise DataError(f"image folder {str(folder)!r}: test class {unknown[0]!r} has no folder in train/")
        train, test = by_class["train"], by_class["test"]
    else:
        train, test = {}, {}
        for name, images in _list_classes(folder, "").items():
            lowest = sorted(images, key=lambda image: hashlib.sha256(os.fsencode(image)).digest())
            held_out = set(lowest[: max(1, len(images) // TEST_SHARE)])
            train[name] = [image for image in images if image not in held_out]
            test[name] = [image for image in images if image in held_out]
    classes = tuple(sorted(train))
    if len(classes) < 2:
        raise DataError(f"image folder {str(folder)!r} has {len(classes)} class folders, at least 2 are needed")
    for name in classes:
        if not train[name]:
            raise DataError(f"image folder {str(folder)!r}: class {name!r} has no training image")
    labelled = [
        tuple((image, label) for label, name in enumerate(classes) for image in split.get(name, ())) for split in (train, test)
    ]
    if not labelled[1]:
        raise DataError(f"image folder {str(folder)!r} has no test image")
    return Listing(folder, classes, *labelled)


def decode_all(folder: Path, names: list[str], slot: Slot, advance: Callable[[int], None]) -> list[UnreadableImage]:
    """Decode images into the rows of a mapped array uint8 [n, 3, side, side], on all cores.

    ``advance`` is told how many images each step has done. Returns those that could not be read; their rows
    hold zeros. Raises DataError when a process is killed (by lack of memory, say).
    """
    chunks = [(folder, slot, start, names[start : start + _CHUNK_IMAGES]) for start in range(0, len(names), _CHUNK_IMAGES)]
    unreadable: list[UnreadableImage] = []
    for chunk, failures in zip(chunks, _decoded(chunks), strict=True):
        unreadable += failures
        advance(len(chunk[3]))
    return unreadable


def decode(path: Path, side: int) -> np.ndarray:
    """Decode one image into uint8 [3, side, side], as the head of this file says. Raises whatever Pillow raises."""
    with Image.open(path) as image:
        if image.mode not in _EIGHT_BIT_MODES:
            raise ValueError(f"pixels of mode {image.mode}, allowed: 8 bits a channel")
        # JPEG decodes at a half, quarter or eighth of its size for free; twice the target keeps scaling good.
        image.draft(None, (2 * side, 2 * side))
        # Scaling a box is scaling the whole and cropping, without the parts that would be cropped.
        square = min(image.size)
        left, top = (image.width - square) / 2, (image.height - square) / 2
        box = (left, top, left + square, top + square)
        small = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC, box)
    return np.asarray(small).transpose(2, 0, 1)


def _decoded(chunks: list[tuple[Path, Slot, int, list[str]]]) -> Iterator[list[UnreadableImage]]:
    """The failures of each chunk, in order, as the chunks are done."""
    workers = min(_cores(), len(chunks))
    if workers == 1:
        yield from map(_decode_chunk, chunks)
        return
    # Spawned, not forked: the progress bar has a thread, and a fork would copy its locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_end_with_parent) as pool:
        try:
            yield from pool.map(_decode_chunk, chunks)
        except BrokenProcessPool as error:
            raise DataError(
                f"image folder {str(chunks[0][0])!r}: a decoding process was killed, memory may be short"
            ) from error


def _end_with_parent() -> None:
    """Let this process end when its parent was killed; it would wait for work for ever."""

    def watch() -> None:
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _decode_chunk(chunk: tuple[Path, Slot, int, list[str]]) -> list[UnreadableImage]:
    """Decode neighbouring rows in one process."""
    folder, slot, start, names = chunk
    rows = slot.map("r+")
    failures = []
    for row, name in zip(itertools.count(start), names):
        try:
            rows[row] = decode(folder / name, slot.shape[-1])
        except MemoryError:
            raise
        except Exception as error:  # decoders raise anything on damaged bytes: SyntaxError, struct.error, KeyError ...
            failures.append(UnreadableImage(row, name, one_line(error)))
    rows.flush()
    return failures


def _list_classes(folder: Path, prefix: str) -> dict[str, list[str]]:
    """Class name -> its images' paths relative to ``folder``, both sorted by name."""
    endings = tuple(ending for ending, name in Image.registered_extensions().items() if name in Image.OPEN)
    classes = {}
    with os.scandir(folder / prefix) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    for name in names:
        with os.scandir(folder / prefix / name) as entries:
            classes[name] = sorted(
                f"{prefix}{name}/{entry.name}"
                for entry in entries
                if entry.name.lower().endswith(endings) and not entry.name.startswith(".") and entry.is_file()
            )
    return classes


def _cores() -> int:
    """Cores that this process may use: a batch system's limit counts, not the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
