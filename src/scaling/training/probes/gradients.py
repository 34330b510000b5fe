"""Gradients while training: their size by layer, at the start and after some steps."""

from __future__ import annotations

import math
from typing import Final

from torch import nn

from scaling.data import ImageData
from scaling.runs.grid import Run
from scaling.training.loop import Trainer
from scaling.training.optimizer import forget_gradients
from scaling.training.probes import Probe, Row
from scaling.training.start import Start

STEPS: Final = 100
BATCHES: Final = 4
"""Batches over whose gradients a norm's root mean square is taken: those of the next steps."""


def gradient_norms(model: nn.Module) -> list[tuple[str, float]]:
    """Euclidean norm of the gradient of each layer's weights, by name, in the order from input to output.

    Called between the backward pass and the clipping of gradients. Layers are convolutions and linear maps; projections on
    shortcuts and auxiliary classifiers are no links of the chain and are left out.
    """
    return [
        (name, module.weight.grad.double().norm().item())
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        and module.weight.grad is not None
        and "downsample" not in name
        and not name.startswith("auxiliary.")
    ]


def gradient_rows(cell: Run, data: ImageData, micro_batch: int = 0, start: Start | None = None) -> list[Row]:
    """Norm of the gradient by layer at the start of the cell's training and after 100 of its steps, before clipping.

    ``micro_batch`` images are computed at a time; 0 = the whole batch.
    """
    trainer = Trainer(cell, data, start)
    trainer.shrink(micro_batch)
    trainer.model.train()
    rows = _norms(trainer, "start")
    for _ in range(min(STEPS, trainer.steps)):
        trainer.train_step()
    return rows + _norms(trainer, f"{STEPS} steps")


def _norms(trainer: Trainer, phase: str) -> list[Row]:
    squares: dict[str, float] = {}
    first = trainer.progress.step
    for step in range(first, first + BATCHES):
        trainer.backward(step)
        for name, norm in gradient_norms(trainer.model):
            squares[name] = squares.get(name, 0.0) + norm**2 / BATCHES
        forget_gradients(trainer.parameters)
    return [
        {"quantity": "norm", "phase": phase, "x": float(layer), "label": name, "value": _root(square), "unit": ""}
        for layer, (name, square) in enumerate(squares.items())
    ]


def _root(square: float) -> float | None:
    return square**0.5 if math.isfinite(square) else None


def take(trainer: Trainer, data: ImageData) -> list[Row]:
    """The rows of a training of their own, like the one of ``trainer``."""
    return gradient_rows(trainer.cell, data, trainer.micro_batch, trainer.start)


probe = Probe(
    description="their norm by layer at the start and after 100 steps",
    take=take,
    of_diverged=True,
)
