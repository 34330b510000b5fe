"""The prepared file: one safetensors file per source, memory-mapped, so that it may be larger than memory.

Layout (https://github.com/huggingface/safetensors#format): eight bytes with the length of the header, the
header as JSON, then the tensors without gaps: train_labels and test_labels (int64), train_images and
test_images (uint8 [n, c, h, w]). The header's metadata hold what ImageData says of them and a checksum over
all of it. The header is parsed here, for the safetensors library reads whole tensors and does not map them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from scaling.data.data_errors import DamagedData, DataError

FORMAT: Final = "scaling-images-1"
"""Version of this layout; a prepared file of another one is built anew."""

TENSORS: Final = ("train_labels", "test_labels", "train_images", "test_images")
_DTYPES: Final = {"I64": np.dtype("<i8"), "U8": np.dtype("u1")}
_ALIGNMENT: Final = 64
_CHUNK_BYTES: Final = 1 << 24


@dataclass(frozen=True)
class ImageData:
    """A prepared source, its arrays read-only and memory-mapped.

    Images are uint8 [n, channels, side, side], labels int64 [n], positions in ``classes``. ``mean`` and
    ``std`` are float32 [channels], of the training images divided by 255. ``checksum`` is the sha256
    (hexadecimal) of images, labels, classes, mean and std. ``skipped`` names the images that could not be
    read and were left out.
    """

    name: str
    side: int
    channels: int
    classes: tuple[str, ...]
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    checksum: str
    mean: np.ndarray
    std: np.ndarray
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slot:
    """Where in a file an array lies: how a process that decodes images finds its place."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def bytes(self) -> int:
        """Size of the array in bytes."""
        return _DTYPES[self.dtype].itemsize * math.prod(self.shape)

    def map(self, mode: Literal["r", "r+"]) -> np.memmap:
        """Map the array, ``mode`` ``r`` or ``r+``."""
        return np.memmap(self.path, dtype=_DTYPES[self.dtype], mode=mode, offset=self.offset, shape=self.shape)


class Draft:
    """A prepared file being written: fill ``arrays`` (or, from other processes, ``slots``), then ``finish``."""

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        classes: tuple[str, ...],
        shape: tuple[int, int, int],
        train_images: int,
        test_images: int,
        origin: str = "",
        skipped: tuple[str, ...] = (),
        go_on: bool = False,
    ) -> None:
        """Allocate ``path`` for images of ``shape`` (channels, side, side); ``origin`` says what they were
        made of.

        With ``go_on``, a file of the same size that lies there is kept with its images; ``went_on`` says whether one did.
        Raises DataError when a split is empty or the disk has no room.
        """
        if min(train_images, test_images) < 1:
            raise DataError(f"{name}: {train_images} training and {test_images} test images; at least 1 of each is needed")
        self.path = path
        self._described = {
            "format": FORMAT,
            "name": name,
            "classes": json.dumps(classes),
            "origin": origin,
            "skipped": json.dumps(skipped),
        }
        self._layout = {
            "train_labels": ("I64", (train_images,)),
            "test_labels": ("I64", (test_images,)),
            "train_images": ("U8", (train_images, *shape)),
            "test_images": ("U8", (test_images, *shape)),
        }
        # Statistics and checksum are known last; figures of fixed width keep their place in the header.
        blank = np.zeros(shape[0], np.float32)
        self._header_bytes = len(self._header(blank, blank, "0" * 64))
        self.slots: dict[str, Slot] = {}
        end = self._header_bytes
        for tensor, (dtype, tensor_shape) in self._layout.items():
            self.slots[tensor] = Slot(path, dtype, tensor_shape, end)
            end += self.slots[tensor].bytes
        self.went_on = go_on and path.exists() and path.stat().st_size == end
        if not self.went_on:
            _allocate(path, end)
        self.arrays = {tensor: slot.map("r+") for tensor, slot in self.slots.items()}

    def finish(self) -> None:
        """Compute statistics and checksum, write the header and flush all to disk; DataError on a constant channel."""
        mean, std = channel_statistics(self.arrays["train_images"])
        if not std.all():
            raise DataError(f"{self._described['name']}: channel {int(np.argmin(std))} is the same in all training images")
        header = self._header(mean, std, _checksum(self._described["classes"], mean, std, self.arrays))
        for array in self.arrays.values():
            array.flush()
        with self.path.open("r+b") as file:
            file.write(header)
            file.flush()
            os.fsync(file.fileno())

    def _header(self, mean: np.ndarray, std: np.ndarray, checksum: str) -> bytes:
        """Length and JSON of the header, padded so that the tensors start aligned."""
        metadata = self._described | {"mean": _figures(mean), "std": _figures(std), "checksum": checksum}
        entries: dict[str, object] = {"__metadata__": metadata}
        start = 0
        for tensor, (dtype, shape) in self._layout.items():
            end = start + _DTYPES[dtype].itemsize * math.prod(shape)
            entries[tensor] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
            start = end
        text = json.dumps(entries).encode()
        text += b" " * (-(8 + len(text)) % _ALIGNMENT)
        return len(text).to_bytes(8, "little") + text


