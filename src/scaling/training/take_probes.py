"""What is read off the models of finished cells, and the weights kept for it.

A cell that is to be read keeps the weights of its reported checkpoint beside its record (a few hundred kilobytes), so that a
probe added later, or in another version, costs no training. They are made by the cell's own job, in the cell's own process,
since that is where its device is; a cell that was stored before anyone asked for a probe is trained again, to the same
weights bit for bit, and its record stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from scaling.data import ImageData
from scaling.runs.deciding_code import probe_code
from scaling.runs.store import Store
from scaling.training.checkpoint import UnusableCheckpoint, load_checkpoint, save_checkpoint
from scaling.training.loop import Trainer
from scaling.training.probes import load_probe


def keep_weights(store: Store, trainer: Trainer) -> None:
    """Write the weights of the reported checkpoint of a trainer that has ended beside its record. Raises LostLease."""
    store.check_held()
    save_checkpoint(store.weights_path(trainer.cell.key), trainer.weights, {}, trainer.cell.settings())


def restore_weights(store: Store, trainer: Trainer, warn: Callable[[str], None] = print) -> bool:
    """Give the trainer's average the kept weights of its cell; False where there are none that can be used.

    Weights that cannot be used are named through ``warn`` and removed.
    """
    path = store.weights_path(trainer.cell.key)
    try:
        found = load_checkpoint(path, trainer.cell.settings())
    except UnusableCheckpoint as error:
        warn(f"{error}; the run is trained again for them")
        path.unlink()
        return False
    if found is None:
        return False
    tensors, _ = found
    with torch.no_grad():
        for name, tensor in trainer.average.model.state_dict().items():
            tensor.copy_(tensors[name].view(tensor.shape))
    return True


def take_probes(store: Store, trainer: Trainer, data: ImageData, names: Iterable[str], done: bool) -> None:
    """Take each probe of ``names`` and store it.

    Args:
        trainer: its average holds the weights of the reported checkpoint.
        data: the images, from which gradients are measured in a training of their own.
        done: False for a cell that diverged: there are no weights to read, only gradients.
    """
    for name in names:
        probe = load_probe(name)
        rows = probe.take(trainer, data) if done or probe.of_diverged else []
        store.write_probe(trainer.cell.key, name, probe_code(name), rows)
