"""The batches of a run, step after step; those of images in a file are read ahead by a thread while the model trains."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import torch
from torch import Tensor

from scaling.training.images import Subset
from scaling.training.schedule import Order

WINDOW_BYTES: Final = 64 * 1024**2
"""Images that are read together, in the order in which they lie in the file; two such windows are in memory. Assumption: long
enough for a disk to be busy, short beside any memory."""


class Feed:
    """Images and labels by step. What a batch holds is the same wherever the images lie."""

    def __init__(self, images: Subset, order: Order, steps: int) -> None:
        """``steps`` of training are all that is read ahead for."""
        self._images, self._order, self._steps = images, order, steps
        self._window = max(1, WINDOW_BYTES // (order.batch * images.image_bytes))
        self._here: tuple[int, Tensor] | None = None
        self._ahead: tuple[int, Future[Tensor]] | None = None
        self._reader: ThreadPoolExecutor | None = None

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images [b, c, h, w] uint8 and labels [b] of ``step``, on the device."""
        indices = self._order.indices(step)
        if self._images.in_memory or step >= self._steps:
            return self._images.batch(indices)
        number, at = divmod(step, self._window)
        if self._here is None or self._here[0] != number:
            self._here = number, self._take(number)
        part = self._here[1][at * self._order.batch : (at + 1) * self._order.batch]
        device = self._images.device
        # A copy where nothing is moved: whoever changes a batch must not change what a second look at the step finds.
        images = part.to(device, non_blocking=True) if device != "cpu" else part.clone()
        return images, self._images.labels[indices.to(device)]

    def _take(self, number: int) -> Tensor:
        """The images of a window, read ahead or now; the next one is asked for."""
        self._reader = self._reader or ThreadPoolExecutor(1, "images")
        ahead, self._ahead = self._ahead, None
        found = ahead[1].result() if ahead is not None and ahead[0] == number else self._read(self._indices(number))
        if (number + 1) * self._window < self._steps:
            self._ahead = number + 1, self._reader.submit(self._read, self._indices(number + 1))
        return found

    def _indices(self, number: int) -> Tensor:
        first = number * self._window
        last = max(first + 1, min(first + self._window, self._steps))
        return torch.cat([self._order.indices(step) for step in range(first, last)])

    def _read(self, indices: Tensor) -> Tensor:
        return self._images.read(indices, pinned=self._images.device == "cuda")
