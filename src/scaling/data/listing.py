"""What a source of encoded images holds: which images, which files they lie in, and how a process opens them."""

from __future__ import annotations

import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar, Final, Literal

from scaling.data.data_errors import DataError

Split = Literal["train", "test"]
Stamp = tuple[int, int, int]
"""Size in bytes, and the times in nanoseconds at which a file's contents and its entry were changed last.

The latter cannot be set by hand, as the former is where a file is copied over another with its time."""

NO_IMAGE: Final[Stamp] = (-1, 0, 0)
"""The stamp of what is named like an image and is none."""

FILES_AT_A_TIME: Final = 64
"""Images of their own files that a process decodes between two reports."""

_NAMED: Final = 5
"""How many unreadable images a message names; the prepared file names all that were skipped."""


@dataclass(frozen=True)
class Irregular:
    """What is named like an image and is none: its name, and what it is."""

    name: str
    reason: str


@dataclass(frozen=True)
class Place:
    """An image by name, and the row of its split that it is meant for."""

    name: str
    split: Split
    row: int


@dataclass(frozen=True)
class Chunk(ABC):
    """Images that one process decodes together.

    A chunk's repr must say all that its images depend on beside the contents of its files.
    """

    places: tuple[Place, ...]

    own_files: ClassVar[bool] = False
    """Whether each image is a file of its own, whose digest is taken as it is decoded."""

    @property
    @abstractmethod
    def files(self) -> tuple[str, ...]:
        """The files that it reads, as ``Watched`` names them."""

    @abstractmethod
    def open_each(self) -> Iterator[tuple[Place, Callable[[], BinaryIO]]]:
        """Each image with a function that opens it, to be called before the next one is asked for; it may raise anything."""

    def key(self, stamps: Mapping[str, Stamp]) -> str:
        """Names what comes of decoding it, as long as its files keep their stamps."""
        return hashlib.sha256(repr((self, [stamps[name] for name in self.files])).encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True)
class FileChunk(Chunk):
    """Images that are files below ``folder``."""

    folder: Path

    own_files = True

    @property
    def files(self) -> tuple[str, ...]:
        """The images themselves."""
        return tuple(place.name for place in self.places)

    def open_each(self) -> Iterator[tuple[Place, Callable[[], BinaryIO]]]:
        """Each image's own file."""
        for place in self.places:
            yield place, partial(open_file, self.folder / place.name)


@dataclass(frozen=True)
class Watched:
    """The files of which a prepared file is made: by ``names`` relative to ``folder``.

    Attributes:
        where: what a study says of them: a folder or a pattern.
        what: "image" where each file is one, else "file".
        none: names of what is named like an image and is none.
    """

    where: str
    folder: Path
    names: Sequence[str]
    what: str = "image"
    none: Sequence[str] = ()

    def stamps(self) -> dict[str, Stamp]:
        """Size and times of each file, without opening one. Raises DataError where one is gone since it was listed."""
        found: dict[str, Stamp] = dict.fromkeys(self.none, NO_IMAGE)
        for name in self.names:
            try:
                status = os.stat(os.path.join(self.folder, name))  # a Path each costs three times as much
            except OSError as error:
                place = str(self.folder / name)
                raise DataError(f"{self.what} {place!r}: {error.strerror}; was {self.where!r} being changed?") from error
            found[name] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return found


@dataclass(frozen=True)
class Listing:
    """The images of a source, those for training and for testing by row: pairs of (name, label), without decoding one.

    ``read_as`` holds the stamps of the files that were read to list the images, as they were before.
    """

    watched: Watched
    classes: tuple[str, ...]
    train: Sequence[tuple[str, int]]
    test: Sequence[tuple[str, int]]
    chunks: Sequence[Chunk]
    irregular: tuple[Irregular, ...] = ()
    read_as: Mapping[str, Stamp] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many images there are, those included that are none."""
        return len(self.train) + len(self.test) + len(self.irregular)

    def describe(self, unreadable: Sequence[Irregular]) -> str:
        """How many images of how many cannot be read, the first few by name."""
        named = ", ".join(f"{one.name!r} ({one.reason})" for one in unreadable[:_NAMED])
        more = f" and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
        return f"{len(unreadable)} of {len(self)} images in {self.watched.where!r} cannot be read: {named}{more}"


def fingerprint(stamps: Mapping[str, Stamp]) -> str:
    """sha256 over names, sizes and times of change: differs once a file has changed."""
    digest = hashlib.sha256()
    for name in sorted(stamps):
        digest.update(os.fsencode(f"{name}\0{stamps[name]}\0"))
    return digest.hexdigest()


def file_chunks(folder: Path, train: Sequence[tuple[str, int]], test: Sequence[tuple[str, int]]) -> tuple[FileChunk, ...]:
    """The chunks of images that are files below ``folder``, in the order of their rows."""
    found = []
    splits: tuple[tuple[Split, Sequence[tuple[str, int]]], ...] = (("train", train), ("test", test))
    for split, images in splits:
        for start in range(0, len(images), FILES_AT_A_TIME):
            some = images[start : start + FILES_AT_A_TIME]
            found.append(FileChunk(tuple(Place(name, split, row) for row, (name, _) in enumerate(some, start)), folder))
    return tuple(found)


def open_file(path: Path) -> BinaryIO:
    """Open a file to be read; ValueError for what is none: a pipe would be waited for without end."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("not a file")
    return file


def content_digest(path: Path) -> str:
    """sha256 of a file's contents. Raises OSError, and ValueError for what is no file."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # pyright: ignore[reportArgumentType]
