"""DINO: a student learns to say of one view of an image what a teacher says of another (Caron et al. 2021, arXiv:2104.14294).

The teacher is a moving average of the student and gets no gradient. Two things keep the pair from saying the same of every
image: the teacher's output is centred (no answer wins everywhere) and sharpened (no answer is as good as any other).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Final

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from scaling.models.transformer import lecun_init_

ANSWERS: Final = 256
"""Outputs K of the head; the paper's 65,536 are for a million images."""
HIDDEN, BOTTLENECK = 128, 32
STUDENT_TEMPERATURE: Final = 0.1
TEACHER_TEMPERATURE: Final = 0.04
CENTRE_MOMENTUM: Final = 0.9
TEACHER_MOMENTUM: Final = 0.99
"""At the start; it rises to 1 by a cosine. The paper's 0.996 is for 100 times as many steps."""
COLLAPSED: Final = 0.1
"""Nats: a teacher whose answers tell less than that about the image has collapsed."""


class Head(nn.Module):
    """A projection [b, e] -> [b, K]: two layers, a bottleneck of unit length, prototypes of unit length."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, BOTTLENECK))
        lecun_init_(self.layers)
        self.prototypes = nn.Parameter(F.normalize(torch.randn(ANSWERS, BOTTLENECK), dim=1))

    def forward(self, features: Tensor) -> Tensor:
        """Cosines of features with the prototypes."""
        return F.linear(F.normalize(self.layers(features), dim=1), F.normalize(self.prototypes, dim=1))


class Projector(nn.Module):
    """A ViT with the head on its pooled features."""

    def __init__(self, encoder: VisionTransformer) -> None:
        super().__init__()
        self.encoder = encoder
        encoder.head.requires_grad_(False)  # the classifier waits for labels
        self.head = Head(encoder.embed_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Images [b, c, h, w] -> answers [b, K], before any temperature."""
        return self.head(self.encoder.forward_head(self.encoder.forward_features(images), pre_logits=True))


class SelfDistillation(nn.Module):
    """A student and its teacher, with the centre of the teacher's answers."""

    def __init__(self, encoder: VisionTransformer) -> None:
        super().__init__()
        self.student = Projector(encoder)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(ANSWERS))
        self._means: list[Tensor] = []

    @property
    def encoder(self) -> VisionTransformer:
        """What is fine-tuned later: the teacher's, which the paper finds better all along (figure 6)."""
        return self.teacher.encoder

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        """Mean cross-entropy between the teacher's answer to one view [b, c, h, w] and the student's to the other; a scalar."""
        views = torch.cat([first, second])
        with torch.no_grad():
            answers = self.teacher(views).float()
            self._means.append(answers.mean(0))
            target = F.softmax((answers - self.centre) / TEACHER_TEMPERATURE, 1)
        said = F.log_softmax(self.student(views).float() / STUDENT_TEMPERATURE, 1)
        one, other = said.chunk(2)
        of_one, of_other = target.chunk(2)
        return -((of_one * other).sum(1).mean() + (of_other * one).sum(1).mean()) / 2

    @torch.no_grad()
    def follow(self, done: float) -> None:
        """Move the teacher and the centre after a step; ``done`` is the share of the steps that is done."""
        momentum = 1 - (1 - TEACHER_MOMENTUM) * 0.5 * (1 + math.cos(math.pi * done))
        torch._foreach_lerp_(list(self.teacher.parameters()), list(self.student.parameters()), 1 - momentum)  # pyright: ignore
        self.centre.lerp_(torch.stack(self._means).mean(0), 1 - CENTRE_MOMENTUM)  # pyright: ignore[reportCallIssue] a tensor
        self.forget()

    def forget(self) -> None:
        """Leave out of the centre what the teacher said since the last step."""
        self._means.clear()

    @torch.no_grad()
    def entropy(self, images: Iterable[Tensor]) -> tuple[float, float]:
        """Entropy of the teacher's answer, mean over ``images`` (batches [b, c, h, w]), and what it tells about the image, in
        nats.

        The latter is the entropy of the mean answer less the mean entropy: 0 where every image gets the same answer, be it
        sharp or uniform, which is what collapse means (section 5.3).
        """
        entropies, sums = [], []
        for part in images:
            answers = F.softmax((self.teacher(part).float() - self.centre) / TEACHER_TEMPERATURE, 1)
            entropies.append(_entropy(answers))
            sums.append(answers.sum(0))
        count = sum(map(len, entropies))
        each = torch.cat(entropies).mean().item()
        return each, _entropy(torch.stack(sums).sum(0) / count).item() - each


def _entropy(answers: Tensor) -> Tensor:
    return torch.special.entr(answers).sum(-1)


def draw_view(images: int, generator: torch.Generator) -> Tensor:
    """Six numbers from 0 to 1 for each of ``images``, [images, 6], of which ``view`` makes a view."""
    return torch.rand(images, 6, generator=generator)


def view(images: Tensor, draw: Tensor, least: float = 0.4) -> Tensor:
    """A view of normalised images [b, c, h, w] by ``draw`` [b, 6], on their device: a crop of ``least`` to 1 of the area scaled
    to full size, mirrored or not, in another contrast and brightness.

    The paper's views also change hue, saturation and sharpness.
    """
    side = (least + (1 - least) * draw[:, 0]).sqrt()
    mirror = torch.where(draw[:, 1] < 0.5, -1.0, 1.0)
    room = 1 - side
    place = torch.zeros(len(images), 2, 3, device=draw.device)
    place[:, 0, 0], place[:, 1, 1] = side * mirror, side
    place[:, 0, 2], place[:, 1, 2] = room * (2 * draw[:, 2] - 1), room * (2 * draw[:, 3] - 1)
    grid = F.affine_grid(place, list(images.shape), align_corners=False)
    cropped = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    contrast, brightness = 0.6 + 0.8 * draw[:, 4], 0.4 * (2 * draw[:, 5] - 1)
    return cropped * contrast[:, None, None, None] + brightness[:, None, None, None]
