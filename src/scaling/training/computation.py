"""What a step computes, as a function of tensors on the run's device: nothing is drawn, read or looked at on the host."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from scaling.data.augment import Normalise
from scaling.training.batches import Batches

Loss = Callable[[Tensor, Tensor, dict[str, Tensor]], Tensor]
"""The mean loss, a scalar, of prepared images [b, c, h, w], their labels [b], and what was drawn for each of them."""


class Computation:
    """Gradients of a batch, micro-batch by micro-batch."""

    def __init__(self, loss: Loss, batches: Batches, normalise: Normalise, *, channels_last: bool, bf16: bool) -> None:
        self._loss, self._batches, self._normalise = loss, batches, normalise
        self.channels_last, self.bf16 = channels_last, bf16

    def prepare(self, images: Tensor) -> Tensor:
        """uint8 images [b, c, h, w] as the model takes them: normalised, in its memory format."""
        return self._in_format(self._normalise(images))

    def _in_format(self, batch: Tensor) -> Tensor:
        return batch.contiguous(memory_format=torch.channels_last) if self.channels_last else batch

    def gradients(self, inputs: dict[str, Tensor], drawn: dict[str, Tensor], micro_batch: int) -> Tensor:
        """Forward and backward pass of a batch: gradients in the model, unclipped; its mean loss, a scalar.

        Each micro-batch is weighted by its share of the batch: the sums are those of the whole batch, unless the model
        normalises by the batch's statistics.

        Args:
            inputs: what ``Batches.inputs`` gave.
            drawn: what the loss wants to know of each image, by name; first dimension the images.
            micro_batch: images computed at a time.
        """
        images, labels = self._batches.make(inputs)
        if images.is_floating_point():  # mixed, and normalised for that
            images = self._in_format(images)
        if micro_batch >= len(images):
            return self._backward(images, labels, drawn, 1.0)
        total = torch.zeros((), device=images.device)
        for start in range(0, len(images), micro_batch):
            part = slice(start, start + micro_batch)
            share = len(images[part]) / len(images)
            total += self._backward(images[part], labels[part], {name: tensor[part] for name, tensor in drawn.items()}, share)
        return total

    def _backward(self, images: Tensor, labels: Tensor, drawn: dict[str, Tensor], share: float) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16) if self.bf16 else contextlib.nullcontext():
            loss = self._loss(images if images.is_floating_point() else self.prepare(images), labels, drawn)
        if share < 1:
            loss = loss * share
        loss.backward()
        return loss.detach()


@torch.no_grad()
def clip_gradients(parameters: Sequence[Tensor], norm: float) -> None:
    """Scale the gradients of ``parameters``, all on one device, down to ``norm`` where theirs is larger; 0 = never.

    It computes what ``torch.nn.utils.clip_grad_norm_`` does, without sorting the gradients by device and type twice per step.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None] if norm else []
    if gradients:
        whole = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))  # pyright: ignore
        torch._foreach_mul_(gradients, torch.clamp(norm / (whole + 1e-6), max=1.0))  # pyright: ignore
