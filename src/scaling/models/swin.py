"""Swin Transformer: attention within windows that shift from block to block (Liu et al. 2021, arXiv:2103.14030).

Patches of 4 pixels and windows of 4 patches. Images are padded to a multiple of 16 pixels, so that windows
are whole: a 28-pixel image makes 8 x 8 patches, four windows, and the shift of the second block is a real
one. Two stages: a third would be 2 x 2 patches. A stage no larger than its window does not shift, as in the
paper.
"""

from __future__ import annotations

from timm.models.swin_transformer import SwinTransformer, SwinTransformerBlock
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation
from scaling.models.registry import Facts
from scaling.models.transformer import PaddedPatchEmbed, block_size, lecun_init_, round_up

facts = Facts(
    name="swin",
    kind="transformer",
    published="2021-03-25",
    reference="Liu et al. 2021, arXiv:2103.14030",
    recipe={"anchors": {"params": [6000, 40000], "rates": [0.01, 0.02, 0.04, 0.08]}},
    # Liu et al. 2021, section 4.1; the batch of 1024 is cut to 256
    historical={"optimizer": "adamw", "batch": 256, "beta2": 0.999, "weight_decay": 0.05, "stochastic_depth": 0.2},
    options={"shift": (True, False)},
    maps=(("layers.0", "nhwc"), ("layers.1", "nhwc")),
    colour="#4293f2",
    colour_on_dark="#aaebff",
    shape="<",
)

PATCH = 4
WINDOW = 4
LARGEST_HEAD = 32
FIRST_STAGE = 2
"""Blocks of the first stage: one of still windows and one of shifted ones."""


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation, *, shift: bool = True) -> nn.Module:
    """Two blocks of ``width`` channels, patches merged by 2 x 2, then ``depth`` blocks of 2 width channels.

    Without ``shift`` every block has its windows in the same place: no patch ever sees another window's.
    """
    size = block_size(width, LARGEST_HEAD)
    model = SwinTransformer(
        img_size=round_up(image.side, PATCH * WINDOW),
        patch_size=PATCH,
        in_chans=image.channels,
        num_classes=image.classes,
        embed_dim=size.embedding,
        depths=(FIRST_STAGE, depth),
        num_heads=(size.heads, 2 * size.heads),
        window_size=WINDOW,
        mlp_ratio=size.mlp_ratio,
        proj_drop_rate=regularisation.dropout,
        drop_path_rate=regularisation.stochastic_depth,
        embed_layer=PaddedPatchEmbed,
    )
    lecun_init_(model)
    if not shift:
        for module in model.modules():
            if isinstance(module, SwinTransformerBlock):
                module.shift_size, module.attn_mask = (0, 0), None  # pyright: ignore[reportArgumentType] timm's are declared a buffer
    return model


family = Family(
    facts=facts,
    widths=(8, 320, 0.125),
    depths=((8, 1), (32, 2), (64, 6)),
    depth_unit="blocks in the second stage",
    builder=build,
    residual=True,
    channels_last_from=None,
)
