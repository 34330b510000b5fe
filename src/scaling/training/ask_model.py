"""Asking a trained model what it sees on a few test images."""

from __future__ import annotations

import torch

from scaling.data.augment import normalise
from scaling.runs.answers import Answer, asked_images
from scaling.training.loop import Trainer


@torch.no_grad()
def ask_model(trainer: Trainer) -> list[Answer]:
    """What the reported model of ``trainer``, which has ended, says of ``asked_images``; no random number is drawn."""
    images, model = trainer.images, trainer.average.model.eval()
    answers = []
    for place in asked_images(len(images.test_images)):
        batch = normalise(images.test_images[place : place + 1], images.mean, images.std)
        if trainer.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=trainer.bf16):
            logits = model(batch)
        probability, label = logits.float().softmax(1).max(1)
        answers.append(Answer(place, int(label.item()), probability.item()))
    return answers
