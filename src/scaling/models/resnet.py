"""ResNet: basic blocks with a skip connection around two 3x3 convolutions (He et al. 2015, arXiv:1512.03385).

The paper's layout for small images (its section 4.2): a 3x3 stem without pool, three stages, 6 n + 2 layers;
the stem has stride 2. Where a stage changes shape the shortcut is an average pool and a 1x1 convolution of
stride 1 (ResNet-D, He et al. 2018, arXiv:1812.01187): all pixels count, and a strided 1x1 convolution of few
channels is unsafe in channels_last on CPUs.
"""

from __future__ import annotations

import torch
from timm.layers import DropPath
from timm.models.resnet import BasicBlock, downsample_avg
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels


class ResNet(nn.Module):
    """Stem, three stages of basic blocks, global average pool, dropout, classifier."""

    def __init__(self, stages: tuple[int, ...], depth: int, image: ImageSpec, regularisation: Regularisation):
        super().__init__()
        last = len(stages) * depth - 1
        self.stem = nn.Sequential(
            nn.Conv2d(image.channels, stages[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stages[0]),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        channels_in = stages[0]
        for stage, channels_out in enumerate(stages):
            for index in range(depth):
                stride = 2 if stage and not index else 1
                # Dropped ever more often with depth (Huang et al. 2016, arXiv:1603.09382, section 4).
                rate = regularisation.stochastic_depth * len(blocks) / max(last, 1)
                blocks.append(self.block(channels_in, channels_out, stride, rate))
                channels_in = channels_out
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(regularisation.dropout)
        self.classifier = nn.Linear(channels_in, image.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def block(self, channels_in: int, channels_out: int, stride: int, drop_rate: float) -> nn.Module:
        """A basic block; its last norm starts at zero, so that the block starts as its shortcut."""
        shortcut = None
        if stride != 1 or channels_in != channels_out:
            shortcut = downsample_avg(channels_in, channels_out, kernel_size=1, stride=stride)
        drop = DropPath(drop_rate) if drop_rate else None
        block = BasicBlock(channels_in, channels_out, stride, shortcut, drop_path=drop)
        block.zero_init_last()
        return block

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, side, side) -> logits (batch, classes)."""
        features = self.pool(self.blocks(self.stem(images))).flatten(1)
        return self.classifier(self.dropout(features))


def stage_channels(width: float) -> tuple[int, ...]:
    """Channels of the three stages, doubled where the resolution is halved."""
    return tuple(channels(width, multiplier) for multiplier in (1, 2, 4))


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation) -> nn.Module:
    """Three stages of ``depth`` basic blocks of width, 2 width, 4 width channels: 6 depth + 2 layers."""
    return ResNet(stage_channels(width), depth, image, regularisation)


WIDTHS = (3, 192, 0.125)
DEPTHS = ((3, 1), (32, 2), (96, 3))

family = Family(
    name="resnet",
    reference="He, Zhang, Ren and Sun 2015, arXiv:1512.03385",
    widths=WIDTHS,
    depths=DEPTHS,
    depth_unit="blocks a stage",
    builder=build,
    residual=True,
    channels_last_from=6,
)
