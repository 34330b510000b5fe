"""How long a cell trains, how its rate moves, when it is evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch

from scaling.study.recipe import Recipe
from scaling.training.streams import generator


def rate_factor(recipe: Recipe, step: int, steps: int) -> float:
    """The share of the peak rate at ``step`` (from 0): linear warm-up, then the schedule."""
    rise = recipe.warmup_steps(steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    rise = fall_begins(recipe, steps)
    if step < rise:
        return 1.0
    return FALLS[recipe.schedule]((step - rise) / max(1.0, steps - rise))


def fall_begins(recipe: Recipe, steps: int) -> float:
    """The step (from 0, not a whole number) at which the rate begins to follow its schedule down."""
    rise = recipe.warmup_steps(steps)
    return max(rise, (1 - recipe.cooldown) * steps) if recipe.schedule == "warmup-stable-decay" else rise


FALLS: Final[dict[str, Callable[[float], float]]] = {
    # Loshchilov and Hutter 2017, arXiv:1608.03983
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    # He et al. 2016 and others divide by 10 twice
    "step": lambda done: 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01,
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    # Hägele et al. 2024, arXiv:2405.18392, section 3: better than a line; the share of 20 % is theirs too
    "warmup-stable-decay": lambda done: 1 - math.sqrt(done),
}
"""Schedule -> the share of the peak rate when a share ``done`` of its fall is over."""


def evaluation_steps(recipe: Recipe, steps: int) -> list[int]:
    """The steps after which the model is evaluated: evenly spaced in log steps, the last step included."""
    first = max(1, round(recipe.first_evaluation * steps))
    if recipe.evaluations == 1:
        return [steps]
    ratio = (steps / first) ** (1 / (recipe.evaluations - 1))
    return sorted({min(steps, max(1, round(first * ratio**i))) for i in range(recipe.evaluations)} | {steps})


class Order:
    """The order in which a cell sees its images: whole shuffled epochs, end to end, cut into batches."""

    def __init__(self, images: int, batch: int, seed: int) -> None:
        self.images, self.batch, self.seed = images, batch, seed
        self._epochs: dict[int, torch.Tensor] = {}

    def _epoch(self, number: int) -> torch.Tensor:
        if number not in self._epochs:
            self._epochs = {key: value for key, value in self._epochs.items() if key >= number - 1}
            self._epochs[number] = torch.randperm(self.images, generator=generator(self.seed, "order", number))
        return self._epochs[number]

    def indices(self, step: int) -> torch.Tensor:
        """Positions [batch] in the subset for ``step`` (from 0)."""
        start, stop = step * self.batch, (step + 1) * self.batch
        parts = []
        while start < stop:
            epoch, offset = divmod(start, self.images)
            take = min(stop - start, self.images - offset)
            parts.append(self._epoch(epoch)[offset : offset + take])
            start += take
        return parts[0] if len(parts) == 1 else torch.cat(parts)
