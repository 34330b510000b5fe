"""MLP-Mixer: perceptrons over positions and over channels in turn (Tolstikhin et al. 2021, arXiv:2105.01601).

Neither convolution nor attention: one perceptron mixes the patches of a channel, the same for all channels, another mixes the
channels of a patch, the same for all patches. Patches of 7 pixels, as this package's ViT has them.
"""

from __future__ import annotations

from timm.models.mlp_mixer import MlpMixer
from torch import nn

from scaling.models.family import Family, ImageSpec, Regularisation, channels
from scaling.models.registry import Facts
from scaling.models.transformer import PaddedPatchEmbed, lecun_init_, round_up

facts = Facts(
    name="mixer",
    kind="other",
    published="2021-05-04",
    reference="Tolstikhin et al. 2021, arXiv:2105.01601",
    # Tried at D = 800, rates from 0.0025 to 0.32, validation loss: at N = 5,000 best 0.702 from 0.08 to 0.16 (0.747 at 0.01),
    # at N = 40,000 best 0.631 at 0.02 (0.636 at 0.01, 0.645 at 0.04).
    recipe={"anchors": {"params": [5000, 40000], "rates": [0.01, 0.02, 0.04, 0.08]}},
    # Tolstikhin et al. 2021, section 3 and table 4; Adam's decay is decoupled here; the batch of 4096 is cut to 256
    historical={"optimizer": "adamw", "batch": 256, "beta2": 0.999, "weight_decay": 0.1, "stochastic_depth": 0.1},
    maps=(("norm", "nlc"),),
    colour="#280600",
    colour_on_dark="#fdfc92",
    shape="*",
)

PATCH = 7


def build(width: float, depth: int, image: ImageSpec, regularisation: Regularisation) -> nn.Module:
    """``depth`` blocks of ``width`` channels; hidden units as in the paper, width / 2 over patches, 4 width over channels.

    The channels are the nearest whole number to the width. The hidden units over channels take up what that rounding leaves,
    so that a block keeps about 8 width^2 weights there.
    """
    embedding = channels(width)
    hidden = channels(width, 0.5), channels(4 * width**2 / embedding)
    side = round_up(image.side, PATCH)
    model = MlpMixer(
        num_classes=image.classes,
        img_size=side,
        in_chans=image.channels,
        patch_size=PATCH,
        num_blocks=depth,
        embed_dim=embedding,
        mlp_ratio=((hidden[0] + 0.5) / embedding, (hidden[1] + 0.5) / embedding),  # 0.5: timm rounds the product down
        proj_drop_rate=regularisation.dropout,
        drop_path_rate=regularisation.stochastic_depth,
    )
    model.stem = PaddedPatchEmbed(side, PATCH, image.channels, embedding)
    lecun_init_(model)
    return model


family = Family(
    facts=facts,
    widths=(8, 768, 0.125),
    depths=((8, 3), (128, 6), (384, 8)),
    depth_unit="blocks",
    builder=build,
    residual=True,
    channels_last_from=None,
)
