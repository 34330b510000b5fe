"""The moving average of the weights that is evaluated."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's weights with a horizon that grows with the steps.

    The horizon is a ninth of the steps so far, at most ``longest``: decay = min(1 - 1/longest, (1 + t) / (10 + t)).
    ``longest`` 0 keeps no average: ``model`` is then the trained one itself. Buffers (batch-norm statistics) are
    averaged alike: recomputing them from training images before each evaluation changed nothing (docs/recipe.md).
    """

    def __init__(self, model: nn.Module, longest: int) -> None:
        self.longest = longest
        self.model = copy.deepcopy(model) if longest else model
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._counters: list[tuple[Tensor, Tensor]] = []
        if longest:
            for (_, mine), (_, theirs) in zip(_tensors(self.model), _tensors(model), strict=True):
                (self._pairs if mine.is_floating_point() else self._counters).append((mine, theirs))
            for parameter in self.model.parameters():
                parameter.requires_grad_(False)

    def weight(self, step: int) -> float:
        """How far, from 0 to 1, the average moves towards the trained weights after ``step`` (from 1)."""
        return 1 - min(1 - 1 / self.longest, (1 + step) / (10 + step)) if self.longest else 1.0

    @torch.no_grad()
    def move(self, weight: float | Tensor) -> None:
        """Move towards the trained weights by ``weight``, a number or a tensor of one on the model's device."""
        if not self.longest:
            return
        mine, theirs = [a for a, _ in self._pairs], [b for _, b in self._pairs]
        torch._foreach_lerp_(mine, theirs, [weight] * len(mine) if isinstance(weight, Tensor) else weight)  # pyright: ignore
        if self._counters:
            torch._foreach_copy_([a for a, _ in self._counters], [b for _, b in self._counters])  # pyright: ignore

    def update(self, step: int) -> None:
        """Move towards the trained weights after ``step`` (from 1)."""
        self.move(self.weight(step))


def _tensors(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()
