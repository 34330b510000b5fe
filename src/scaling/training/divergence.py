"""Looking at the training loss now and then, and saying when a run is lost."""

from __future__ import annotations

import math
from typing import Final

import torch

from scaling.training.run_progress import Progress, finite

CHECK_EVERY: Final = 25
"""Steps between looks at the training loss, which on a GPU wait for it."""

BLOWN_UP: Final = 3.0
"""A mean training loss above this many times that of guessing, after warm-up, counts as diverged."""


class LossWatch:
    """The training losses since the last look, summed on the device.

    ``guessing`` is the loss in nats of a model that has learned nothing; before ``warm_up`` steps a loss above it is no worry.
    """

    def __init__(self, device: str, guessing: float, warm_up: float) -> None:
        self.total = torch.zeros((), device=device)
        self.recent: float | None = None
        """mean training loss of the latest steps, in nats"""
        self._limit, self._warm_up = BLOWN_UP * guessing, warm_up

    def look(self, progress: Progress) -> None:
        """Read the training loss since the last look into ``progress``; a run that is lost is marked as diverged."""
        evaluated = progress.curve[-1]["step"] if progress.curve else 0
        count = progress.step - max(evaluated, (progress.step - 1) // CHECK_EVERY * CHECK_EVERY)
        total = self.total.item()
        self.total.zero_()
        progress.add(total, count)
        mean = total / count
        self.recent = finite(mean)
        if not math.isfinite(mean):
            progress.diverged = f"training loss not finite within {count} steps of step {progress.step}"
        elif mean > self._limit and progress.step > self._warm_up:
            progress.diverged = f"training loss {mean:.3g} at step {progress.step}, above {self._limit:.3g}"
