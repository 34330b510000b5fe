"""A trainer's state in a checkpoint: written, and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scaling.training.checkpoint import UnusableCheckpoint, load_checkpoint, save_checkpoint
from scaling.training.optimizer import counters, forget_gradients, set_counters, set_rate, state_tensors
from scaling.training.run_progress import Progress

if TYPE_CHECKING:
    from scaling.training.loop import Trainer


def carried_tensors(trainer: Trainer) -> dict[str, Tensor]:
    """All tensors that a trainer carries from step to step, by name."""
    tensors = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    if trainer.recipe.average:
        tensors |= {f"average.{k}": v for k, v in trainer.average.model.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in trainer.best.items()}
    tensors["window"] = trainer.watch.total
    return tensors | {f"optimizer.{name}": tensor for name, tensor in state_tensors(trainer.optimizer).items()}


def save_trainer(trainer: Trainer, path: Path, settings: dict[str, Any]) -> None:
    """Write a checkpoint of ``settings`` from which ``restore_trainer`` goes on."""
    state = trainer.progress.state() | {"optimizer": counters(trainer.optimizer)}
    save_checkpoint(path, carried_tensors(trainer), state, settings)


def restore_trainer(trainer: Trainer, path: Path, settings: dict[str, Any]) -> bool:
    """Go on from the checkpoint of ``settings`` at ``path``; False where there is none. Raises UnusableCheckpoint."""
    found = load_checkpoint(path, settings)
    if found is None:
        return False
    tensors, state = found
    if any(name.startswith("optimizer.") for name in tensors):
        touch_optimizer(trainer)
    own = carried_tensors(trainer)
    if own.keys() != tensors.keys():
        raise UnusableCheckpoint(f"{path}: holds other tensors than this program's model")
    with torch.no_grad():
        for name, tensor in own.items():
            # Shapes and memory formats are the model's own; the file holds each tensor's elements in order.
            tensor.copy_(tensors[name].view(tensor.shape))
    set_counters(trainer.optimizer, state.pop("optimizer", []))
    trainer.progress = Progress.of(state)
    return True


def touch_optimizer(trainer: Trainer) -> None:
    """Make the optimiser create its state, by a step of rate 0 on gradients of 0 that changes nothing kept."""
    set_rate(trainer.optimizer, 0.0)
    for parameter in trainer.parameters:
        parameter.grad = torch.zeros_like(parameter)
    trainer.optimizer.step()
    forget_gradients(trainer.parameters)
