"""The images of one cell: training subset, validation and test; on its device where they fit, else read from the file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from scaling.data import ImageData, split, subset
from scaling.training.file_rows import FileRows

IN_MEMORY_BYTES: Final = 4 * 1024**3
"""A subset up to this size is copied to the device once; a larger one is read batch by batch from the file."""

GPU_SHARE: Final = 0.3
"""Of a GPU's memory, at most, that a subset takes up; the rest is for models. Assumption."""

PART_BYTES: Final = 64 * 1024**2
"""Images that are on their way to a GPU at a time, so that no second copy of all lies in the host's memory. Assumption."""

HELD_OUT_BYTES: Final = 256 * 1024**2
"""The same for validation and for test images, each of which is read once in an evaluation: 1,700 images of 224 x 224 in
colour. Assumption: small beside a GPU that several runs share."""


def resident_bytes(device: str) -> int:
    """Bytes of training images that lie on ``device`` as a whole."""
    if device == "cuda":
        return min(IN_MEMORY_BYTES, int(GPU_SHARE * torch.cuda.get_device_properties().total_memory))
    return IN_MEMORY_BYTES


def gather(file: FileRows, positions: np.ndarray, device: str) -> Tensor:
    """The rows of ``file`` at ``positions`` [n] on ``device``, copied there part by part."""
    found = torch.empty((len(positions), *file.shape), dtype=torch.uint8, device=device)
    at_a_time = max(1, PART_BYTES // file.row_bytes)
    for start in range(0, len(positions), at_a_time):
        part = slice(start, start + at_a_time)
        found[part].copy_(file.read(positions[part], pinned=device == "cuda"), non_blocking=True)
    return found


class Subset:
    """Images [n, c, h, w] uint8 and labels [n], gathered by position."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, positions: np.ndarray, device: str) -> None:
        self.device = device
        self.labels = torch.from_numpy(labels[positions]).to(device)
        self._file, self._positions, self._tensor = FileRows(images), positions, None
        if len(positions) * images[0].nbytes <= resident_bytes(device):
            self._tensor = torch.from_numpy(images[positions]) if device == "cpu" else gather(self._file, positions, device)

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def in_memory(self) -> bool:
        """Whether the images lie on the device."""
        return self._tensor is not None

    @property
    def image_bytes(self) -> int:
        """Size of one image."""
        return self._file.row_bytes

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels at ``indices`` [b] (CPU), on the device."""
        if self._tensor is not None:
            return self.at(indices.to(self.device))
        return self.read(indices).to(self.device), self.labels[indices.to(self.device)]

    def at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels at ``positions`` [b], all on the device, where the images lie too."""
        assert self._tensor is not None
        # Copies image by image, in a tenth of the time of an index in brackets.
        return self._tensor.index_select(0, positions), self.labels.index_select(0, positions)

    def read(self, indices: Tensor, pinned: bool = False) -> Tensor:
        """Images at ``indices`` [b], read from the file into memory, which a GPU copies from by itself where it is pinned."""
        return self._file.read(self._positions[indices.numpy()], pinned)


class FileImages:
    """Images [n, c, h, w] that stay in the file: slices of them are read to the device as they are asked for."""

    def __init__(self, images: np.ndarray, positions: np.ndarray, device: str) -> None:
        self._file, self._positions, self._device = FileRows(images), positions, device

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, part: slice) -> Tensor:
        return self._read(part).to(self._device)

    def split(self, size: int) -> Iterator[Tensor]:
        """All images, ``size`` at a time; while some are computed with, a thread reads the next."""
        parts = [slice(start, start + size) for start in range(0, len(self), size)]
        with ThreadPoolExecutor(1, "held-out") as reader:
            ahead = reader.submit(self._read, parts[0])
            for after in [*parts[1:], None]:
                found = ahead.result()
                if after is not None:
                    ahead = reader.submit(self._read, after)
                yield found.to(self._device, non_blocking=True)

    def _read(self, part: slice) -> Tensor:
        return self._file.read(self._positions[part], pinned=self._device == "cuda")


HeldOut = Tensor | FileImages
"""Images on the device, or in the file where they are too many."""


@dataclass(frozen=True)
class CellImages:
    """What one cell trains, chooses and tests on. ``mean`` and ``std`` [c] come from the training images."""

    train: Subset
    validation_images: HeldOut
    validation_labels: Tensor
    test_images: HeldOut
    test_labels: Tensor
    mean: Tensor
    std: Tensor


def cell_images(data: ImageData, images: int, seed: int, validation: int, device: str) -> CellImages:
    """The images of a cell: D = ``images`` of the pool by ``seed``, the validation split, all test images."""
    pool, held = split(data.train_labels, validation)
    chosen = subset(data.train_labels, pool, images, seed)
    return CellImages(
        Subset(data.train_images, data.train_labels, chosen, device),
        _held_out(data.train_images, held, device),
        torch.from_numpy(data.train_labels[held]).to(device),
        _held_out(data.test_images, np.arange(len(data.test_images)), device),
        torch.from_numpy(np.array(data.test_labels)).to(device),
        torch.from_numpy(np.array(data.mean)).to(device),
        torch.from_numpy(np.array(data.std)).to(device),
    )


def _held_out(images: np.ndarray, positions: np.ndarray, device: str) -> HeldOut:
    if len(positions) * images[0].nbytes > HELD_OUT_BYTES:
        return FileImages(images, positions, device)
    return torch.from_numpy(images[positions]).to(device)
