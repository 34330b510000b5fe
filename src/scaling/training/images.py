"""The images of one cell as tensors on its device: training subset, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from scaling.data import ImageData, split, subset

IN_MEMORY_BYTES: Final = 4 * 1024**3
"""A subset up to this size is copied to the device once; a larger one is gathered batch by batch from the file."""


class Subset:
    """Images [n, c, h, w] uint8 and labels [n], gathered by position."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, positions: np.ndarray, device: str) -> None:
        self.device = device
        self.labels = torch.from_numpy(labels[positions]).to(device)
        self._file, self._positions, self._tensor = images, positions, None
        if len(positions) * images[0].nbytes <= IN_MEMORY_BYTES:
            self._tensor = torch.from_numpy(images[positions]).to(device)

    def __len__(self) -> int:
        return len(self._positions)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels at ``indices`` [b] (CPU), on the device."""
        if self._tensor is not None:
            at = indices.to(self.device)
            return self._tensor[at], self.labels[at]
        images = torch.from_numpy(self._file[self._positions[indices.numpy()]])
        return images.to(self.device), self.labels[indices.to(self.device)]


@dataclass(frozen=True)
class CellImages:
    """What one cell trains, chooses and tests on. ``mean`` and ``std`` [c] come from the training images."""

    train: Subset
    validation_images: Tensor
    validation_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: Tensor
    std: Tensor


def cell_images(data: ImageData, images: int, seed: int, validation: int, device: str) -> CellImages:
    """The images of a cell: D = ``images`` of the pool by ``seed``, the validation split, all test images."""
    pool, held = split(data.train_labels, validation)
    chosen = subset(data.train_labels, pool, images, seed)
    return CellImages(
        Subset(data.train_images, data.train_labels, chosen, device),
        torch.from_numpy(data.train_images[held]).to(device),
        torch.from_numpy(data.train_labels[held]).to(device),
        torch.from_numpy(np.array(data.test_images)).to(device),
        torch.from_numpy(np.array(data.test_labels)).to(device),
        torch.from_numpy(np.array(data.mean)).to(device),
        torch.from_numpy(np.array(data.std)).to(device),
    )
