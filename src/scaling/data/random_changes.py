"""Random crops, policies, erasing, mixup and CutMix, all of torchvision, as draws of a generator of one's own.

torchvision draws from torch's global random stream, so that is seeded for a call and put back afterwards. Changes are drawn for
each image of a batch by itself; torchvision would make the same change in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode

RANDAUGMENT_OPERATIONS: Final = 2
"""Changes in a row, as Cubuk et al. 2020 (arXiv:1909.13719) use for ImageNet."""


@contextmanager
def _global_stream(generator: torch.Generator) -> Iterator[None]:
    """Draws of torch's global stream on the CPU come from ``generator`` while it lasts."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@dataclass(frozen=True)
class RandomChanges:
    """Changes of images one by one: a crop, a policy, an erased rectangle, in this order.

    ``crop``: least share of the area; a crop of that share to 1 is resized to the whole (Szegedy et al. 2015); 1 = never.
    ``policy``: none, randaugment (Cubuk et al. 2020) or trivialaugment (Müller and Hutter 2021). ``magnitude``: RandAugment's,
    0 to 30. ``erase``: probability of an erased rectangle (Zhong et al. 2020); it is filled with ``colour`` [c], 0 to 255.
    """

    crop: float = 1.0
    policy: str = "none"
    magnitude: int = 9
    erase: float = 0.0
    colour: Sequence[float] = (0.0,)

    def __bool__(self) -> bool:
        return self.crop < 1 or self.policy != "none" or self.erase > 0

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Change ``batch`` uint8 [b, c, h, w]; draws come from ``generator``."""
        if not self:
            return batch
        change: Any = v2.Compose(self._changes(list(batch.shape[-2:])))
        with _global_stream(generator):
            return torch.stack([change(image) for image in batch])

    def _changes(self, size: list[int]) -> list[v2.Transform]:
        found: list[v2.Transform] = []
        if self.crop < 1:
            found.append(v2.RandomResizedCrop(size, scale=(self.crop, 1.0)))
        if self.policy == "randaugment":
            found.append(v2.RandAugment(RANDAUGMENT_OPERATIONS, self.magnitude, interpolation=InterpolationMode.BILINEAR))
        elif self.policy == "trivialaugment":
            found.append(v2.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR))
        if self.erase:
            found.append(v2.RandomErasing(self.erase, value=tuple(self.colour)))  # pyright: ignore[reportArgumentType]
        return found


@dataclass(frozen=True)
class Mix:
    """Mixtures of the images of a batch, with their labels: mixup (Zhang et al. 2018), CutMix (Yun et al. 2019).

    ``mixup`` and ``cutmix`` are the alpha of Beta(alpha, alpha), from which one share is drawn for each batch; 0 = never.
    If both are given, each batch draws which of the two it gets.
    """

    mixup: float
    cutmix: float
    classes: int

    def __bool__(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0

    def __call__(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Mix images [b, c, h, w], floats, and labels [b]: mixed images, and the shares of the classes [b, classes]."""
        kinds = ((v2.MixUp, self.mixup), (v2.CutMix, self.cutmix))
        choices = [kind(alpha=float(alpha), num_classes=self.classes) for kind, alpha in kinds if alpha]
        mix: Any = v2.RandomChoice(choices)
        with _global_stream(generator):
            return mix(images, labels)
