"""Augmentation and normalisation of a batch as tensors, on whatever device it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from scaling.data.data_errors import DataError


@dataclass(frozen=True)
class Augment:
    """Random flips and random shift, drawn anew for every image of every batch.

    ``flip``: mirror each image with probability 1/2; ``vertical_flip``: turn it upside down with probability 1/2.
    ``shift``: k pixels; pad by k on all sides and crop at a
    random place, as K. He et al., "Deep Residual Learning", section 4.2 (2016) do with k = 4; the 2k + 1
    offsets a direction are equally likely. ``pad_value``: what comes in from outside, in the batch's own
    values; 0 is black in raw pixels.
    """

    flip: bool
    shift: int
    pad_value: float = 0.0
    vertical_flip: bool = False

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise DataError(f"shift {self.shift} is not allowed: pixels, at least 0")

    def __call__(self, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Augment ``batch`` [b, c, h, w] of any type; draws come from ``generator``, on its device."""
        if not self.flip and not self.vertical_flip and not self.shift:
            return batch
        b, c, h, w = batch.shape
        k, device = self.shift, generator.device
        columns = torch.arange(w, device=device).expand(b, w)
        if self.flip:
            mirrored = torch.rand(b, 1, generator=generator, device=device) < 0.5
            columns = torch.where(mirrored, w - 1 - columns, columns)
        rows = torch.arange(h, device=device).expand(b, h)
        if self.vertical_flip:
            turned = torch.rand(b, 1, generator=generator, device=device) < 0.5
            rows = torch.where(turned, h - 1 - rows, rows)
        if k:
            down, right = torch.randint(2 * k + 1, (2, b, 1), generator=generator, device=device)
            rows, columns = rows + down, columns + right
            batch = F.pad(batch, (k, k, k, k), value=self.pad_value)
        # One gather over flattened pixels: one index a pixel, shared by the channels; made where the batch lies.
        rows, columns = rows.to(batch.device), columns.to(batch.device)
        pixels = rows[:, :, None] * (w + 2 * k) + columns[:, None, :]
        pixels = pixels.view(b, 1, h * w).expand(b, c, h * w)
        return batch.flatten(2).gather(2, pixels).view(b, c, h, w)


def normalise(batch: torch.Tensor, mean: np.ndarray | torch.Tensor, std: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Raw pixels uint8 [b, c, h, w] to float32 (x / 255 - mean) / std.

    ``mean`` and ``std`` [c] are those of images divided by 255, as ``ImageData`` holds them. Raises DataError for
    a batch of another type, which would be divided by 255 a second time.
    """
    if batch.dtype != torch.uint8:
        raise DataError(f"a batch of type {batch.dtype} cannot be normalised, allowed: torch.uint8")
    mean, std = (torch.as_tensor(value, dtype=torch.float32, device=batch.device)[:, None, None] for value in (mean, std))
    return batch.float().mul_(1 / (255 * std)).sub_(mean / std)
