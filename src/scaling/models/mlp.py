"""Multi-layer perceptron: hidden layers of one width with ReLU (Rumelhart, Hinton and Williams 1986)."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels


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
    name="mlp",
    reference="Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors",
    widths=(16, 5000, 0.5),
    depths=((16, 2),),
    depth_unit="hidden layers",
    builder=build,
    residual=False,
    channels_last_from=None,
)
