"""CIFAR-10 and CIFAR-100 from their binary archives, which hold bytes and text and nothing that could be executed; or from a
folder of such files (``cifar-10-batches-bin``), or of the Python ones (``cifar-10-batches-py``), which are read and never run.

Source and layout: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report (2009), and
https://www.cs.toronto.edu/~kriz/cifar.html: one record per image, of its labels (a byte each; the fine one last) and its
3 x 32 x 32 pixels.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scaling.data.arrays import Arrays
from scaling.data.data_errors import DamagedData, DataError, one_line
from scaling.data.listing import Stamp, Watched, content_digest
from scaling.data.prepared import read_metadata
from scaling.data.seen import Seen
from scaling.data.source import Source, SourceFacts, Target, write_arrays
from scaling.data.symbols import array_bytes, read_symbols
from scaling.files import replacing

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings

PIXELS: Final = 3 * 32 * 32
TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True)
class Archive:
    """A published archive: its address, md5, the members that are read of it, and what the Python files are called.

    ``python_names``: the file and the key of the names of classes; ``python_labels``: the key of the labels.
    """

    url: str
    md5: str
    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int
    python_train: tuple[str, ...]
    python_test: str
    python_names: tuple[str, str]
    python_labels: str

    @property
    def filename(self) -> str:
        """The archive's own name."""
        return self.url.rpartition("/")[2]


CIFAR10: Final = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",
    tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
    "cifar-10-batches-bin/test_batch.bin",
    "cifar-10-batches-bin/batches.meta.txt",
    1,
    tuple(f"data_batch_{i}" for i in range(1, 6)),
    "test_batch",
    ("batches.meta", "label_names"),
    "labels",
)
CIFAR100: Final = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "03b5dce01913d631647c71ecec9e9cb8",
    ("cifar-100-binary/train.bin",),
    "cifar-100-binary/test.bin",
    "cifar-100-binary/fine_label_names.txt",
    2,
    ("train",),
    "test",
    ("meta", "fine_label_names"),
    "fine_labels",
)


def read_cifar10(downloads: Path) -> Arrays:
    """Read CIFAR-10: 50,000 training and 10,000 test images, 3 x 32 x 32; downloads it once."""
    return read_archive(CIFAR10, downloads)


def read_cifar100(downloads: Path) -> Arrays:
    """Read CIFAR-100 with its 100 fine classes: 50,000 training and 10,000 test images, 3 x 32 x 32."""
    return read_archive(CIFAR100, downloads)


def read_archive(archive: Archive, downloads: Path) -> Arrays:
    """Read an archive in ``downloads``, where it is fetched to if it is not there; members are read, never extracted.

    Raises DataError, with the way out, when it cannot be fetched; DamagedData when it is not the published one.
    """
    path = downloads / archive.filename
    if not path.exists():
        _fetch(archive, path)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != archive.md5:
        raise DamagedData(f"{path}: has md5 {found}, published is {archive.md5}; remove it and it is fetched again")
    with tarfile.open(path) as tar:
        return _from_binary(archive, lambda name: _member(tar, name))


def read_folder(archive: Archive, folder: Path) -> Arrays:
    """Read the files of an unpacked archive, binary or Python ones, where they lie in ``folder``. Raises DataError."""
    where = f"folder {str(folder)!r}"
    binary, python = folder_files(archive, folder)
    try:
        if binary:
            return _from_binary(archive, lambda name: (folder / Path(name).name).read_bytes())
        return _from_python(archive, folder, python)
    except (OSError, ValueError) as error:
        raise DataError(f"{where}: {one_line(error)}; the folder of the unpacked {archive.filename} would do") from error


def folder_files(archive: Archive, folder: Path) -> tuple[list[str], list[str]]:
    """Names of the binary, or else of the Python files, in ``folder``. Raises DataError where neither set is whole."""
    binary = [Path(name).name for name in (*archive.train, archive.test, archive.names)]
    python = [*archive.python_train, archive.python_test, archive.python_names[0]]
    there = {name for name in (*binary, *python) if (folder / name).is_file()}
    for found in ((binary, []), ([], python)):
        if there.issuperset((*found[0], *found[1])):
            return found
    if some := [name for name in (*binary, *python) if name in there]:
        names = binary if some[0] in binary else python
        missing = next(name for name in names if name not in there)
        raise DataError(f"folder {str(folder)!r} holds {some[0]} but not {missing}; all of {', '.join(names)} are needed")
    raise DataError(
        f"folder {str(folder)!r} holds neither {binary[0]} nor {python[0]}; the unpacked {archive.filename} would do"
    )


def _from_binary(archive: Archive, read: Callable[[str], bytes]) -> Arrays:
    """Read the binary files by ``read``, member -> its bytes. Raises ValueError."""
    train = [_records(read(name), name, archive.label_bytes) for name in archive.train]
    test_images, test_labels = _records(read(archive.test), archive.test, archive.label_bytes)
    names = tuple(read(archive.names).decode().split())
    return _checked(names, train, test_images, test_labels)


