"""Plain net: the ResNet without its skip connections (He et al. 2015, arXiv:1512.03385, section 3.3).

Layer by layer the same net, hence the same N but for the projections on the shortcuts, which it does not have
(3 to 4 % of a ResNet with one block a stage).
"""

from __future__ import annotations

from typing import Any

import torch
from timm.models.resnet import BasicBlock
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation
from scaling.models.registry import Facts
from scaling.models.resnet import DEPTHS, WIDTHS, ResNet, stage_channels

facts = Facts(
    name="plain",
    kind="convolutional",
    published="2015-12-10",
    reference="He, Zhang, Ren and Sun 2015, arXiv:1512.03385, section 3.3",
    recipe={"anchors": {"params": [5000, 40000], "rates": [0.005, 0.01, 0.02, 0.04]}},
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
    colour="#5a0035",
    colour_on_dark="#954886",
    shape="X",
)


class PlainBlock(BasicBlock):
    """Two 3x3 convolutions, each with batch norm and ReLU, and nothing around them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, channels, height, width) -> the same, halved by a stride of 2."""
        x = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(x)))


class PlainNet(ResNet):
    """A ResNet whose blocks have no shortcut."""

    def block(self, channels_in: int, channels_out: int, stride: int, drop_rate: float) -> nn.Module:
        """A block without shortcut."""
        return PlainBlock(channels_in, channels_out, stride, norm_layer=self.norm)

    def start_(self, block: BasicBlock) -> None:
        """Leave a block as it is: without a shortcut a zero would cut the net in two."""


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation, **options: Any) -> nn.Module:
    """Three stages of ``depth`` plain blocks of width, 2 width, 4 width channels: 6 depth + 2 layers."""
    return PlainNet(stage_channels(width), depth, image, regularisation, **options)


family = Family(
    facts=facts,
    widths=WIDTHS,
    depths=DEPTHS,
    depth_unit="blocks a stage",
    builder=build,
    residual=False,
    channels_last_from=6,
)
