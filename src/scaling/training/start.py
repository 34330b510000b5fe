"""What a cell with a backbone starts from: the encoder that was trained without labels, read from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from scaling.runs.grid import Backbone
from scaling.runs.records import DIVERGED
from scaling.runs.store import Store
from scaling.training.checkpoint import UnusableCheckpoint, load_checkpoint

ENCODERS: Final = {"mae": "encoder.", "dino": "teacher.encoder."}
"""Where the weights of an objective have the encoder."""


class LostBackbone(RuntimeError):
    """A backbone of which the store does not hold what its cells need; the message says what."""


@dataclass(frozen=True)
class Start:
    """A backbone: the flat tensors kept of it, by name, its training compute, its evaluations, and why it diverged if so."""

    objective: str
    tensors: dict[str, Tensor]
    flop: float
    curve: list[dict[str, Any]]
    diverged: str = ""

    def into(self, model: nn.Module) -> None:
        """Give ``model`` the encoder's weights; its classifier stays as it was drawn."""
        if self.diverged:
            return
        prefix = ENCODERS[self.objective]
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                if not name.startswith("head."):
                    tensor.copy_(self.tensors[prefix + name].view(tensor.shape))


def read_start(store: Store, backbone: Backbone) -> Start:
    """The backbone as the store holds it.

    Raises LostBackbone where its record or weights are missing, or its weights damaged: those are removed, so that the next
    run trains it again, to the same weights.
    """
    entry, path = store.read(backbone.key), store.weights_path(backbone.key)
    if entry is None:
        raise LostBackbone(f"the backbone {backbone.key} is not trained yet")
    objective = backbone.pretraining.objective
    if entry.row["status"] == DIVERGED:
        return Start(objective, {}, entry.row["flop"], entry.curve, f"its backbone diverged: {entry.row['reason']}")
    try:
        found = load_checkpoint(path, backbone.settings())
    except UnusableCheckpoint as error:
        path.unlink()
        raise LostBackbone(f"{error}; removed, the next run trains the backbone again") from error
    if found is None:
        raise LostBackbone(f"{path} is missing; the next run trains the backbone again")
    return Start(objective, found[0], entry.row["flop"], entry.curve)
