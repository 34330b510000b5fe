"""CIFAR-10 and CIFAR-100 from their binary archives, which hold bytes and text and nothing that could be executed.

Source and layout: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report (2009), and
https://www.cs.toronto.edu/~kriz/cifar.html: one record an image, of its labels (a byte each; the fine one last) and its
3 x 32 x 32 pixels.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from scaling.data.arrays import Arrays
from scaling.data.data_errors import DamagedData, DataError, one_line
from scaling.data.source import Source
from scaling.files import replacing

PIXELS: Final = 3 * 32 * 32
TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True)
class Archive:
    """A published archive: its address, md5, and the members that are read of it."""

    url: str
    md5: str
    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int

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
)
CIFAR100: Final = Archive(
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "03b5dce01913d631647c71ecec9e9cb8",
    ("cifar-100-binary/train.bin",),
    "cifar-100-binary/test.bin",
    "cifar-100-binary/fine_label_names.txt",
    2,
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
        train = [_records(tar, name, archive.label_bytes) for name in archive.train]
        test_images, test_labels = _records(tar, archive.test, archive.label_bytes)
        names = tuple(_member(tar, archive.names).decode().split())
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return Arrays(names, images, labels, test_images, test_labels)


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


def _records(tar: tarfile.TarFile, name: str, label_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 3, 32, 32] and labels int64 [n] of a member."""
    records = np.frombuffer(_member(tar, name), np.uint8).reshape(-1, label_bytes + PIXELS)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1].astype(np.int64)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None, name  # the md5 has matched
    return file.read()


sources = (
    Source(name="cifar10", channels=3, side=32, classes=10, train_images=50_000, read=read_cifar10),
    Source(name="cifar100", channels=3, side=32, classes=100, train_images=50_000, read=read_cifar100),
)
