"""The moving average of the weights that is evaluated, and its batch-norm statistics."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class WeightAverage:
    """Exponential moving average of a model's weights with a horizon that grows with the steps.

    The horizon is a ninth of the steps so far, at most ``longest``: decay = min(1 - 1/longest, (1 + t) / (10 + t)).
    ``longest`` 0 keeps no average: ``model`` is then the trained one itself. Buffers (batch-norm statistics) are
    averaged alike.
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

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the trained weights after ``step`` (from 1)."""
        if not self.longest:
            return
        decay = min(1 - 1 / self.longest, (1 + step) / (10 + step))
        torch._foreach_lerp_([a for a, _ in self._pairs], [b for _, b in self._pairs], 1 - decay)
        for mine, theirs in self._counters:
            mine.copy_(theirs)


def _tensors(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch-norm layers of ``model`` that keep statistics."""
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


@torch.no_grad()
def recompute_batch_norm(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of the batch-norm layers to the mean over ``batches`` of training images.

    The other layers run as in evaluation, without dropout (Izmailov et al. 2018, section 3, for averaged weights).
    """
    layers = batch_norms(model)
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative mean
        layer.train()
    for batch in batches:
        model(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
