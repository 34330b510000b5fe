"""What vit and swin share: from a real-valued width to heads and layers, patch embedding, initialisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from timm.layers import PatchEmbed  # pyright: ignore[reportPrivateImportUsage]
from torch import nn

from scaling.models.family import channels

LEAST_HEAD = 8
"""Least channels a head."""


@dataclass(frozen=True)
class BlockSize:
    """Whole sizes of a transformer block: heads, embedding channels (heads divide them), MLP ratio."""

    heads: int
    embedding: int
    mlp_ratio: float

    def hidden(self, embedding: int) -> int:
        """Hidden units of the MLP of a block with that many embedding channels, as timm rounds them."""
        return int(embedding * self.mlp_ratio)


def block_size(width: float, largest_head: int) -> BlockSize:
    """Sizes of a block of a real-valued width.

    A head has width / 3 channels, at least 8 and at most ``largest_head``: from 3 heads on this is the
    papers' rule (ViT-Ti 192 / 3, Swin-T 96 / 3), below it keeps a head from getting too narrow. The embedding
    is the nearest multiple of the heads to the width. The MLP takes up what that rounding leaves: a block has
    about 4 e^2 + 2 e h weights (e embedding, h hidden), 12 width^2 where e = width and h = 4 width; h is
    chosen to keep it there.
    """
    heads = channels(width, 1 / min(max(width / 3, LEAST_HEAD), largest_head))
    embedding = heads * channels(width, 1 / heads)
    hidden = channels(6 * width**2 / embedding - 2 * embedding)
    return BlockSize(heads, embedding, (hidden + 0.5) / embedding)  # 0.5: timm rounds embedding x ratio down


class PaddedPatchEmbed(PatchEmbed):
    """timm's patch embedding on images padded on all sides, with zeros (the mean colour), to ``img_size``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, side, side) -> patches as timm's class lays them out."""
        missing = self.img_size[0] - x.shape[-1]  # pyright: ignore[reportIndexIssue] a pair
        before, after = missing // 2, missing - missing // 2
        return super().forward(F.pad(x, (before, after, before, after)))


def round_up(side: int, multiple: int) -> int:
    """Least multiple that is no less than side."""
    return math.ceil(side / multiple) * multiple


def lecun_init_(model: nn.Module) -> None:
    """Weights of linear layers and convolutions from N(0, 1 / fan_in), biases zero (LeCun et al. 1998).

    timm's standard deviation of 0.02 is right for widths of hundreds; at widths of tens it is too small to
    train well.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
