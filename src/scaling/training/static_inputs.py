"""Inputs of a step at fixed places on a device, where a captured step finds them; copied there without waiting."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

RING: Final = 4
"""Blocks on the host: so many steps may be on their way to the GPU before the host waits for one. Assumption."""

ALIGNMENT: Final = 16
"""Bytes: a tensor in a block begins at a multiple of it, as kernels that load 16 bytes at a time want."""


class StaticInputs:
    """Tensors on ``device``, made like the first inputs that they are filled with.

    Those that lie on the host are packed into one pinned block and copied at once, without blocking, through a ring of blocks.
    """

    def __init__(self, first: dict[str, Tensor], device: str) -> None:
        self._cuda = device == "cuda"
        self._places: dict[str, tuple[int, int]] = {}
        size = 0
        for name, tensor in first.items():
            if tensor.device.type == "cpu":
                self._places[name] = size, size + tensor.nbytes
                size += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
        block = torch.zeros(size, dtype=torch.uint8, device=device)
        self._block = block
        self._ring = [torch.zeros(size, dtype=torch.uint8, pin_memory=self._cuda) for _ in range(RING if self._cuda else 1)]
        self._copied: list[Any] = [None] * len(self._ring)
        self._next = 0
        self.tensors = {
            name: self._within(block, name, tensor) if name in self._places else torch.empty_like(tensor)
            for name, tensor in first.items()
        }
        self._hosts = [{name: self._within(host, name, first[name]) for name in self._places} for host in self._ring]

    def _within(self, block: Tensor, name: str, like: Tensor) -> Tensor:
        start, stop = self._places[name]
        return block[start:stop].view(like.dtype).view(like.shape)

    def fill(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """``tensors``, with the values of ``inputs``. Raises ValueError where these have other names or shapes."""
        if inputs.keys() != self.tensors.keys() or any(inputs[n].shape != t.shape for n, t in self.tensors.items()):
            raise ValueError("the inputs of a step changed their names or shapes")
        at, self._next = self._next, (self._next + 1) % len(self._ring)
        if self._copied[at] is not None:
            self._copied[at].synchronize()  # long over, unless the host is a whole ring ahead
        for name, place in self._hosts[at].items():
            place.copy_(inputs[name])
        self._block.copy_(self._ring[at], non_blocking=True)
        if self._cuda:
            self._copied[at] = torch.cuda.Event()
            self._copied[at].record()
        for name, tensor in self.tensors.items():
            if name not in self._places:
                tensor.copy_(inputs[name], non_blocking=True)
        return self.tensors
