"""Training a backbone without labels: the loop of ``loop.py`` with another model, another loss, and nothing to choose.

The last weights are what is kept, decoder or student included: a cell takes the encoder, a probe may want the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from scaling.data import ImageData
from scaling.data.augment import normalise
from scaling.models import build
from scaling.models.counting import forward_flop
from scaling.models.family import ImageSpec, Regularisation
from scaling.runs.grid import Backbone
from scaling.runs.store import Record
from scaling.training.divergence import CHECK_EVERY
from scaling.training.evaluation import EVALUATION_BATCH
from scaling.training.loop import Trainer
from scaling.training.memory import peak_memory
from scaling.training.objectives.dino import ANSWERS, SelfDistillation, draw_view, view
from scaling.training.objectives.mae import MaskedAutoencoder
from scaling.training.run_progress import finite
from scaling.training.run_row import run_row
from scaling.training.streams import generator

PASS_BYTES: Final = 32 * 1024**2
"""Pixels, 4 bytes each, of the images that the teacher answers to at a time: 10,000 images of 28 x 28, 50 of 224 x 224 in
colour, of which a batch of an evaluation is taken. Assumption: small beside the activations of a training step."""


def objective_model(backbone: Backbone, spec: ImageSpec) -> MaskedAutoencoder | SelfDistillation:
    """The encoder with what its objective adds, initialised from torch's global random stream."""
    recipe = backbone.recipe
    rates = Regularisation(recipe.dropout, recipe.stochastic_depth)
    encoder: Any = build(backbone.family, backbone.width, backbone.depth, spec, rates, backbone.options)
    share = backbone.pretraining.masked
    return SelfDistillation(encoder) if share is None else MaskedAutoencoder(encoder, share)


def objective_flop(model: MaskedAutoencoder | SelfDistillation, spec: ImageSpec) -> tuple[int, float]:
    """FLOP of one image: of a forward pass, and of all that pre-training does with it (a backward pass is two forward).

    DINO: two views forward and backward by the student, and forward by the teacher.
    """
    if isinstance(model, MaskedAutoencoder):
        forward = forward_flop(model, spec)
        return forward, 3.0 * forward
    forward = forward_flop(model.student, spec)
    return forward, 2.0 * 3.0 * forward + 2.0 * forward


class Pretrainer(Trainer):
    """One backbone in training."""

    cell: Backbone

    def __init__(self, backbone: Backbone, data: ImageData) -> None:
        super().__init__(backbone, data)
        self.best = {}

    def _build(self) -> nn.Module:
        return objective_model(self.cell, self.spec)

    def _count(self) -> tuple[int, float]:
        return objective_flop(self.model, self.spec)  # type: ignore[arg-type]

    @property
    def weights(self) -> dict[str, Tensor]:
        """All of the model."""
        return self.model.state_dict()

    def _guessing(self) -> float:
        # Targets of variance 1, guessed to be 0; or each of the head's answers as likely as any other.
        return 1.0 if isinstance(self.model, MaskedAutoencoder) else math.log(ANSWERS)

    def _draw(self, images: int, draws: torch.Generator) -> dict[str, Tensor]:
        """The masks, or the two views, of so many images."""
        if isinstance(self.model, MaskedAutoencoder):
            return {"order": self.model.order(images, draws)}
        return {"first": draw_view(images, draws), "second": draw_view(images, draws)}

    def _drawn(self, step: int) -> dict[str, Tensor]:
        return self._draw(self.recipe.batch, generator(self.cell.seed, "objective", step))

    def _loss(self, images: Tensor, labels: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        """The objective on normalised images [b, c, h, w], a scalar: no label is looked at."""
        model: Any = self.model
        if isinstance(model, MaskedAutoencoder):
            return model.loss(images, drawn["order"])
        return model.loss(view(images, drawn["first"]), view(images, drawn["second"]))

    def _can_be_captured(self) -> bool:
        # A teacher follows by a momentum that changes from step to step.
        return isinstance(self.model, MaskedAutoencoder) and super()._can_be_captured()

    def _stepped(self, weight: float | Tensor) -> None:
        if isinstance(self.model, SelfDistillation):
            self.model.follow((self.progress.step + 1) / self.steps)

    def _held_loss(self) -> float:
        """Loss on the validation images, always with the same draws; as many at a time as in training where memory ran out."""
        draws, total = generator(0, "validation"), 0.0
        for images in self._held(EVALUATION_BATCH):
            drawn = self._draw(len(images), draws)
            for start in range(0, len(images), size := self._at_a_time(EVALUATION_BATCH)):
                part = slice(start, start + size)
                of_part = {name: tensor[part].to(images.device) for name, tensor in drawn.items()}
                total += self._loss(images[part], images, of_part).item() * len(images[part])
        return total / len(self.images.validation_images)

    def _at_a_time(self, images: int) -> int:
        return max(1, images * self.micro_batch // self.recipe.batch)

    def _held(self, at_a_time: int) -> Iterator[Tensor]:
        """The validation images, normalised, so many at a time."""
        for part in self.images.validation_images.split(at_a_time):
            yield normalise(part, self.images.mean, self.images.std)

    @property
    def _in_one_pass(self) -> int:
        """Images whose normalised pixels take up PASS_BYTES."""
        return PASS_BYTES // (4 * self.spec.channels * self.spec.side**2)

    @torch.no_grad()
    def _validate(self) -> None:
        """A point of the curve: loss on validation images, always with the same draws; of DINO what its teacher says."""
        progress, model = self.progress, self.model.eval()
        if progress.step % CHECK_EVERY:
            self.watch.look(progress)
        held = self._held_loss()
        mean = progress.train_loss = progress.mean_loss()
        point = {"step": progress.step, "validation_loss": finite(held), "train_loss": finite(mean)}
        if isinstance(model, SelfDistillation):
            model.forget()
            at_a_time = self._at_a_time(max(EVALUATION_BATCH, self._in_one_pass))
            point["entropy"], point["information"] = model.entropy(self._held(at_a_time))
        progress.curve.append(point)
        if not math.isfinite(held):
            progress.diverged = f"validation loss not finite at step {progress.step}"
        else:
            progress.best_loss, progress.best_step = held, progress.step

    def entry(self, machine: str) -> Record:
        """The record of the finished backbone: columns of the runs table, without what labels are needed for."""
        progress, row = self.progress, run_row(self, machine)
        if not progress.diverged:
            row |= {"validation_loss": progress.curve[-1]["validation_loss"], "train_loss": progress.curve[-1]["train_loss"]}
        row |= {"seconds": progress.seconds, "peak_memory": peak_memory(self.cell.device)}
        return Record(row, self.cell.settings(), progress.curve)
