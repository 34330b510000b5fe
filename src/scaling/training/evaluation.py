"""Loss and error of a model on images that it was not trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scaling.data.augment import normalise
from scaling.training.images import HeldOut
from scaling.training.objectives.supervised import cross_entropy_and_errors

EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy (nats) and error rate with their standard errors from the finite number of images."""

    loss: float
    loss_se: float
    error: float
    error_se: float


@torch.no_grad()
def evaluate(
    model: nn.Module,
    images: HeldOut,
    labels: Tensor,
    mean: Tensor,
    std: Tensor,
    *,
    channels_last: bool,
    bf16: bool,
    at_a_time: int = EVALUATION_BATCH,
) -> Evaluation:
    """Evaluate ``model`` in its evaluation mode on uint8 images [n, c, h, w] and labels [n], ``at_a_time`` together."""
    model.eval()
    losses, errors = [], []
    for start in range(0, len(images), at_a_time):
        batch = normalise(images[start : start + at_a_time], mean, std)
        if channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16):
            logits = model(batch)
        loss, error = cross_entropy_and_errors(logits, labels[start : start + at_a_time])
        losses.append(loss)
        errors.append(error)
    loss, error = torch.cat(losses), torch.cat(errors)
    root = math.sqrt(len(loss))
    return Evaluation(
        loss.mean().item(),
        loss.std(correction=0).item() / root,
        error.mean().item(),
        error.std(correction=0).item() / root,
    )