def _from_python(archive: Archive, folder: Path, files: list[str]) -> Arrays:
    """Read the Python files, none of which is run. Raises ValueError."""
    *batches, test, meta = files
    train = [_python_batch(folder / name, archive.python_labels) for name in batches]
    names = _plain_keys(read_symbols((folder / meta).read_bytes()), meta)[archive.python_names[1]]
    return _checked(tuple(map(_text, names)), train, *_python_batch(folder / test, archive.python_labels))


def _checked(names: tuple[str, ...], train: list, test_images: np.ndarray, test_labels: np.ndarray) -> Arrays:
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    for found in (labels, test_labels):
        if len(found) and not 0 <= found.min() <= found.max() < len(names):
            raise ValueError(f"labels {found.min()} to {found.max()}, but {len(names)} class names")
    return Arrays(names, images, labels, test_images, test_labels)


def _python_batch(path: Path, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 3, 32, 32] and labels int64 [n] of a Python file. Raises ValueError."""
    try:
        batch = _plain_keys(read_symbols(path.read_bytes()), path.name)
        shape, content = array_bytes(batch.get("data"))
        found = np.array(batch.get(labels), np.int64)
        if shape != (len(found), PIXELS) or len(content) != len(found) * PIXELS:
            raise ValueError(f"data of shape {shape} with {found.size} labels; expected (n, {PIXELS}) with n")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name} is no batch of CIFAR's Python version ({one_line(error)})") from error
    return np.frombuffer(content, np.uint8).reshape(-1, 3, 32, 32), found


def _plain_keys(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no dictionary")
    return {_text(key): one for key, one in value.items()}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _fetch(archive: Archive, path: Path) -> None:
    try:
        with (
            replacing(path) as draft,
            urllib.request.urlopen(archive.url, timeout=TIMEOUT_SECONDS) as stream,
            draft.open("wb") as file,
        ):
            shutil.copyfileobj(stream, file)
    except OSError as error:
        raise DataError(
            f"cannot download {archive.url} ({one_line(error)}); without a network, put {archive.filename} into {path.parent}"
        ) from error


def _records(content: bytes, name: str, label_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 3, 32, 32] and labels int64 [n] of a binary file. Raises ValueError."""
    size = label_bytes + PIXELS
    if not content or len(content) % size:
        raise ValueError(f"{Path(name).name} has {len(content)} bytes, no multiple of {size}")
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1].astype(np.int64)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None, name  # the md5 has matched
    return file.read()


@dataclass(frozen=True)
class Cifar(Source):
    """CIFAR, downloaded, or in a folder that the study names."""

    archive: Archive = CIFAR10

    @property
    def keys(self) -> Mapping[str, bool]:
        """A folder may be named."""
        return {"folder": False}

    def facts(self, settings: DataSettings) -> SourceFacts:
        """Those published, or of the folder's own files. Raises DataError."""
        facts = super().facts(settings)
        found = self.watched(settings)
        if settings.folder is None:
            return facts
        if found is None:
            raise DataError(f"folder {str(settings.folder)!r} is not a folder")
        classes, images = _counted(self.archive, settings.folder, tuple(found.stamps().values()))
        return replace(facts, classes=classes, train_images=images)

    def watched(self, settings: DataSettings) -> Watched | None:
        """The files of the folder that the study names. Raises DataError."""
        if settings.folder is None or not settings.folder.is_dir():
            return None
        binary, python = folder_files(self.archive, settings.folder)
        return Watched(str(settings.folder), settings.folder, binary or python, "file")

    def write(self, settings: DataSettings, target: Target) -> Seen | None:
        """Write the download's images, or the folder's. Raises DataError."""
        found = self.watched(settings)
        if settings.folder is None or found is None:
            return super().write(settings, target)
        stamps = found.stamps()
        write_arrays(read_folder(self.archive, settings.folder), settings.side or self.side, target)
        images = {name: (stamp, content_digest(settings.folder / name)) for name, stamp in stamps.items()}
        return Seen(target.origin, read_metadata(target.path)["checksum"], images)


@lru_cache(maxsize=4)
def _counted(archive: Archive, folder: Path, stamps: tuple[Stamp, ...]) -> tuple[int, int]:
    """Classes and training images of a folder, counted once as long as its files keep their stamps."""
    del stamps
    arrays = read_folder(archive, folder)
    return len(arrays.classes), len(arrays.train_labels)


sources = (
    Cifar("cifar10", 3, 32, 10, 50_000, read_cifar10, CIFAR10),
    Cifar("cifar100", 3, 32, 100, 50_000, read_cifar100, CIFAR100),
)
