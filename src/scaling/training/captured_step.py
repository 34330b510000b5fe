"""A step of the optimiser as one CUDA graph: the host starts one thing a step instead of hundreds.

Whatever a step does on the device is a function of static tensors (``static_inputs.py``), so the first steps run as they are,
the next is captured, and every later one is a replay. Where a graph cannot be had the same function runs step by step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from scaling.training.host_waits import HostWaits
from scaling.training.static_inputs import StaticInputs

WARM_UP: Final = 3
"""Steps before the capture, in which libraries choose kernels and the optimiser makes its state; torch's manual says 3."""


class CapturedStep:
    """``update`` on static inputs: eager at first and on a CPU, one graph later."""

    def __init__(self, update: Callable[[dict[str, Tensor]], None], device: str) -> None:
        self._update, self._device = update, device
        self._inputs: StaticInputs | None = None
        self._graph: Any = None
        self._steps = 0
        self.waits: list[str] = []
        """what keeps the step from being captured, by the names of torch's operations; known after the first steps"""

    def reset(self) -> None:
        """Forget the graph, after which the next steps are eager: something in the step has changed its shape."""
        self._inputs, self._graph, self._steps = None, None, 0

    def __call__(self, inputs: dict[str, Tensor]) -> None:
        """One step on ``inputs``."""
        if self._inputs is None:
            self._inputs = StaticInputs(inputs, self._device)
        static = self._inputs.fill(inputs)
        if self._graph is not None:
            self._graph.replay()
            return
        self._steps += 1
        if self._device != "cuda":
            self._update(static)
        elif self.waits or self._steps <= WARM_UP:
            self._warm_up(static)
        else:
            self._graph = torch.cuda.CUDAGraph()
            # Other threads, which read images ahead into pinned memory, may use CUDA meanwhile.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._update(static)
            self._graph.replay()  # a capture records and does nothing

    def _warm_up(self, static: dict[str, Tensor]) -> None:
        """An eager step on a side stream, as a capture asks for; the last one is watched for what cannot be captured."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            if self._steps == WARM_UP:
                with HostWaits() as seen:
                    self._update(static)
                self.waits = seen.names
                if self.waits:
                    with contextlib.suppress(OSError):
                        print(f"a step cannot be captured, so it runs eagerly: {', '.join(sorted(set(self.waits)))}")
            else:
                self._update(static)
        torch.cuda.current_stream().wait_stream(side)
