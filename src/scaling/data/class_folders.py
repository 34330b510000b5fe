"""Any folder of class folders: its listing, and its images decoded once, in parallel.

Layouts: ``FOLDER/{train,test}/CLASS/*``, or ``FOLDER/CLASS/*``. In the latter one image in five of each class
(at least one) is a test image: those whose ``CLASS/NAME`` has the lowest sha256, so that the split depends on
names alone. Classes are sorted by name; a class folder is not searched deeper; hidden files and files whose
ending no image format has are passed over. What is named like an image and is none (a pipe, a folder, a link to
nothing), and a link that loops, counts as an image that cannot be read.

An image becomes 8-bit RGB (grey is repeated on the three channels, transparency is dropped, of an animation
the first frame is taken, orientation tags are not applied), is scaled bicubically until its shorter side is
``side`` pixels, and the centre square of that is kept.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import multiprocessing
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from scaling.data.data_errors import DataError, one_line
from scaling.data.prepared import Slot

TEST_SHARE: Final = 5
"""Without a test folder, one image in this many of each class is a test image."""

LOOPS: Final = ("a link that loops", "a link to a folder that holds it")
_CHUNK_IMAGES: Final = 64
_NAMED: Final = 5
"""How many unreadable images a message names; the prepared file names all that were skipped."""
_EIGHT_BIT_MODES: Final = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"}
)


Stamp = tuple[int, int, int]
"""Size in bytes, and the times in nanoseconds at which a file's contents and its entry were changed last.

The latter cannot be set by hand, as the former is where a file is copied over another with its time."""

NO_IMAGE: Final[Stamp] = (-1, 0, 0)
"""The stamp of what is named like an image and is none."""


@dataclass(frozen=True)
class Irregular:
    """What is named like an image and is none: its path relative to the folder, and what it is."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The images of a folder by name: for each split pairs of (path relative to the folder, label)."""

    folder: Path
    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]
    irregular: tuple[Irregular, ...] = ()

    def __len__(self) -> int:
        """How many images there are, those included that are none."""
        return len(self.train) + len(self.test) + len(self.irregular)

    def stamps(self) -> dict[str, Stamp]:
        """Size and times of each image, without opening one. Raises DataError where one is gone since it was listed."""
        found: dict[str, Stamp] = {one.name: NO_IMAGE for one in self.irregular}
        for name, _ in (*self.train, *self.test):
            try:
                status = os.stat(os.path.join(self.folder, name))  # a Path each costs three times as much
            except OSError as error:
                raise DataError(
                    f"image {str(self.folder / name)!r}: {error.strerror}; was the folder being changed?"
                ) from error
            found[name] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return found

    def fingerprint(self, stamps: Mapping[str, Stamp]) -> str:
        """sha256 over names, sizes and times of change: differs once the folder has changed."""
        digest = hashlib.sha256()
        for name in sorted(stamps):
            digest.update(os.fsencode(f"{name}\0{stamps[name]}\0"))
        return digest.hexdigest()

    def describe(self, unreadable: Sequence[Irregular]) -> str:
        """How many images of how many cannot be read, the first few by name."""
        named = ", ".join(f"{one.name!r} ({one.reason})" for one in unreadable[:_NAMED])
        more = f" and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
        return f"{len(unreadable)} of {len(self)} images in {str(self.folder)!r} cannot be read: {named}{more}"


@dataclass(frozen=True)
class UnreadableImage(Irregular):
    """An image that could not be decoded, and its row in the array it was meant for."""

    row: int


@dataclass(frozen=True)
class Decoded:
    """What came of decoding: the sha256 of each image file, and those that could not be decoded."""

    digests: dict[str, str]
    unreadable: list[UnreadableImage]


def list_images(folder: Path) -> Listing:
    """List the images of a folder and split them into training and test images, without opening one.

    Raises DataError when the folder is missing, has no classes, or a class has no training image.
    """
    if not folder.is_dir():
        raise DataError(f"image folder {str(folder)!r} is not a folder")
    splits = [split for split in ("train", "test") if (folder / split).is_dir()]
    if len(splits) == 1:
        raise DataError(f"image folder {str(folder)!r} has {splits[0]}/ alone; allowed: train/ and test/, or class folders")
    irregular: list[Irregular] = []
    if splits:
        by_class = {split: _list_classes(folder, f"{split}/", irregular) for split in splits}
        unknown = sorted(set(by_class["test"]) - set(by_class["train"]))
        if unknown:
            raise DataError(f"image folder {str(folder)!r}: test class {unknown[0]!r} has no folder in train/")
        train, test = by_class["train"], by_class["test"]
    else:
        train, test = {}, {}
        for name, images in _list_classes(folder, "", irregular).items():
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
    labelled_train, labelled_test = (
        tuple((image, label) for label, name in enumerate(classes) for image in split.get(name, ())) for split in (train, test)
    )
    if not labelled_test:
        raise DataError(f"image folder {str(folder)!r} has no test image")
    return Listing(folder, classes, labelled_train, labelled_test, tuple(irregular))


