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
        if longest:
            pairs = list(zip(_tensors(self.model), _tensors(model), strict=True))
            self._averaged = _sides([pair for pair in pairs if pair[0].is_floating_point()])
            self._copied = _sides([pair for pair in pairs if not pair[0].is_floating_point()])
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
        mine, theirs = self._averaged
        torch._foreach_lerp_(mine, theirs, [weight] * len(mine) if isinstance(weight, Tensor) else weight)  # pyright: ignore
        if self._copied[0]:
            torch._foreach_copy_(*self._copied)  # pyright: ignore

    def update(self, step: int) -> None:
        """Move towards the trained weights after ``step`` (from 1)."""
        self.move(self.weight(step))


def _tensors(model: nn.Module) -> Iterable[Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def _sides(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [mine for mine, _ in pairs], [theirs for _, theirs in pairs]
