"""How timm's architectures are made in any size: which arguments their width and depth move. No torch, no timm.

``timm/NAME`` is one of the architectures below, or any model of timm whose name begins with one of them (`timm/convnext`,
`timm/convnextv2_atto`); of other models the study says itself what moves (`width`, `depth`, `kind`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scaling.models.registry import Kind

Moved = Mapping[str, float | Sequence[float]]
"""Argument -> what it is for a width (or a depth) of 1; lists for one value per stage."""


@dataclass(frozen=True)
class TimmRule:
    """How an architecture is made in a size.

    Attributes:
        kind: its class of architectures.
        base: the model of timm whose other arguments it keeps.
        width, depth: the arguments that move, as multiples of width and depth.
        settings: arguments that differ from those of ``base``.
        generator: ``module:function`` of timm.models that makes the model, where that of ``base`` does not let the arguments
            through.
        real: arguments that are no whole numbers.
        multiple: arguments that must be a multiple of a number.
        heads: (argument for the number of heads, argument for the channels that they divide); None where there are none.
        patch: (argument for the patch in pixels, the usual one, pixels between positions of the last map, in patches).
        strides_in_all: for an architecture whose image must be a multiple of that many pixels, and is made larger for it.
        step: between the widths on which the ladder looks for sizes.
    """

    kind: Kind
    base: str
    width: Moved
    depth: Moved
    settings: Mapping[str, Any] = field(default_factory=dict)
    generator: str = ""
    real: tuple[str, ...] = ()
    multiple: Mapping[str, int] = field(default_factory=dict)
    heads: tuple[str, str] | None = None
    patch: tuple[str, int, int] | None = None
    strides_in_all: int = 0
    step: float = 0.125


STAGES: Final = [1, 2, 4, 8]
"""Channels of four stages, doubled where the resolution is halved."""
_MULTIPLIED: Final = {
    "width": {"channel_multiplier": 1 / 16},  # the narrowest stage has 16 channels at 1
    "depth": {"depth_multiplier": 0.3333},  # the paper's depth at 3; a little less than 1, for timm rounds repeats up
    "real": ("channel_multiplier", "depth_multiplier"),
}
_VIT: Final = {
    "width": {"embed_dim": 1},
    "depth": {"depth": 4},
    "heads": ("num_heads", "embed_dim"),
    "patch": ("patch_size", 16, 1),
}

_MIXER: Final = TimmRule(
    "other",
    "mixer_b16_224",
    {"embed_dim": 1},
    {"num_blocks": 4},
    generator="mlp_mixer:_create_mixer",
    patch=("patch_size", 16, 1),
)

TIMM_RULES: Final[dict[str, TimmRule]] = {
    "convnext": TimmRule(
        "convolutional", "convnext_tiny", {"dims": STAGES}, {"depths": [1, 1, 3, 1]}, patch=("patch_size", 4, 8)
    ),
    "convnextv2": TimmRule(
        "convolutional", "convnextv2_tiny", {"dims": STAGES}, {"depths": [1, 1, 3, 1]}, patch=("patch_size", 4, 8)
    ),
    "deit3": TimmRule("transformer", "deit3_small_patch16_224", **_VIT),
    "densenet": TimmRule("convolutional", "densenet121", {"growth_rate": 1}, {"block_config": [2, 4, 8, 5]}),
    "efficientnet": TimmRule(
        "convolutional",
        "efficientnet_b0",
        **_MULTIPLIED,
        settings={"channel_divisor": 1},
        generator="efficientnet:_gen_efficientnet",
    ),
    "maxvit": TimmRule(
        "transformer",
        "maxvit_tiny_tf_224",
        {"embed_dim": STAGES, "stem_width": 1},
        {"depths": [1, 1, 2, 1]},
        settings={"transformer_dim_head": 8},  # 32 in the paper, which narrow stages do not have
        multiple={"embed_dim": 8},
        strides_in_all=32,
    ),
    "mixer": _MIXER,
    "mlp_mixer": _MIXER,
    "mobilenetv3": TimmRule("convolutional", "mobilenetv3_small_100", **_MULTIPLIED, generator="mobilenetv3:_gen_mobilenet_v3"),
    "regnet": TimmRule(
        "convolutional",
        "regnety_002",
        {"w0": 1, "wa": 1.52, "stem_width": 1},
        {"depth": 7},  # fewer than 7 blocks make three stages, more than 16 five; timm asks for four
        real=("wa",),
        step=8,  # timm wants w0 to be a multiple of 8, and wa to follow it
    ),
    "resnet": TimmRule("convolutional", "resnet18d", {"channels": STAGES, "stem_width": 0.5}, {"layers": [1, 1, 1, 1]}),
    "resnetv2": TimmRule("convolutional", "resnetv2_18d", {"channels": STAGES, "stem_chs": 1}, {"layers": [1, 1, 1, 1]}),
    "vit": TimmRule("transformer", "vit_small_patch16_224", **_VIT),
}


def rule_of(model: str) -> TimmRule | None:
    """The rule of timm's ``model``, that of the longest name it begins with; None where there is none."""
    named = [name for name in TIMM_RULES if model.startswith(name)]
    return TIMM_RULES[max(named, key=len)] if named else None
