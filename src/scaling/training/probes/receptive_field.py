"""Receptive fields: which pixels the central position of a feature map depends on, by gradients."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn

from scaling.data import ImageData
from scaling.models.outside import facts_of
from scaling.training.loop import Trainer
from scaling.training.probes import Probe, Row

EFFECTIVE: Final = 0.0455
"""Share of the largest mean gradient from which on a pixel belongs to the effective receptive field: what lies beyond two
standard deviations of a Gaussian (Luo et al. 2016, "Understanding the effective receptive field", section 3)."""

IMAGES: Final = 64


def receptive_fields(model: nn.Module, family: str, images: Tensor) -> list[Row]:
    """How much of the image the central position of the last feature map depends on, by gradients.

    The gradient of each channel there, with random signs, with respect to the pixels; magnitudes are averaged over images
    and colours. ``reach``: share of pixels with any influence; ``effective``: share with at least 4.55 % of the largest.

    Args:
        model: of that family; left in evaluation mode.
        images: normalised [b, c, h, w].

    Returns:
        Rows with quantity, label (the module), x (positions of its map), value; none for a family without positions.
    """
    rows = []
    for place, layout in facts_of(family).maps:
        influence, positions = pixel_influence(model, place, layout, images)
        reach = (influence > 0).double().mean().item()
        effective = (influence >= EFFECTIVE * influence.max()).double().mean().item()
        for quantity, value in (("reach", reach), ("effective", effective)):
            rows.append({"quantity": quantity, "label": place, "x": float(positions), "value": value, "unit": "share"})
    return rows


def pixel_influence(model: nn.Module, place: str, layout: str, images: Tensor) -> tuple[Tensor, int]:
    """Mean absolute gradient [h, w] of the central position of the map at ``place``, and the map's positions."""
    held: list[Any] = []
    # A family's inception modules lie in a dictionary that is never called itself: the last of them is meant.
    module = model.get_submodule(place)
    module = list(module.children())[-1] if isinstance(module, nn.ModuleDict) else module
    hook = module.register_forward_hook(lambda _module, _inputs, output: held.append(output))
    model.eval()
    pixels = images.detach().clone().requires_grad_(True)
    try:
        model(pixels)
    finally:
        hook.remove()
    at_centre, positions = _centre(held[-1], layout)
    signs = torch.randint(0, 2, at_centre.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    (gradient,) = torch.autograd.grad((at_centre * signs.to(at_centre)).sum(), pixels)
    return gradient.abs().mean((0, 1)).double().cpu(), positions


def _centre(features: Tensor, layout: str) -> tuple[Tensor, int]:
    """Features [b, c] at the central position, and the number of positions."""
    if layout == "nlc":  # tokens row by row
        side = round(features.shape[1] ** 0.5)
        features = features.unflatten(1, (side, side))
    elif layout == "nchw":
        features = features.permute(0, 2, 3, 1)
    height, width = features.shape[1:3]
    return features[:, height // 2, width // 2], height * width


def take(trainer: Trainer, data: ImageData) -> list[Row]:
    """The rows of the reported model on the first validation images."""
    images = trainer.prepare(trainer.images.validation_images[:IMAGES])
    return receptive_fields(trainer.average.model, trainer.cell.family, images)


probe = Probe(description="share of pixels that the central position depends on", take=take)
