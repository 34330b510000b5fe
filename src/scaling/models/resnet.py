"""ResNet: basic blocks with a skip connection around two 3x3 convolutions (He et al. 2015, arXiv:1512.03385).

The paper's layout for small images (its section 4.2): a 3x3 stem without pool, three stages, 6 n + 2 layers;
the stem has stride 2. Where a stage changes shape the shortcut is an average pool and a 1x1 convolution of
stride 1 (ResNet-D, He et al. 2018, arXiv:1812.01187): all pixels count, and a strided 1x1 convolution of few
channels is unsafe in channels_last on CPUs.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from timm.layers import DropPath  # pyright: ignore[reportPrivateImportUsage]
from timm.models.resnet import BasicBlock, downsample_avg
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels
from scaling.models.registry import Facts

facts = Facts(
    name="resnet",
    kind="convolutional",
    published="2015-12-10",
    reference="He, Zhang, Ren and Sun 2015, arXiv:1512.03385",
    recipe={"anchors": {"params": [5000, 40000], "rates": [0.01, 0.02, 0.04, 0.08]}},
    # He et al. 2016, section 4.2
    historical={
        "optimizer": "sgd",
        "beta1": 0.9,
        "weight_decay": 0.0001,
        "schedule": "step",
        "warmup": 0.0,
        "clip": 0.0,
        "batch": 128,
    },
    options={"norm": ("batch", "none"), "downsample": ("stride", "pool")},
    maps=(("blocks", "nchw"),),
    colour="#0f3c88",
    colour_on_dark="#4a6bd0",
    shape="o",
)


class ChannelBias(nn.Module):
    """What is left of a batch norm without the norm: a bias per channel, which the convolutions do not have."""

    def __init__(self, count: int, device: torch.device | None = None, dtype: torch.dtype | None = None):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(count, device=device, dtype=dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, channels, height, width) -> the same shape."""
        return x + self.bias[:, None, None]


class ResNet(nn.Module):
    """Stem, three stages of basic blocks, global average pool, dropout, classifier.

    ``norm`` none leaves the batch norms out; ``downsample`` pool has the stages begin with a 3x3 max-pool of
    stride 2, and all their convolutions stride 1: as many parameters and FLOP as with strided convolutions.
    """

    def __init__(
        self,
        stages: tuple[int, ...],
        depth: int,
        image: ImageSpec,
        regularisation: Regularisation,
        norm: Literal["batch", "none"] = "batch",
        downsample: Literal["stride", "pool"] = "stride",
    ):
        super().__init__()
        self.norm: type[nn.Module] = nn.BatchNorm2d if norm == "batch" else ChannelBias
        count, last = 0, len(stages) * depth - 1
        self.stem = nn.Sequential(
            nn.Conv2d(image.channels, stages[0], 3, stride=2, padding=1, bias=False),
            self.norm(stages[0]),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        channels_in = stages[0]
        for stage, channels_out in enumerate(stages):
            for index in range(depth):
                stride = 2 if stage and not index else 1
                if downsample == "pool" and stride == 2:
                    blocks.append(nn.MaxPool2d(3, stride=2, padding=1))
                    stride = 1
                # Dropped ever more often with depth (Huang et al. 2016, arXiv:1603.09382, section 4).
                rate = regularisation.stochastic_depth * count / max(last, 1)
                blocks.append(self.block(channels_in, channels_out, stride, rate))
                channels_in, count = channels_out, count + 1
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(regularisation.dropout)
        self.classifier = nn.Linear(channels_in, image.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for module in self.modules():
            if isinstance(module, BasicBlock):
                self.start_(module)

    def start_(self, block: BasicBlock) -> None:
        """Have a block start as its shortcut: its last norm at zero or, without norms, its last convolution.

        The latter is from Zhang, Dauphin and Ma 2019 (arXiv:1901.09321): without it the signal doubles with each block.
        """
        if self.norm is ChannelBias:
            nn.init.zeros_(block.conv2.weight)
        block.zero_init_last()

    def block(self, channels_in: int, channels_out: int, stride: int, drop_rate: float) -> nn.Module:
        """A basic block."""
        shortcut = None
        if stride != 1 or channels_in != channels_out:
            shortcut = downsample_avg(channels_in, channels_out, kernel_size=1, stride=stride, norm_layer=self.norm)
        drop = DropPath(drop_rate) if drop_rate else None
        return BasicBlock(channels_in, channels_out, stride, shortcut, norm_layer=self.norm, drop_path=drop)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, side, side) -> logits (batch, classes)."""
        features = self.pool(self.blocks(self.stem(images))).flatten(1)
        return self.classifier(self.dropout(features))


def stage_channels(width: float) -> tuple[int, ...]:
    """Channels of the three stages, doubled where the resolution is halved."""
    return tuple(channels(width, multiplier) for multiplier in (1, 2, 4))


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation, **options: Any) -> nn.Module:
    """Three stages of ``depth`` basic blocks of width, 2 width, 4 width channels: 6 depth + 2 layers."""
    return ResNet(stage_channels(width), depth, image, regularisation, **options)


WIDTHS = (3, 192, 0.125)
DEPTHS = ((3, 1), (32, 2), (96, 3))

family = Family(
    facts=facts,
    widths=WIDTHS,
    depths=DEPTHS,
    depth_unit="blocks a stage",
    builder=build,
    residual=True,
    channels_last_from=6,
)
