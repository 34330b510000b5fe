"""VGG: stacks of 3x3 convolutions, channels doubled after each pool (Simonyan and Zisserman 2014, arXiv:1409.1556).

Three stacks, as a 28-pixel image allows; batch norm after each convolution (Ioffe and Szegedy 2015), the
first convolution with stride 2, and global average pooling in place of the last pool and the two 4096-wide
layers, which would hold nearly all the weights of a small net.
"""

from __future__ import annotations

from timm.layers import ClassifierHead  # pyright: ignore[reportPrivateImportUsage]
from timm.models.vgg import VGG
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels
from scaling.models.registry import Facts

facts = Facts(
    name="vgg",
    kind="convolutional",
    published="2014-09-04",
    reference="Simonyan and Zisserman 2014, arXiv:1409.1556",
    recipe={"anchors": {"params": [5000, 40000], "rates": [0.005, 0.01, 0.02, 0.04]}},
    # Simonyan & Zisserman 2015, section 3.1
    historical={
        "optimizer": "sgd",
        "beta1": 0.9,
        "weight_decay": 0.0005,
        "schedule": "step",
        "warmup": 0.0,
        "clip": 0.0,
        "batch": 256,
        "dropout": 0.5,
    },
    maps=(("features", "nchw"),),
    colour="#73401d",
    colour_on_dark="#bc4318",
    shape="v",
)


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation) -> nn.Module:
    """Three stacks of ``depth`` convolutions of width, 2 width, 4 width channels; dropout before the classifier."""
    first, second, third = (channels(width, multiplier) for multiplier in (1, 2, 4))
    stacks = [first] * depth + ["M"] + [second] * depth + ["M"] + [third] * depth
    # mlp_ratio: timm's 4096-wide head is thrown away below; made one wide, it costs no time to make.
    model = VGG(stacks, image.classes, image.channels, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 4096)
    model.features[0].stride = (2, 2)  # pyright: ignore[reportArgumentType] a convolution
    model.pre_logits = nn.Identity()
    model.head = ClassifierHead(third, image.classes, pool_type="avg", drop_rate=regularisation.dropout)
    model.num_features = model.head_hidden_size = third
    return model


family = Family(
    facts=facts,
    widths=(3, 256, 0.125),
    depths=((3, 2), (32, 3), (96, 4)),
    depth_unit="convolutions a stack",
    builder=build,
    residual=False,
    channels_last_from=6,
)
