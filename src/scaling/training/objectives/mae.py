"""Masked autoencoder: hide most patches of an image, learn to paint them (He et al. 2021, arXiv:2111.06377).

The encoder, any ViT of the ladder, sees the visible patches alone: at 75 % masking it computes a quarter of the positions. A
light decoder, thrown away afterwards, puts a learned mask token at each hidden position and reconstructs the pixels.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from timm.layers import build_sincos2d_pos_embed  # pyright: ignore[reportPrivateImportUsage]
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from scaling.models.transformer import lecun_init_

DECODER_HEAD: Final = 16
"""Channels a head of the decoder, and its least width; otherwise half of the encoder's (section 4.1: 512 beside 1024)."""


class MaskedAutoencoder(nn.Module):
    """``encoder`` with a decoder of one block; ``mask`` is the share of the patches that is hidden."""

    def __init__(self, encoder: VisionTransformer, mask: float) -> None:
        super().__init__()
        self.encoder = encoder
        encoder.head.requires_grad_(False)  # a classifier and the norm before it wait for labels
        encoder.fc_norm.requires_grad_(False)
        embed = encoder.patch_embed
        self.patch, self.patches = embed.patch_size[0], embed.num_patches
        self.visible = max(1, round(self.patches * (1 - mask)))
        width = DECODER_HEAD * max(1, round(encoder.embed_dim / 2 / DECODER_HEAD))
        self.norm = nn.LayerNorm(encoder.embed_dim)
        self.to_decoder = nn.Linear(encoder.embed_dim, width)
        self.block = Block(width, num_heads=width // DECODER_HEAD, mlp_ratio=4.0, qkv_bias=True)
        self.to_pixels = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, self.patch**2 * embed.proj.in_channels))
        for part in (self.to_decoder, self.block, self.to_pixels):
            lecun_init_(part)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        places = build_sincos2d_pos_embed(list(embed.grid_size), width, interleave_sin_cos=False)
        self.register_buffer("places", places[None], persistent=False)

    def order(self, images: int, generator: torch.Generator) -> Tensor:
        """A random order [images, patches] of the patches of each image; those that come first stay visible."""
        return torch.rand(images, self.patches, generator=generator).argsort(1)

    def forward(self, images: Tensor, order: Tensor | None = None) -> Tensor:
        """Reconstructed patches [b, n, pixels] of normalised images [b, c, h, w]; without ``order`` the first are visible."""
        if order is None:
            order = torch.arange(self.patches, device=images.device).expand(len(images), -1)
        encoder = self.encoder
        tokens = encoder.patch_embed(images) + encoder.pos_embed
        seen = _take(tokens, order[:, : self.visible])
        code = self.to_decoder(self.norm(encoder.blocks(encoder.norm_pre(encoder.pos_drop(seen)))))
        hidden = self.mask_token.to(code.dtype).expand(len(images), self.patches - self.visible, -1)
        full = _take(torch.cat([code, hidden], 1), order.argsort(1)) + self.places  # pyright: ignore[reportOperatorIssue] a tensor
        return self.to_pixels(self.block(full))

    def targets(self, images: Tensor) -> Tensor:
        """The patches [b, n, pixels] of normalised images, each with mean 0 and variance 1 (section 3: it learns better)."""
        patches = self.patchify(images)
        return (patches - patches.mean(-1, keepdim=True)) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()

    def loss(self, images: Tensor, order: Tensor) -> Tensor:
        """Mean squared error over the pixels of the hidden patches, a scalar; visible ones count nothing."""
        squares = (self(images, order).float() - self.targets(images)).square().mean(-1)
        return _take(squares[..., None], order[:, self.visible :]).mean()

    def patchify(self, images: Tensor) -> Tensor:
        """Images [b, c, h, w] -> patches [b, n, patch x patch x c], padded as the encoder pads them."""
        missing = self.encoder.patch_embed.img_size[0] - images.shape[-1]
        before, after = missing // 2, missing - missing // 2
        return F.unfold(F.pad(images, (before, after, before, after)), self.patch, stride=self.patch).transpose(1, 2)

    def unpatchify(self, patches: Tensor, side: int) -> Tensor:
        """Patches [b, n, pixels] -> images [b, c, side, side]."""
        padded = self.encoder.patch_embed.img_size[0]
        before = (padded - side) // 2
        images = F.fold(patches.transpose(1, 2), padded, self.patch, stride=self.patch)
        return images[..., before : before + side, before : before + side]

    @torch.no_grad()
    def reconstruct(self, images: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder saw of normalised images and what was painted: both [b, c, h, w], hidden patches of the first NaN.

        A hidden patch is painted with its true mean and deviation, which the loss leaves open, as in the paper's figures.
        """
        patches = self.patchify(images)
        mean, deviation = patches.mean(-1, keepdim=True), (patches.var(-1, keepdim=True) + 1e-6).sqrt()
        hidden = torch.ones_like(patches[..., :1], dtype=torch.bool)
        hidden.scatter_(1, order[:, : self.visible, None], False)
        painted = torch.where(hidden, self(images, order).float() * deviation + mean, patches)
        side = images.shape[-1]
        return self.unpatchify(patches.masked_fill(hidden, torch.nan), side), self.unpatchify(painted, side)


def _take(tokens: Tensor, positions: Tensor) -> Tensor:
    """``tokens`` [b, n, e] at ``positions`` [b, m]: [b, m, e]."""
    return tokens.gather(1, positions[..., None].expand(-1, -1, tokens.shape[-1]))
