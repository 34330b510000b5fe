"""Vision Transformer: an image is a sentence of patches (Dosovitskiy et al. 2020, arXiv:2010.11929).

Patches of 7 pixels, which makes 16 of a 28-pixel image; average pooling in place of the class token (Zhai et
al. 2021, arXiv:2106.04560, and Beyer et al. 2022, arXiv:2205.01580).
"""

from __future__ import annotations

from timm.models.vision_transformer import VisionTransformer
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation
from scaling.models.registry import Facts
from scaling.models.transformer import PaddedPatchEmbed, block_size, lecun_init_, round_up

facts = Facts(
    name="vit",
    kind="transformer",
    published="2020-10-22",
    reference="Dosovitskiy et al. 2020, arXiv:2010.11929",
    recipe={"anchors": {"params": [5000, 40000], "rates": [0.005, 0.01, 0.02, 0.04]}},
    # Dosovitskiy et al. 2021, table 3; the batch of 4096 is cut to 256
    historical={"optimizer": "adamw", "batch": 256, "beta2": 0.999, "weight_decay": 0.3, "dropout": 0.1},
    maps=(("norm", "nlc"),),
    pretrainable=True,
    colour="#457d4b",
    colour_on_dark="#79d18e",
    shape="P",
)

PATCH = 7
LARGEST_HEAD = 64


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation) -> nn.Module:
    """``depth`` blocks of ``width`` channels; dropout where the paper has it: after positions, attention and MLP."""
    size = block_size(width, LARGEST_HEAD)
    model = VisionTransformer(
        img_size=round_up(image.side, PATCH),
        patch_size=PATCH,
        in_chans=image.channels,
        num_classes=image.classes,
        global_pool="avg",
        class_token=False,
        embed_dim=size.embedding,
        depth=depth,
        num_heads=size.heads,
        mlp_ratio=size.mlp_ratio,
        pos_drop_rate=regularisation.dropout,
        proj_drop_rate=regularisation.dropout,
        drop_path_rate=regularisation.stochastic_depth,
        embed_layer=PaddedPatchEmbed,
    )
    lecun_init_(model)
    return model


family = Family(
    facts=facts,
    widths=(8, 512, 0.125),
    depths=((8, 3), (64, 6), (128, 9), (192, 12)),
    depth_unit="blocks",
    builder=build,
    residual=True,
    channels_last_from=None,
)