def decode_all(folder: Path, names: list[str], slot: Slot, advance: Callable[[int], None]) -> Decoded:
    """Decode images into the rows of a mapped array uint8 [n, 3, side, side], on all cores.

    ``advance`` is told how many images each step has done. The rows of those that could not be read hold
    zeros. Raises DataError when a process is killed (by lack of memory, say).
    """
    chunks = [(folder, slot, start, names[start : start + _CHUNK_IMAGES]) for start in range(0, len(names), _CHUNK_IMAGES)]
    found = Decoded({}, [])
    for chunk, part in zip(chunks, _decoded(chunks), strict=True):
        found.digests.update(part.digests)
        found.unreadable.extend(part.unreadable)
        advance(len(chunk[3]))
    return found


def content_digest(path: Path) -> str:
    """sha256 of a file's contents. Raises OSError, and ValueError for what is no file."""
    with _open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def decode(path: Path | BufferedReader, side: int) -> np.ndarray:
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


def _decoded(chunks: list[tuple[Path, Slot, int, list[str]]]) -> Iterator[Decoded]:
    """What came of each chunk, in order, as the chunks are done."""
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


def _decode_chunk(chunk: tuple[Path, Slot, int, list[str]]) -> Decoded:
    """Decode neighbouring rows in one process."""
    folder, slot, start, names = chunk
    rows = slot.map("r+")
    found = Decoded(dict.fromkeys(names, ""), [])
    for row, name in zip(itertools.count(start), names):
        try:
            # Read and hashed from the same open file: the digest is of what was decoded, whatever is put there meanwhile.
            with _open_file(folder / name) as file:
                found.digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                rows[row] = decode(file, slot.shape[-1])
        except MemoryError:
            raise
        except Exception as error:  # decoders raise anything on damaged bytes: SyntaxError, struct.error, KeyError ...
            # Pillow's own words for this one name the file, which the message does anyway.
            unknown = isinstance(error, UnidentifiedImageError)
            reason = "no image of a known format" if unknown else one_line(error)
            found.unreadable.append(UnreadableImage(name, reason, row))
    rows.flush()
    return found


def _open_file(path: Path) -> BufferedReader:
    """Open a file to be read; ValueError for what is none: a pipe would be waited for without end."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("not a file")
    return file


def _list_classes(folder: Path, prefix: str, irregular: list[Irregular]) -> dict[str, list[str]]:
    """Class name -> its images' paths relative to ``folder``, both sorted by name; ``irregular`` is added to."""
    endings = tuple(ending for ending, name in Image.registered_extensions().items() if name in Image.OPEN)
    classes: dict[str, list[str]] = {}
    for entry in _entries(folder / prefix):
        kind = _kind(entry)
        if kind == "a folder":
            classes[entry.name] = []
        elif kind in LOOPS:
            irregular.append(Irregular(f"{prefix}{entry.name}", kind))
    for name, images in classes.items():
        for entry in _entries(folder / prefix / name):
            kind, image = _kind(entry), f"{prefix}{name}/{entry.name}"
            named_so = entry.name.lower().endswith(endings)
            if named_so and kind == "a file":
                images.append(image)
            elif named_so or kind in LOOPS:
                irregular.append(Irregular(image, kind))
    return classes


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, sorted by name, hidden entries left out."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _kind(entry: os.DirEntry[str]) -> str:
    """What an entry of a folder is, in words; nothing is opened."""
    if entry.is_file(follow_symlinks=False):
        return "a file"
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return LOOPS[0]
        return "a link to nothing" if error.errno == errno.ENOENT else one_line(error)
    if stat.S_ISDIR(mode):
        here = Path(entry.path).parent.resolve()
        holds = entry.is_symlink() and here.is_relative_to(Path(entry.path).resolve())
        return LOOPS[1] if holds else "a folder"
    kinds = {stat.S_IFREG: "a file", stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _cores() -> int:
    """Cores that this process may use: a batch system's limit counts, not the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
