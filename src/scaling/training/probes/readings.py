"""What is read off the models of finished cells, and the weights kept for it.

A cell that is to be read keeps the weights of its reported checkpoint beside its record (a few hundred kilobytes), so that a
measure added later, or in another version, costs no training. They are made by the cell's own job, in the cell's own process,
since that is where its device is; a cell that was stored before anyone asked for a measure is trained again, to the same
weights bit for bit, and its record stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from scaling.data import ImageData
from scaling.runs.deciding_code import reading_code
from scaling.runs.grid import ResolvedCell
from scaling.runs.store import Store
from scaling.training.checkpoint import UnusableCheckpoint, load_checkpoint, save_checkpoint
from scaling.training.loop import Trainer
from scaling.training.objectives.mae import MaskedAutoencoder
from scaling.training.pretraining import objective_model
from scaling.training.probes.gradients import gradient_norms, receptive_fields
from scaling.training.probes.representation import PAINTED, accuracies, painted_rows
from scaling.training.probes.shift import TEST_IMAGES, shift_readings
from scaling.training.start import Start
from scaling.training.streams import generator

GRADIENT_STEPS: Final = 100
GRADIENT_BATCHES: Final = 4
"""Batches over whose gradients a norm's root mean square is taken: those of the next steps."""
FIELD_IMAGES: Final = 64
PREDICTION_BATCH: Final = 250
REPRESENTATION_IMAGES: Final = 2_500
"""Test images whose class the features have to tell."""

Row = dict[str, Any]


def keep_weights(store: Store, trainer: Trainer) -> None:
    """Write the weights of the reported checkpoint of a trainer that has ended beside its record. Raises LostLease."""
    store.check_held()
    save_checkpoint(store.weights_path(trainer.cell.key), trainer.weights, {}, trainer.cell.settings())


def restore_weights(store: Store, trainer: Trainer, warn: Callable[[str], None] = print) -> bool:
    """Give the trainer's average the kept weights of its cell; False where there are none that can be used.

    Weights that cannot be used are named through ``warn`` and removed.
    """
    path = store.weights_path(trainer.cell.key)
    try:
        found = load_checkpoint(path, trainer.cell.settings())
    except UnusableCheckpoint as error:
        warn(f"{error}; the cell is trained again for them")
        path.unlink()
        return False
    if found is None:
        return False
    tensors, _ = found
    with torch.no_grad():
        for name, tensor in trainer.average.model.state_dict().items():
            tensor.copy_(tensors[name].view(tensor.shape))
    return True


def missing_readings(store: Store, key: str, wanted: Iterable[str]) -> list[str]:
    """The measures of ``wanted`` that the store does not hold of the cell ``key``."""
    return [name for name in wanted if store.reading(key, name, reading_code(name)) is None]


def take_readings(store: Store, trainer: Trainer, data: ImageData, names: Iterable[str], done: bool) -> None:
    """Take each measure of ``names`` and store it.

    Args:
        trainer: its average holds the weights of the reported checkpoint.
        data: the images, from which gradients are measured in a training of their own.
        done: False for a cell that diverged: there are no weights to read, only gradients.
    """
    takers: dict[str, Callable[[], list[Row]]] = {
        "shift": lambda: _shift(trainer) if done else [],
        "receptive-field": lambda: _fields(trainer) if done else [],
        "gradients": lambda: gradient_readings(trainer.cell, data, trainer.micro_batch, trainer.start),
        "representation": lambda: _representation(trainer, data) if done else [],
        "reconstruction": lambda: _reconstruction(trainer) if done else [],
    }
    for name in names:
        store.write_reading(trainer.cell.key, name, reading_code(name), takers[name]())


def _shift(trainer: Trainer) -> list[Row]:
    model = trainer.average.model.eval()

    @torch.no_grad()
    def predict(images: Tensor) -> Tensor:
        parts = []
        for start in range(0, len(images), PREDICTION_BATCH):
            batch = trainer.prepare(images[start : start + PREDICTION_BATCH])
            with torch.autocast(batch.device.type, torch.bfloat16, enabled=trainer.bf16):
                parts.append(model(batch).argmax(1))
        return torch.cat(parts)

    images = trainer.images
    return shift_readings(predict, images.test_images[:TEST_IMAGES], images.test_labels[:TEST_IMAGES])


