"""What a run carries from step to step beside its tensors, and how a checkpoint holds it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Progress:
    """How far a run is; plain data, so that a checkpoint can hold it."""

    step: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    since_best: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    train_loss: float = math.nan
    seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    diverged: str = ""
    stopped_early: bool = False
    micro_batch: int = 0
    """images computed at a time; 0 = the whole batch"""

    def add(self, total: float, steps: int) -> None:
        """Count the training losses of ``steps`` steps, ``total`` their sum in nats."""
        self.loss_sum += total
        self.loss_steps += steps

    def mean_loss(self) -> float:
        """Mean training loss of the steps since this was asked last, in nats."""
        mean = self.loss_sum / max(1, self.loss_steps)
        self.loss_sum, self.loss_steps = 0.0, 0
        return mean

    def state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return vars(self) | {"best_loss": finite(self.best_loss), "train_loss": finite(self.train_loss)}

    @classmethod
    def of(cls, state: Any) -> Self:
        """The progress whose ``state`` this is."""
        best, mean = state["best_loss"], state["train_loss"]
        return cls(
            **state | {"best_loss": math.inf if best is None else best, "train_loss": math.nan if mean is None else mean}
        )


def finite(value: float) -> float | None:
    """``value``, or None where it is infinite or not a number, which JSON cannot hold."""
    return value if math.isfinite(value) else None
