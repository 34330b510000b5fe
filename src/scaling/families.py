"""Names of the families and their kinds, readable without torch; each is built in ``scaling.models``."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["fully-connected", "convolutional", "transformer"]

KINDS: Final[dict[str, Kind]] = {
    "mlp": "fully-connected",
    "alexnet": "convolutional",
    "vgg": "convolutional",
    "googlenet": "convolutional",
    "plain": "convolutional",
    "resnet": "convolutional",
    "vit": "transformer",
    "swin": "transformer",
}
"""Every family a study may name, with its kind, in the order in which the architectures were published."""
