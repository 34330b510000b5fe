"""What a masked autoencoder paints where pixels were hidden from it."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from scaling.data import ImageData
from scaling.training.loop import Trainer
from scaling.training.objectives.mae import MaskedAutoencoder
from scaling.training.pretraining import objective_model
from scaling.training.probes import Probe, Row
from scaling.training.streams import generator

IMAGES: Final = 6
"""Images whose reconstruction is kept."""


def as_pixels(image: Tensor, mean: Tensor, std: Tensor) -> str:
    """A normalised image [c, h, w] as grey pixels, two hex digits each, row by row; NaN is 80, a middling grey.

    Colour is averaged over.
    """
    grey = (image * std[:, None, None] + mean[:, None, None]).mean(0).nan_to_num(0x80 / 255)
    return bytes((grey.clamp(0, 1) * 255).round().to(torch.uint8).flatten().tolist()).hex()


def painted_rows(pictures: dict[str, Tensor], mean: Tensor, std: Tensor) -> list[Row]:
    """Rows of the probe: for each of ``pictures`` (name -> images [n, c, h, w]) an image a row, its pixels as label."""
    return [
        {
            "quantity": name,
            "x": float(index),
            "label": as_pixels(image, mean, std),
            "value": float(image.shape[-1]),
            "unit": "px",
        }
        for name, images in pictures.items()
        for index, image in enumerate(images)
    ]


def take(trainer: Trainer, data: ImageData) -> list[Row]:
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
    whole = trainer.prepare(images.test_images[:IMAGES])
    order = model.eval().order(IMAGES, generator(0, "reconstruction")).to(cell.device)
    seen, painted = model.reconstruct(whole, order)
    return painted_rows({"original": whole, "visible": seen, "painted": painted}, images.mean, images.std)


probe = Probe(
    description="what mae paints where pixels are hidden",
    take=take,
    objective="mae",
)