def load(path: Path, *, verify: bool = True) -> ImageData:
    """Map a prepared file. With ``verify`` its whole contents are read once and compared with its checksum.

    Raises DataError when there is no such file; DamagedData, naming it, when it is truncated or not what was
    written.
    """
    slots, metadata = _read_header(path)
    arrays = {tensor: slot.map("r") for tensor, slot in slots.items()}
    try:
        mean, std = (np.array([float(x) for x in json.loads(metadata[key])], np.float32) for key in ("mean", "std"))
        classes, skipped = (tuple(json.loads(metadata[key])) for key in ("classes", "skipped"))
        name, checksum = metadata["name"], metadata["checksum"]
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedData(f"{path}: damaged header ({error}); prepare builds it anew") from error
    if verify:
        found = _checksum(metadata["classes"], mean, std, arrays)
        if found != checksum:
            raise DamagedData(f"{path}: damaged, contents have sha256 {found}, expected {checksum}; prepare builds it anew")
    channels, side = arrays["train_images"].shape[1:3]
    # A plain array view: numpy.memmap as a class costs time at each indexing.
    views = {tensor: array.view(np.ndarray) for tensor, array in arrays.items()}
    return ImageData(
        name=name, side=side, channels=channels, classes=classes, checksum=checksum, mean=mean, std=std,
        skipped=skipped, **views,
    )  # fmt: skip


def read_metadata(path: Path) -> dict[str, str]:
    """What a prepared file says of itself: its ``checksum``, and the ``origin`` that it was made of, among others.

    Raises DataError when there is no such file; DamagedData when it has no whole header.
    """
    return _read_header(path)[1]


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation a channel of uint8 images [n, c, h, w] / 255, float32 [c] each.

    Sums are exact integers, so that the result does not depend on machine or block size.
    """
    channels = images.shape[1]
    counts = np.zeros((channels, 256), np.int64)
    block = max(1, _CHUNK_BYTES // images[0].nbytes)
    for start in range(0, len(images), block):
        for channel in range(channels):
            counts[channel] += np.bincount(images[start : start + block, channel].ravel(), minlength=256)
    mean, std = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for channel, row in enumerate(counts.tolist()):
        n = sum(row)
        total = sum(value * count for value, count in enumerate(row))
        squares = sum(value * value * count for value, count in enumerate(row))
        mean[channel] = total / n / 255
        std[channel] = math.sqrt((squares * n - total * total) / (n * n)) / 255
    return mean, std


def _read_header(path: Path) -> tuple[dict[str, Slot], dict[str, str]]:
    """Slots and metadata of a prepared file, the file's size checked against them."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if length < size else b""
    except FileNotFoundError:
        raise DataError(f"{path}: no such file, prepare builds it") from None
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__")
        if metadata["format"] != FORMAT:
            raise DamagedData(f"{path}: format {metadata['format']!r}, expected {FORMAT!r}; prepare builds it anew")
        slots = {
            tensor: Slot(path, entry["dtype"], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0])
            for tensor, entry in entries.items()
        }
        end = max(slot.offset + slot.bytes for slot in slots.values())
        known = set(slots) == set(TENSORS)
    except DamagedData:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DamagedData(f"{path}: no header of a prepared file ({type(error).__name__}); prepare builds it anew") from error
    if not known or end != size:
        raise DamagedData(f"{path}: {size} bytes, its header says {end}; prepare builds it anew")
    return slots, metadata


def _checksum(classes: str, mean: np.ndarray, std: np.ndarray, arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 over shapes, classes, statistics and all array bytes, blockwise."""
    shapes = [arrays[tensor].shape for tensor in TENSORS]
    digest = hashlib.sha256(json.dumps([shapes, classes, _figures(mean), _figures(std)]).encode())
    for tensor in TENSORS:
        flat = arrays[tensor].reshape(-1).view(np.uint8)
        for start in range(0, len(flat), _CHUNK_BYTES):
            digest.update(flat[start : start + _CHUNK_BYTES].data)
    return digest.hexdigest()


def _figures(values: np.ndarray) -> str:
    """float32 values as JSON strings of fixed width; nine decimals restore a float32 exactly."""
    return json.dumps([f"{value:.9e}" for value in values.tolist()])


def room_for(path: Path, size: int) -> None:
    """Check that the disk of ``path`` has ``size`` bytes free.

    Raises:
        DataError: it has fewer; the message gives both figures.
    """
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise DataError(f"{path}: needs {in_words(size)} of disk, {in_words(free)} are free in {str(path.parent)!r}; make room")


def in_words(size: int) -> str:
    """A number of bytes such as ``15.7 GB``."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:,} bytes"


def _allocate(path: Path, size: int) -> None:
    """Create a file of ``size`` bytes that really has its blocks; DataError when the disk has no room."""
    # A new file, never the old one emptied: a process that outlived a killed build may still be writing to that.
    path.unlink(missing_ok=True)
    room_for(path, size)
    try:
        with path.open("xb") as file:
            if hasattr(os, "posix_fallocate"):
                # A sparse file on a full disk would kill the process (SIGBUS) at the first write through the
                # map.
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot allocate {size} bytes ({error.strerror})") from error
