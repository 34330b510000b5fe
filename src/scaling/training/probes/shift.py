"""What a shift or a crop of the test images does to a model's predictions.

Accuracy at a distance is the mean over eight directions; a prediction *survives* where it is the one made on the image as it
is, right or wrong (R. Zhang, "Making convolutional networks shift-invariant again", 2019, section 4, calls it consistency).
A shift also pushes pixels out of the image, which costs any model: the control cuts the same pixels off and leaves the rest
where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from scaling.data import ImageData
from scaling.training.loop import Trainer
from scaling.training.probes import Probe, Row

DISTANCES: Final = (1, 2, 3, 4, 5, 6)
"""Pixels."""
DIRECTIONS: Final = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(down, right), clockwise from up."""
CROPS: Final = (6 / 7, 5 / 7)
"""Sides of the central crops, as shares of the image's: 24 and 20 of 28 pixels; scaled up to the image's side again."""
TEST_IMAGES: Final = 500
"""The first of the test images: the differences between distances are paired by image, so that some hundreds are enough (the
accuracy lost a pixel has a standard error of about 0.003 from them), and a probe takes less time than the training."""
PREDICTION_BATCH: Final = 250


def moved(images: Tensor, down: int, right: int) -> Tensor:
    """Images [n, c, h, w] moved by whole pixels; black (0) comes in, as in training (``data/augment.py``)."""
    height, width = images.shape[-2:]
    result = torch.zeros_like(images)
    to_rows, from_rows = _overlap(height, down)
    to_columns, from_columns = _overlap(width, right)
    result[..., to_rows, to_columns] = images[..., from_rows, from_columns]
    return result


def _overlap(size: int, by: int) -> tuple[slice, slice]:
    if abs(by) >= size:
        return slice(0, 0), slice(0, 0)
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size + min(-by, 0))


def cut(images: Tensor, down: int, right: int) -> Tensor:
    """Images [n, c, h, w] without the pixels that ``moved`` pushes out, the others where they were."""
    return moved(moved(images, down, right), -down, -right)


def cropped(images: Tensor, share: float) -> Tensor:
    """The central square of ``share`` of the side of uint8 images [n, c, h, w], scaled to their side (bilinear)."""
    side = images.shape[-1]
    keep = round(share * side)
    start = (side - keep) // 2
    part = images[..., start : start + keep, start : start + keep].float()
    return F.interpolate(part, size=(side, side), mode="bilinear", align_corners=False).round().to(torch.uint8)


def shift_rows(predict: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> list[Row]:
    """Accuracy and survival of predictions under shifts of 0 to 6 pixels, two crops, and the control without a shift.

    Args:
        predict: uint8 images [n, c, h, w] -> classes [n].
        images: test images, uint8.
        labels: their classes [n].

    Returns:
        Rows with quantity (accuracy, survival), label (a direction as "down,right", "crop", "cut"), x (pixels; for crops
        the pixels cut off at each side), value (shares).
    """
    unmoved = predict(images)
    rows = []
    for part, at, changed in _changes(images):
        classes = predict(changed)
        rows.append(_row("accuracy", part, at, (classes == labels).double().mean().item()))
        rows.append(_row("survival", part, at, (classes == unmoved).double().mean().item()))
    return rows


def _changes(images: Tensor) -> Iterator[tuple[str, float, Tensor]]:
    yield "0,0", 0.0, images
    for distance in DISTANCES:
        for down, right in DIRECTIONS:
            yield f"{down},{right}", float(distance), moved(images, distance * down, distance * right)
    for share in CROPS:
        side = images.shape[-1]
        yield "crop", (side - round(share * side)) / 2, cropped(images, share)
    # At the farthest only: it says how much of the fall there is the lost pixels' doing.
    for down, right in DIRECTIONS:
        yield "cut", float(DISTANCES[-1]), cut(images, DISTANCES[-1] * down, DISTANCES[-1] * right)


def _row(quantity: str, part: str, at: float, value: float) -> dict[str, Any]:
    return {"quantity": quantity, "label": part, "x": at, "value": value, "unit": "share"}


def take(trainer: Trainer, data: ImageData) -> list[Row]:
    """The rows of the reported model on the first test images."""
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
    return shift_rows(predict, images.test_images[:TEST_IMAGES], images.test_labels[:TEST_IMAGES])


probe = Probe(description="accuracy under shifts and crops", take=take)
