"""Loss and error of a model on images that it was not trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from scaling.data.augment import normalise
from scaling.training.images import HeldOut
from scaling.training.objectives.supervised import cross_entropy_and_errors

EVALUATION_BATCH = 250

MANY_CLASSES: Final = 20
"""Up to so many classes the five likeliest are too large a part of all for a top-5 error to say much. Assumption."""


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy (nats) and error rate with their standard errors from the finite number of images.

    ``top5_error``: share of images whose class is not among the five likeliest; None for MANY_CLASSES or fewer.
    ``balanced_error``: mean of the classes' error rates (Brodersen et al. 2010, "The balanced accuracy and its posterior
    distribution"); None where all classes have as many images, since it is the error then.
    """

    loss: float
    loss_se: float
    error: float
    error_se: float
    top5_error: float | None = None
    balanced_error: float | None = None


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
    losses, errors, missed = [], [], []
    for part, answers in zip(images.split(at_a_time), labels.split(at_a_time), strict=True):
        batch = normalise(part, mean, std)
        if channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16):
            logits = model(batch)
        loss, error = cross_entropy_and_errors(logits, answers)
        losses.append(loss)
        errors.append(error)
        if logits.shape[1] > MANY_CLASSES:
            likeliest = logits.topk(5, 1).indices
            missed.append((likeliest != answers[:, None]).all(1).double())
    loss, error = torch.cat(losses), torch.cat(errors)
    root = math.sqrt(len(loss))
    return Evaluation(
        loss.mean().item(),
        loss.std(correction=0).item() / root,
        error.mean().item(),
        error.std(correction=0).item() / root,
        torch.cat(missed).mean().item() if missed else None,
        balanced_error(error, labels),
    )


def balanced_error(errors: Tensor, labels: Tensor) -> float | None:
    """Mean over the classes in ``labels`` [n] of their mean ``errors`` [n]; None where all have as many images."""
    labels, errors = labels.cpu(), errors.cpu()
    counts = torch.bincount(labels)
    there = counts > 0
    if len(counts[there].unique()) <= 1:
        return None
    wrong = torch.bincount(labels, weights=errors)
    return (wrong[there] / counts[there]).mean().item()
