"""Multi-layer perceptron: hidden layers of one width with ReLU (Rumelhart, Hinton and Williams 1986)."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels
from scaling.models.registry import Facts

facts = Facts(
    name="mlp",
    kind="fully-connected",
    published="1986-10-09",
    reference="Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors",
    recipe={"anchors": {"params": [13000, 90000], "rates": [0.0025, 0.005, 0.01, 0.02]}},
    # Rosenblatt's and Rumelhart's nets had neither decay nor a schedule; a constant rate stands for them.
    historical={
        "optimizer": "sgd",
        "beta1": 0.9,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup": 0.0,
        "clip": 0.0,
        "batch": 64,
        "flip": False,
        "shift": 0,
    },
    colour="#8f9197",
    colour_on_dark="#898b91",
    shape="s",
)


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation) -> nn.Module:
    """``depth`` hidden layers of ``width`` units on the flattened image, dropout after each."""
    units = channels(width)
    sizes = [image.channels * image.side**2] + [units] * depth
    layers: list[nn.Module] = [nn.Flatten()]
    for size_in, size_out in pairwise(sizes):
        linear = nn.Linear(size_in, size_out)
        # He et al. 2015 (arXiv:1502.01852): keeps the signal's size through layers of ReLU.
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU(inplace=True), nn.Dropout(regularisation.dropout)]
    return nn.Sequential(*layers, nn.Linear(units, image.classes))


family = Family(
    facts=facts,
    widths=(16, 5000, 0.5),
    depths=((16, 2),),
    depth_unit="hidden layers",
    builder=build,
    residual=False,
    channels_last_from=None,
)
