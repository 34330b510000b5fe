"""Attention beside recurrence on the same patches: how many steps depend on each other, and how time grows with length."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from scaling.jobs.benchmarks.settings import Benchmark, Request, Row, Setting, Timed, row, times
from scaling.jobs.benchmarks.speed import PHASES
from scaling.models import build
from scaling.models.counting import count_params, forward_flop, sketch
from scaling.models.family import ImageSpec
from scaling.models.transformer import block_size, round_up
from scaling.models.vit import LARGEST_HEAD, PATCH

SIDES: Final = (28, 56, 112, 224)
"""Pixels; with ViT's patches of 7 these are 16, 64, 256 and 1024 positions."""
BATCHES: Final = (1, 8)
"""Images at a time in the comparison with an LSTM: one, so that only positions can be done at once, and several."""

_PRODUCTS: Final = frozenset({"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::convolution"})


class PatchLSTM(nn.Module):
    """Reads the patches of an image one after another: embedding, LSTM layers, mean over positions, classifier.

    The LSTM is Hochreiter and Schmidhuber's (1997) as torch has it. Input and output are as in ViT, so that only the mixing of
    positions differs.
    """

    def __init__(self, image: ImageSpec, patch: int, width: int, layers: int):
        super().__init__()
        self.embed = nn.Conv2d(image.channels, width, patch, stride=patch)
        self.lstm = nn.LSTM(width, width, layers, batch_first=True)
        self.classifier = nn.Linear(width, image.classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, side, side) -> logits (batch, classes)."""
        patches = self.embed(images).flatten(2).transpose(1, 2)
        states, _ = self.lstm(patches)
        return self.classifier(states.mean(1))


def matched_pair(width: float, depth: int, image: ImageSpec) -> dict[str, Callable[[], nn.Module]]:
    """A ViT and a PatchLSTM with as many layers, whose N is nearest to that of the ViT's blocks, patches and classifier.

    ViT's table of positions is left out of the match: it grows with the length, and an LSTM needs none.
    """
    image = ImageSpec(round_up(image.side, PATCH), image.channels, image.classes)
    embedding = block_size(width, LARGEST_HEAD).embedding
    wanted = count_params(build("vit", width, depth, image)) - embedding * (image.side // PATCH) ** 2

    def lstm(units: int) -> nn.Module:
        return PatchLSTM(image, PATCH, units, depth)

    units = min(range(1, 4 * embedding + 8), key=lambda candidate: abs(_lstm_params(candidate, depth, image) - wanted))
    return {"vit": lambda: build("vit", width, depth, image), "lstm": lambda: lstm(units)}


def _lstm_params(width: int, layers: int, image: ImageSpec) -> int:
    """N of a PatchLSTM by hand: 4 gates, each with two matrices and (in torch) two biases."""
    embedding = width * (image.channels * PATCH**2 + 1)
    return embedding + layers * (8 * width**2 + 8 * width) + image.classes * (width + 1)


class _Chain(TorchDispatchMode):
    """Notes for every tensor the length of the longest chain of matrix products that led to it."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: Any = WeakTensorKeyDictionary()

    def length(self, value: Any) -> int:
        return max((self.lengths.get(leaf, 0) for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)), default=0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        result = func(*args, **(kwargs or {}))
        length = self.length((args, kwargs)) + (func._schema.name in _PRODUCTS)
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.lengths[leaf] = max(self.lengths.get(leaf, 0), length)
        return result


def chain_length(model: nn.Module, image: ImageSpec) -> int:
    """Length of the longest chain of matrix products of a forward pass in which each needs the result of the one before.

    No number of processors can do these at the same time. They are counted on one image, on the CPU and without oneDNN, which
    would hide the steps of an LSTM in one call.
    """
    images = torch.zeros(1, image.channels, image.side, image.side)
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), _Chain() as chain:
            return chain.length(model.eval()(images))
    finally:
        torch.backends.mkldnn.enabled = before


def sequence_rows(asked: Request) -> list[Row]:
    """A ViT and an LSTM over the same patches at each number of positions: seconds per image, FLOP, chain of dependent steps.

    On a CPU they are timed with one thread and with all cores: work that can be done at once gains from more cores.
    """
    rung = asked.transformer("vit")
    cores = os.cpu_count() or 1
    threads = (1, cores) if asked.machine.device == "cpu" and cores > 1 else (1,)
    timed: list[Timed] = []
    rows: list[Row] = []
    for side in SIDES:
        there = replace(asked.image, side=side)
        positions = float((round_up(side, PATCH) // PATCH) ** 2)
        for family, make in matched_pair(rung.width, rung.depth, there).items():
            model = sketch(make)
            setting = Setting("sequence", family, "", count_params(model), rung.width, rung.depth, positions, 1)
            rows.append(row(setting, "flop_forward", forward_flop(model, there), "FLOP/image"))
            rows.append(row(setting, "chain", chain_length(make(), there), "matrix products"))
            timed += [
                Timed(replace(setting, phase=phase, batch=batch, threads=count), there, make)
                for phase in PHASES
                for batch in BATCHES
                for count in (threads if batch == 1 else (1,))
            ]
    return rows + times(timed, asked.rounds, asked.machine)


benchmark = Benchmark(
    description="ViT beside an LSTM over the same patches",
    rows=sequence_rows,
    seconds=(10, 4),
    transformers=("vit",),
)
