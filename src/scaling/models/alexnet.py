"""AlexNet (Krizhevsky, Sutskever and Hinton 2012, ImageNet classification with deep convolutional neural networks).

Five convolutions, three pools, three fully-connected layers, local response normalisation after the first two
pools. For small images the first convolution is 5x5 with stride 2 (the paper's: 11x11, stride 4), and the
fully-connected layers see a grid of 2 x 2 (the paper's: 6 x 6) at any side of the image, by an average pool.
The convolutions keep the paper's proportions, 96-256-384-384-256; the fully-connected layers have 16 width
units (the paper's: 43 width), which leaves them half of the weights. He's initialisation: the paper's
deviation of 0.01 is made for its widths.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels
from scaling.models.registry import Facts

facts = Facts(
    name="alexnet",
    kind="convolutional",
    published="2012-12-03",
    reference="Krizhevsky, Sutskever and Hinton 2012, NIPS",
    recipe={"dropout": 0.2, "anchors": {"params": [10000, 60000], "rates": [0.0025, 0.005, 0.01, 0.02]}},
    # Krizhevsky et al. 2012, section 5
    historical={
        "optimizer": "sgd",
        "beta1": 0.9,
        "weight_decay": 0.0005,
        "schedule": "step",
        "warmup": 0.0,
        "clip": 0.0,
        "batch": 128,
        "dropout": 0.5,
    },
    options={"activation": ("relu", "tanh"), "lrn": (True, False)},
    maps=(("features", "nchw"),),
    colour="#b88d00",
    colour_on_dark="#c58700",
    shape="^",
)

GRID = 2
LAYERS = 8


class LocalResponseNorm(nn.Module):
    """x / (k + alpha sum x^2)^beta, the sum over the 5 channels around (the paper's section 3.3 and constants)."""

    size, k, alpha, beta = 5, 2.0, 1e-4, 0.75

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, channels, height, width) -> the same shape.

        The same function as torch's (whose alpha is divided by the size), two to three times as fast on a CPU
        by summing shifted copies and taking the power by roots. In 32 bits whatever ``x`` has: near k = 2, numbers of bfloat16
        are 1/64 apart, so that the sum would be lost and the layer would multiply by a constant.
        """
        reach = self.size // 2
        squares = F.pad(x.float().square(), (0, 0, 0, 0, reach, reach))
        total = sum(squares[:, shift : shift + x.shape[1]] for shift in range(self.size))
        root = torch.rsqrt(self.k + self.alpha * total)  # pyright: ignore[reportArgumentType] sum's start of 0
        return (x * root * root.sqrt()).to(x.dtype)  # beta = 3/4 = 1/2 + 1/4


class AlexNet(nn.Module):
    """conv-pool-LRN, conv-pool-LRN, conv-conv-conv-pool, FC-FC-FC."""

    def __init__(
        self, width: float, image: ImageSpec, regularisation: Regularisation, activation: Literal["relu", "tanh"], lrn: bool
    ):
        super().__init__()
        c1, c2, c3, c4, c5 = (channels(width, wanted / 96) for wanted in (96, 256, 384, 384, 256))
        units = channels(width, 16)

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, stride=2, padding=1)  # overlapping, section 3.4

        def act() -> nn.Module:
            return nn.Tanh() if activation == "tanh" else nn.ReLU(inplace=True)

        def norm() -> nn.Module:
            return LocalResponseNorm() if lrn else nn.Identity()

        # Pool and activation commute (both rise), and after the pool there are a quarter as many values.
        self.features = nn.Sequential(
            nn.Conv2d(image.channels, c1, 5, stride=2, padding=2), pool(), act(), norm(),
            nn.Conv2d(c1, c2, 5, padding=2), pool(), act(), norm(),
            nn.Conv2d(c2, c3, 3, padding=1), act(),
            nn.Conv2d(c3, c4, 3, padding=1), act(),
            nn.Conv2d(c4, c5, 3, padding=1), pool(), act(),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(GRID), nn.Flatten(),
            nn.Dropout(regularisation.dropout), nn.Linear(c5 * GRID**2, units), act(),
            nn.Dropout(regularisation.dropout), nn.Linear(units, units), act(),
            nn.Linear(units, image.classes),
        )  # fmt: skip
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity=activation)
                nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType] all have one

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (batch, channels, side, side) -> logits (batch, classes)."""
        return self.classifier(self.features(images))


def build(
    width: float,
    depth: int,
    image: ImageSpec,
    regularisation: Regularisation,
    *,
    activation: Literal["relu", "tanh"] = "relu",
    lrn: bool = True,
) -> nn.Module:
    """An AlexNet whose first convolution has ``width`` channels (the paper's: 96); ``lrn``: with local response norms."""
    if depth != LAYERS:
        raise ValueError(f"depth of alexnet is {depth}; its {LAYERS} layers are fixed")
    return AlexNet(width, image, regularisation, activation, lrn)


family = Family(
    facts=facts,
    widths=(3, 192, 0.125),
    depths=((3, LAYERS),),
    depth_unit="layers",
    builder=build,
    residual=False,
    channels_last_from=3,
)
