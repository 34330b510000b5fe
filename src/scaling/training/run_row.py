"""The row of the runs table that a finished run fills, without what an evaluation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import nn

from scaling.models.outside import facts_of, identity
from scaling.runs.records import DIVERGED, DONE

if TYPE_CHECKING:
    from scaling.training.loop import Trainer


def run_row(trainer: Trainer, machine: str) -> dict[str, Any]:
    """The columns of ``scaling.runs.records`` that are known without evaluating the model; ``machine`` names the hardware."""
    progress, cell, recipe = trainer.progress, trainer.cell, trainer.recipe
    before = trainer.start.flop if trainer.start else 0.0
    row: dict[str, Any] = {
        "key": cell.key,
        "family": identity(cell.family),
        "kind": facts_of(cell.family).kind,
        "recipe": recipe.name,
        "params": cell.params,
        "width": cell.width,
        "depth": cell.depth,
        "images": cell.images,
        "seed": cell.seed,
        "learning_rate": cell.learning_rate,
        "batch": recipe.batch,
        "steps": progress.step,
        "images_seen": progress.step * recipe.batch,
        "flop": before + trainer.flop_trained * progress.step * recipe.batch,
        "flop_to_best": before + trainer.flop_trained * progress.best_step * recipe.batch,
        "flop_forward": float(trainer.flop_forward),
        "best_step": progress.best_step,
        "stopped_early": progress.stopped_early,
        "status": DIVERGED if progress.diverged else DONE,
        "reason": progress.diverged,
        "device": cell.device,
        "precision": cell.precision,
        "machine": machine,
        "torch_version": torch.__version__,
        "timm_version": timm.__version__,
        "recipe_version": cell.settings()["recipe_version"],
        "micro_batch": trainer.micro_batch,
        "ghost_batch_norm": trainer.micro_batch < recipe.batch and _has_batch_norm(trainer.model),
    }
    if trainer.start is not None:
        row["flop_pretraining"] = before
    return row


def _has_batch_norm(model: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