def _fields(trainer: Trainer) -> list[Row]:
    images = trainer.prepare(trainer.images.validation_images[:FIELD_IMAGES])
    return receptive_fields(trainer.average.model, trainer.cell.family, images)


def _representation(trainer: Trainer, data: ImageData) -> list[Row]:
    """What the features tell of the class at the start and at the end of training, and how pre-training went."""
    images, cell = trainer.images, trainer.cell
    train = images.train.batch(torch.arange(len(images.train)))
    test = images.test_images[:REPRESENTATION_IMAGES], images.test_labels[:REPRESENTATION_IMAGES]
    both = [(trainer.prepare(pixels), labels) for pixels, labels in (train, test)]
    models = {"start": Trainer(cell, data, trainer.start).model, "end": trainer.average.model}
    rows: list[Row] = [
        {"quantity": f"{name} accuracy", "phase": phase, "value": accuracy, "unit": "share"}
        for phase, model in models.items()
        for name, accuracy in accuracies(model, *both, trainer.spec.classes).items()
    ]
    points = trainer.start.curve if trainer.start else []
    shown = ("validation_loss", "entropy", "information")
    return rows + [
        {"quantity": name, "phase": "pre-training", "x": float(point["step"]), "value": point[name], "unit": ""}
        for point in points
        for name in shown
        if name in point
    ]


def _reconstruction(trainer: Trainer) -> list[Row]:
    """The first test images: whole, as the encoder of the cell's backbone saw them, and as its decoder painted them."""
    cell, start, images = trainer.cell, trainer.start, trainer.images
    if cell.backbone is None or start is None:
        raise ValueError("a cell without a backbone has nothing that paints images")
    model = objective_model(cell.backbone, trainer.spec).to(cell.device)
    if not isinstance(model, MaskedAutoencoder):
        raise ValueError(f"the objective {start.objective} paints no images")
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(start.tensors[name].view(tensor.shape))
    whole = trainer.prepare(images.test_images[:PAINTED])
    order = model.eval().order(PAINTED, generator(0, "reconstruction")).to(cell.device)
    seen, painted = model.reconstruct(whole, order)
    return painted_rows({"original": whole, "visible": seen, "painted": painted}, images.mean, images.std)


def gradient_readings(cell: ResolvedCell, data: ImageData, micro_batch: int = 0, start: Start | None = None) -> list[Row]:
    """Norm of the gradient by layer at the start of the cell's training and after 100 of its steps, before clipping.

    ``micro_batch`` images are computed at a time; 0 = the whole batch.
    """
    trainer = Trainer(cell, data, start)
    trainer.shrink(micro_batch)
    trainer.model.train()
    rows = _norms(trainer, "start")
    for _ in range(min(GRADIENT_STEPS, trainer.steps)):
        trainer.train_step()
    return rows + _norms(trainer, f"{GRADIENT_STEPS} steps")


def _norms(trainer: Trainer, phase: str) -> list[Row]:
    squares: dict[str, float] = {}
    first = trainer.progress.step
    for step in range(first, first + GRADIENT_BATCHES):
        trainer.backward(step)
        for name, norm in gradient_norms(trainer.model):
            squares[name] = squares.get(name, 0.0) + norm**2 / GRADIENT_BATCHES
        trainer.optimizer.zero_grad(set_to_none=True)
    return [
        {"quantity": "norm", "phase": phase, "x": float(layer), "label": name, "value": _finite(square**0.5), "unit": ""}
        for layer, (name, square) in enumerate(squares.items())
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def complete(store: Store, key: str, wanted: Iterable[str]) -> bool:
    """Whether the store holds the record of the cell ``key`` and all that is to be read off it."""
    return Path(store.record_path(key)).exists() and not missing_readings(store, key, wanted)
