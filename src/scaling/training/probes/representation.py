"""What a model's features are worth: nearest neighbours and a linear classifier on them.

Both classifiers see the features of labelled images, standardised by them; the backbone stays as it is. Protocol of Caron et
al. 2021, section 4.1: cosine similarity, votes weighted by exp(similarity / 0.07), k = 20.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaling.data import ImageData
from scaling.training.loop import Trainer
from scaling.training.probes import Probe, Row

NEIGHBOURS: Final = 20
VOTE_TEMPERATURE: Final = 0.07
PROBE_STEPS: Final = 200
"""Most steps of L-BFGS; the problem is convex, and fewer do."""
TEST_IMAGES: Final = 2_500
"""Test images whose class the features have to tell."""
FEATURE_BATCH: Final = 250
SIMILARITIES: Final = 32 * 1024**2
"""Similarities that are in memory at a time, 4 bytes each: those of all test images with up to 13,000 others. Assumption."""


@torch.no_grad()
def features(model: nn.Module, images: Iterable[Tensor]) -> Tensor:
    """What the classifier of ``model``, its last linear layer, is given of normalised images, batches [b, c, h, w]: [n, e].

    Of the images one batch at a time is in memory; of the features all are.
    """
    classifier = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    found: list[Tensor] = []
    hook = classifier.register_forward_pre_hook(lambda _, given: found.append(given[0].float()))
    try:
        for part in images:
            model.eval()(part)
    finally:
        hook.remove()
    return torch.cat(found)


def standardise(known: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
    """Both [n, e], centred and scaled feature by feature as ``known`` asks for."""
    mean, deviation = known.mean(0), known.std(0).clamp_min(1e-6)
    return (known - mean) / deviation, (asked - mean) / deviation


def neighbours(known: Tensor, labels: Tensor, asked: Tensor, classes: int) -> Tensor:
    """Class of each of ``asked`` [m, e] by the vote of its nearest of ``known`` [n, e] with ``labels`` [n]: [m]."""
    known, found = F.normalize(known, dim=1), []
    for part in asked.split(max(1, SIMILARITIES // len(known))):
        near, at = (F.normalize(part, dim=1) @ known.T).topk(min(NEIGHBOURS, len(known)), 1)
        votes = torch.zeros(len(part), classes, device=part.device)
        found.append(votes.scatter_add_(1, labels[at].long(), ((near - 1) / VOTE_TEMPERATURE).exp()).argmax(1))
    return torch.cat(found)


@torch.enable_grad()
def linear_probe(known: Tensor, labels: Tensor, asked: Tensor, classes: int) -> Tensor:
    """Class of each of ``asked`` [m, e] by multinomial logistic regression on ``known``: [m].

    The penalty on the weights is their squared length over twice the number of labels: a unit normal prior.
    """
    known, asked = known.double(), asked.double()
    weight = torch.zeros(classes, known.shape[1], dtype=known.dtype, device=known.device, requires_grad=True)
    bias = torch.zeros(classes, dtype=known.dtype, device=known.device, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=PROBE_STEPS, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(F.linear(known, weight, bias), labels.long()) + weight.square().sum() / (2 * len(known))
        loss.backward()
        return loss

    solver.step(objective)
    return F.linear(asked, weight.detach(), bias.detach()).argmax(1)


Labelled = tuple[Iterable[Tensor], Tensor]
"""Normalised images, batches [b, c, h, w], and the labels [n] of all."""


def accuracies(model: nn.Module, train: Labelled, test: Labelled, classes: int) -> dict[str, float]:
    """Accuracy on ``test`` by the labels of ``train``: of neighbours and of the probe."""
    known, asked = standardise(features(model, train[0]), features(model, test[0]))
    return {
        name: (predict(known, train[1], asked, classes) == test[1]).float().mean().item()
        for name, predict in (("neighbours", neighbours), ("probe", linear_probe))
    }


def known_images(trainer: Trainer) -> Iterator[Tensor]:
    """The training images of a run, batch by batch, as its model takes them."""
    train = trainer.images.train
    for part in torch.arange(len(train)).split(FEATURE_BATCH):
        yield trainer.prepare(train.batch(part)[0])


def asked_images(trainer: Trainer) -> Iterator[Tensor]:
    """The first test images, batch by batch, as its model takes them."""
    images = trainer.images.test_images
    count = min(TEST_IMAGES, len(images))
    for start in range(0, count, FEATURE_BATCH):
        yield trainer.prepare(images[start : min(start + FEATURE_BATCH, count)])


def take(trainer: Trainer, data: ImageData) -> list[Row]:
    """What the features tell of the class at the start and at the end of training, and how pre-training went."""
    images, cell = trainer.images, trainer.cell
    models = {"start": Trainer(cell, data, trainer.start).model, "end": trainer.average.model}
    rows: list[Row] = [
        {"quantity": f"{name} accuracy", "phase": phase, "value": accuracy, "unit": "share"}
        for phase, model in models.items()
        for name, accuracy in accuracies(
            model,
            (known_images(trainer), images.train.labels),
            (asked_images(trainer), images.test_labels[:TEST_IMAGES]),
            trainer.spec.classes,
        ).items()
    ]
    points = trainer.start.curve if trainer.start else []
    shown = ("validation_loss", "entropy", "information")
    return rows + [
        {"quantity": name, "phase": "pre-training", "x": float(point["step"]), "value": point[name], "unit": ""}
        for point in points
        for name in shown
        if name in point
    ]


probe = Probe(
    description="nearest neighbours and a linear probe on its features, before and after training",
    take=take,
)
