"""ConvNeXt: a convolutional net with the habits of transformers (Liu et al. 2022, arXiv:2201.03545).

A block mixes positions by a 7x7 convolution of each channel alone, then channels by two layers with four times as many
hidden units, around a shortcut; layer norms and GELU as in a transformer. Three of the paper's four stages, as a 28-pixel
image allows: patches of 2 pixels, 14 x 14 positions, then 7 x 7 and 3 x 3.
"""

from __future__ import annotations

import torch
from timm.layers import LayerNorm2d  # pyright: ignore[reportPrivateImportUsage]
from timm.models.convnext import ConvNeXtBlock
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels
from scaling.models.registry import Facts
from scaling.models.transformer import lecun_init_

facts = Facts(
    name="convnext",
    kind="convolutional",
    published="2022-01-10",
    reference="Liu et al. 2022, arXiv:2201.03545",
    # Tried at D = 800, rates from 0.0025 to 0.08, validation loss: at N = 5,000 best 0.609 at 0.02 (0.612 at 0.01, 0.623 at
    # 0.04), at N = 40,000 best 0.567 at 0.01 (0.577 at 0.005, 0.596 at 0.02). In channels_last it is no faster on a CPU.
    recipe={"anchors": {"params": [5000, 40000], "rates": [0.005, 0.01, 0.02, 0.04]}},
    # Liu et al. 2022, table 5; the batch of 4096 is cut to 256
    historical={"optimizer": "adamw", "batch": 256, "beta2": 0.999, "weight_decay": 0.05, "stochastic_depth": 0.1},
    maps=(("blocks", "nchw"),),
    colour="#810ce8",
    colour_on_dark="#c4dd33",
    shape=">",
)

PATCH = 2
LAYER_SCALE = 1.0
"""Factor of a block's output at the start. The paper's 1e-6 is for hundreds of epochs and dozens of blocks; here it cost 8 to
10 % of the validation loss (N = 5,000 and 40,000, D = 800, rate 0.01: 0.665 against 0.612, and 0.625 against 0.567)."""
MULTIPLIERS = (1, 2, 4)
"""Channels of the stages, doubled where the resolution is halved."""


class ConvNeXt(nn.Module):
    """Patches, three stages of blocks, global average pool, layer norm, dropout, classifier."""

    def __init__(self, stages: tuple[int, ...], depth: int, image: ImageSpec, regularisation: Regularisation):
        super().__init__()
        # The rate of dropping a block rises with depth (Huang et al. 2016, arXiv:1603.09382, section 4).
        last = max(len(stages) * depth - 1, 1)
        rates = iter(regularisation.stochastic_depth * index / last for index in range(len(stages) * depth))
        self.stem = nn.Sequential(nn.Conv2d(image.channels, stages[0], PATCH, stride=PATCH), LayerNorm2d(stages[0]))
        blocks: list[nn.Module] = []
        channels_in = stages[0]
        for stage, channels_out in enumerate(stages):
            if stage:  # the paper's downsampling: a norm, then a 2x2 convolution of stride 2
                blocks += [LayerNorm2d(channels_in), nn.Conv2d(channels_in, channels_out, 2, stride=2)]
            blocks += [ConvNeXtBlock(channels_out, drop_path=next(rates), ls_init_value=LAYER_SCALE) for _ in range(depth)]
            channels_in = channels_out
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.norm = nn.LayerNorm(channels_in)
        self.dropout = nn.Dropout(regularisation.dropout)
        self.classifier = nn.Linear(channels_in, image.classes)
        lecun_init_(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, side, side) -> logits (batch, classes)."""
        features = self.norm(self.pool(self.blocks(self.stem(images))).flatten(1))
        return self.classifier(self.dropout(features))


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation) -> nn.Module:
    """Three stages of ``depth`` blocks of width, 2 width, 4 width channels."""
    return ConvNeXt(tuple(channels(width, multiplier) for multiplier in MULTIPLIERS), depth, image, regularisation)


family = Family(
    facts=facts,
    widths=(3, 256, 0.125),
    depths=((3, 1), (32, 2), (64, 3)),
    depth_unit="blocks a stage",
    builder=build,
    residual=True,
    channels_last_from=None,
)
