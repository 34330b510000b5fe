"""What a training step starts on its device, and what in it the host waits for, counted by running one."""

from __future__ import annotations

import torch

from scaling.training.host_waits import HostWaits
from scaling.training.loop import RATE_TYPES, Trainer


def count_step(trainer: Trainer) -> HostWaits:
    """Launches and waits in the computation of a step of ``trainer``; not of its first, in which the optimiser makes its state.

    Drawing and reading the batch, which the host does beforehand, are left out. A CPU counts what a GPU would get.
    """
    trainer.train_step()
    device = trainer.cell.device
    inputs = {name: tensor.to(device) for name, tensor in trainer.inputs(trainer.progress.step).items()}
    inputs["rate"] = torch.tensor(1e-3, dtype=RATE_TYPES[device], device=device)
    inputs["weight"] = torch.tensor(0.5, device=device)
    with HostWaits() as seen:
        trainer._update(inputs)
    return seen
