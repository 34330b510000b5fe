"""GoogLeNet: inception modules and two auxiliary classifiers (Szegedy et al. 2014, arXiv:1409.4842).

Channels are those of the paper's table 1 times width / 64. For small images the stem is one 3x3 convolution
with stride 2 and a pool; small nets have 4 of the 9 modules. Batch norm after each convolution (Ioffe and
Szegedy 2015, arXiv:1502.03167) in place of local response normalisation, in the stem after the pool as there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels
from scaling.models.registry import Facts

facts = Facts(
    name="googlenet",
    kind="convolutional",
    published="2014-09-17",
    reference="Szegedy et al. 2014, arXiv:1409.4842",
    recipe={"anchors": {"params": [5000, 40000], "rates": [0.01, 0.02, 0.04, 0.08]}},
    # Szegedy et al. 2015, section 6
    historical={
        "optimizer": "sgd",
        "beta1": 0.9,
        "weight_decay": 0.0005,
        "schedule": "step",
        "warmup": 0.0,
        "clip": 0.0,
        "batch": 256,
        "dropout": 0.4,
    },
    maps=(("inceptions", "nchw"),),
    colour="#a24f9c",
    colour_on_dark="#ef8ee6",
    shape="D",
)

STEM = 192
AUXILIARY = 128
MODULES = {  # 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
CHOSEN = {4: ("3a", "3b", "4a", "4e"), 7: tuple(MODULES)[:7], 9: tuple(MODULES)}
"""Number of modules -> which."""
POOL_BEFORE = ("4a", "5a")
HEAD_AFTER = {4: ("3b", "4a"), 7: ("4a", "4d"), 9: ("4a", "4d")}
"""Where the auxiliary classifiers sit; the paper's: 4a and 4d."""


def convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Convolution that keeps the resolution (divides it by the stride), without bias: a norm follows."""
    layer = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


def norm_relu(count: int) -> nn.Sequential:
    """Batch norm and ReLU."""
    return nn.Sequential(nn.BatchNorm2d(count), nn.ReLU(inplace=True))


class Inception(nn.Module):
    """Four branches side by side: 1x1; 1x1 then 3x3; 1x1 then 5x5; 3x3 pool then 1x1.

    What the branches have in common is computed at once: the three 1x1 convolutions that see the input are
    one, split afterwards, and norms and ReLU, which treat each channel by itself, act on all branches
    together.
    """

    def __init__(self, channels_in: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pool: int):
        super().__init__()
        self.one, self.reduced = one, (reduce3, reduce5)
        self.pointwise = convolution(channels_in, one + reduce3 + reduce5, 1)
        self.activate_reduced = norm_relu(reduce3 + reduce5)
        self.three = convolution(reduce3, three, 3)
        self.five = convolution(reduce5, five, 5)
        self.pool = convolution(channels_in, pool, 1)
        self.channels_out = one + three + five + pool
        self.activate = norm_relu(self.channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, channels in, height, width) -> (batch, channels out, height, width)."""
        one, reduced = self.pointwise(x).split((self.one, sum(self.reduced)), dim=1)
        reduced3, reduced5 = self.activate_reduced(reduced).split(self.reduced, dim=1)
        pooled = self.pool(F.max_pool2d(x, 3, stride=1, padding=1))
        return self.activate(torch.cat((one, self.three(reduced3), self.five(reduced5), pooled), dim=1))


class Classifier(nn.Sequential):
    """Global average pool, a hidden layer where asked for, dropout, logits."""

    def __init__(self, channels_in: int, hidden: int | None, classes: int, dropout: float):
        layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if hidden:
            layers += [nn.Linear(channels_in, hidden), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.Dropout(dropout), nn.Linear(hidden or channels_in, classes))


class GoogLeNet(nn.Module):
    """Stem, inception modules, classifier; two auxiliary classifiers while training."""

    def __init__(self, width: float, depth: int, image: ImageSpec, regularisation: Regularisation):
        super().__init__()

        def scaled(wanted: int) -> int:
            return channels(width, wanted / 64)

        count = scaled(STEM)
        pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stem = nn.Sequential(convolution(image.channels, count, 3, stride=2), pool, norm_relu(count))
        self.inceptions = nn.ModuleDict()
        self.auxiliary = nn.ModuleDict()
        for name in CHOSEN[depth]:
            self.inceptions[name] = module = Inception(count, *(scaled(wanted) for wanted in MODULES[name]))
            count = module.channels_out
            if name in HEAD_AFTER[depth]:
                head = Classifier(count, scaled(AUXILIARY), image.classes, regularisation.dropout)
                self.auxiliary[name] = head
        self.classifier = Classifier(count, None, image.classes, regularisation.dropout)

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Images (batch, channels, side, side) -> logits (batch, classes).

        In training mode: (logits, (logits of the first auxiliary classifier, of the second)).
        """
        features = self.stem(images)
        auxiliary = []
        for name, module in self.inceptions.items():
            if name in POOL_BEFORE:
                features = F.max_pool2d(features, 3, stride=2, padding=1)
            features = module(features)
            if self.training and name in self.auxiliary:
                auxiliary.append(self.auxiliary[name](features))
        logits = self.classifier(features)
        return (logits, tuple(auxiliary)) if self.training else logits

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """The place of a parameter's block by its name, as timm's models tell it; heads are of the module below them."""
        places = {name: place for place, name in enumerate(self.inceptions, 1)}

        def place(name: str) -> int:
            part, within = name.split(".")[:2]
            return {"stem": 0, "classifier": len(places) + 1}.get(part, places.get(within, 0))

        return place


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation) -> nn.Module:
    """A GoogLeNet of ``depth`` modules with the paper's channels times width / 64."""
    if depth not in CHOSEN:
        raise ValueError(f"depth of googlenet is {depth}; allowed are {', '.join(map(str, CHOSEN))} modules")
    return GoogLeNet(width, depth, image, regularisation)


family = Family(
    facts=facts,
    widths=(2.5, 160, 0.125),
    depths=((2.5, 4), (24, 7), (64, 9)),
    depth_unit="inception modules",
    builder=build,
    residual=False,
    channels_last_from=2.5,
    auxiliary_heads=2,
)
