"""Memory of a cell on its device: estimated by counting, measured when it ends, and what running out of it looks like."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from scaling.data import ImageData
from scaling.models import build
from scaling.models.family import ImageSpec, Regularisation
from scaling.models.own_files import OwnModelError
from scaling.runs.grid import Run
from scaling.training.evaluation import EVALUATION_BATCH
from scaling.training.images import HELD_OUT_BYTES, IN_MEMORY_BYTES
from scaling.training.objectives.supervised import supervised_loss

CONTEXT_BYTES: Final = 512 * 1024**2
"""What a process takes of a GPU before its first tensor: assumed, 300 to 500 MB are usual on data-centre GPUs."""

WORKSPACE_BYTES: Final = 64 * 1024**2
"""What cuBLAS and cuDNN take to work in: assumed, cuBLAS alone takes 8 to 32 MiB."""

TENSORS_PER_PARAMETER: Final = {
    "adamw": 6,
    "adam": 6,
    "sgd": 5,
    "sgd-nesterov": 5,
    "muon": 7,
    "schedule-free-adamw": 6,
}
"""Weights, gradient, average, best weights, and the optimiser's own: two moments of Adam (or one and a second copy
of the weights, schedule-free), one momentum of SGD; of Muon at most two copies of the weights beside its momentum."""


VIEWS: Final = 3
"""Images that DINO has in memory for each of a batch: two views by the student, and the teacher's on their way: assumed."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that a device's memory ran out, in any of the ways that torch says so."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error)
    words = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator: can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(word in text for word in words)


def peak_memory(device: str) -> int:
    """Bytes that this process held at most: of tensors on a GPU, else resident, program and libraries included."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True)
class Activations:
    """Bytes that one image's forward pass leaves for the backward pass, and those of its largest tensor."""

    saved: int
    largest: int


def count_activations(model: nn.Module, image: ImageSpec, batch: int, auxiliary_weight: float) -> Activations:
    """Count what autograd keeps of ``batch`` images, an image, in 32 bits; ``model`` may lie on the `meta` device.

    Parameters are not counted, and a tensor that several operations keep is counted once.
    """
    device = next(model.parameters()).device
    own = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that its place is not taken by the next one
        return tensor

    images = torch.empty(batch, image.channels, image.side, image.side, device=device)
    labels = torch.zeros(batch, dtype=torch.int64, device=device)
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        supervised_loss(model, images, labels, label_smoothing=0.0, auxiliary_weight=auxiliary_weight)
    sizes = [storage.nbytes() for storage in kept.values()]
    return Activations(-(-sum(sizes) // batch), -(-max(sizes, default=0) // batch))


class MemoryEstimate:
    """Bytes of GPU memory that cells of the images ``data`` take: counted, then corrected by finished cells' peaks.

    A cell's share that does not come from its own tensors (context, workspace) is added, and a quarter for what the
    allocator cannot use.
    """

    def __init__(self, data: ImageData) -> None:
        self.spec = ImageSpec(data.side, data.channels, len(data.classes))
        self._image_bytes = data.channels * data.side**2
        self._held_out = len(data.test_labels)
        self._models: dict[tuple[Any, ...], tuple[int, Activations]] = {}
        self._corrections: dict[str, float] = {}

    def tensors(self, cell: Run) -> int:
        """Bytes of the cell's tensors at their peak, by counting: to be compared with ``peak_memory``."""
        recipe = cell.recipe
        weights, activations = self._model(cell)
        fixed = weights * TENSORS_PER_PARAMETER[recipe.optimizer]
        subset = min(cell.images * self._image_bytes, IN_MEMORY_BYTES)
        images = subset + sum(min(count * self._image_bytes, HELD_OUT_BYTES) for count in (self._held_out, cell.validation))
        # In the backward pass two gradients are beside what is kept; an evaluation keeps a layer's input and output.
        views = VIEWS if cell.objective == "dino" else 1
        training = views * recipe.batch * (activations.saved + 2 * activations.largest)
        evaluation = EVALUATION_BATCH * 3 * activations.largest
        # A captured step keeps its memory, which an evaluation between steps cannot use.
        both = training + evaluation if cell.device == "cuda" else max(training, evaluation)
        return fixed + images + both + WORKSPACE_BYTES

    def need(self, cell: Run) -> int:
        """Bytes of GPU memory to set aside for the cell's process."""
        return CONTEXT_BYTES + int(1.25 * self.tensors(cell) * self._corrections.get(cell.family, 1.0))

    def learn(self, cell: Run, peak: int | None) -> None:
        """Correct the estimates of the cell's family by the ``peak`` measured of it; never below what was seen."""
        if peak and cell.device == "cuda":
            seen = peak / self.tensors(cell)
            self._corrections[cell.family] = max(self._corrections.get(cell.family, 0.0), seen)

    def _model(self, cell: Run) -> tuple[int, Activations]:
        at = (cell.family, cell.width, cell.depth, cell.options, cell.recipe.dropout, cell.recipe.stochastic_depth)
        if at not in self._models:
            rates = Regularisation(cell.recipe.dropout, cell.recipe.stochastic_depth)
            try:
                with torch.device("meta"):
                    model = build(cell.family, cell.width, cell.depth, self.spec, rates, cell.options)
            except OwnModelError:  # it looks at values while it is built
                model = build(cell.family, cell.width, cell.depth, self.spec, rates, cell.options).to("meta")
            size = sum(tensor.nbytes for tensor in [*model.parameters(), *model.buffers()])
            self._models[at] = (size, count_activations(model, self.spec, 2, cell.recipe.auxiliary_weight))
        return self._models[at]
