"""Supervised classification: cross-entropy, with the auxiliary losses of GoogLeNet while training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def supervised_loss(
    model: nn.Module, images: Tensor, labels: Tensor, *, label_smoothing: float, auxiliary_weight: float
) -> Tensor:
    """Training loss of a batch: images [b, c, h, w] normalised, labels [b]; a scalar in nats.

    A model that returns ``(logits, auxiliary)`` has each auxiliary head's loss added with ``auxiliary_weight``
    (Szegedy et al. 2015, section 5).
    """
    output = model(images)
    logits, auxiliary = output if isinstance(output, tuple) else (output, ())
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    for head in auxiliary:
        loss = loss + auxiliary_weight * F.cross_entropy(head.float(), labels, label_smoothing=label_smoothing)
    return loss


def cross_entropy_and_errors(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Per-image cross-entropy [b] in nats and whether the image was misclassified [b], in float64."""
    losses = F.cross_entropy(logits.double(), labels, reduction="none")
    return losses, (logits.argmax(1) != labels).to(torch.float64)
