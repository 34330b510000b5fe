"""The training loop of one cell: from its resolved settings to its record.

A cell that is killed and resumed ends bit-identical to one that ran through (same processor model, thread count and
build): every random draw comes from (seed, purpose, step), and a checkpoint holds all that is carried between steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from scaling.data import ImageData
from scaling.data.augment import Normalise
from scaling.models import build, get_family
from scaling.models.counting import forward_flop
from scaling.models.family import ImageSpec, Regularisation
from scaling.models.outside import identity
from scaling.runs.grid import Run
from scaling.runs.store import Record
from scaling.training.average import WeightAverage
from scaling.training.batches import Batches
from scaling.training.captured_step import CapturedStep
from scaling.training.computation import Computation, clip_gradients
from scaling.training.divergence import CHECK_EVERY, LossWatch
from scaling.training.evaluation import EVALUATION_BATCH, Evaluation, evaluate
from scaling.training.images import CellImages, HeldOut, cell_images
from scaling.training.memory import peak_memory
from scaling.training.objectives.supervised import supervised_loss
from scaling.training.optimizer import CAPTURABLE, forget_gradients, make_optimizer, set_rate, weights_to_evaluate
from scaling.training.run_progress import Progress, finite
from scaling.training.run_row import run_row
from scaling.training.schedule import evaluation_steps, rate_factor
from scaling.training.start import Start
from scaling.training.streams import stream
from scaling.training.trainer_state import restore_trainer, save_trainer

DRAWN: Final = ("order", "first", "second")
"""Names of what an objective without labels draws of each image."""

RATE_TYPES: Final = {"cuda": torch.float32, "cpu": torch.float64}
"""Of a learning rate in a tensor: torch's fused kernels read 32 bits of it on a GPU, 64 on a CPU."""


CHECKPOINT_SHARE: Final = 0.02
"""Of a run's time, at most, that goes into checkpoints. Assumption."""


class Interrupted(Exception):
    """Training was asked to stop; its checkpoint is written and the next attempt goes on from it."""


class Trainer:
    """One cell in training: model, average, optimiser, progress."""

    def __init__(self, cell: Run, data: ImageData, start: Start | None = None) -> None:
        """``start`` is what a cell with a backbone starts from."""
        if (start is None) != (getattr(cell, "backbone", None) is None):
            raise ValueError(f"{cell.family}: a cell with a backbone starts from it, and no other does")
        self.cell, self.recipe, self.start = cell, cell.recipe, start
        self.spec = ImageSpec(data.side, data.channels, len(data.classes))
        self.images: CellImages = cell_images(data, cell.images, cell.seed, cell.validation, cell.device)
        self.bf16 = cell.precision == "bf16"
        from_width = get_family(cell.family).channels_last_from
        self.channels_last = from_width is not None and cell.width >= from_width
        torch.manual_seed(stream(cell.seed, "initialisation", identity(cell.family), cell.width, cell.depth))
        self.model: nn.Module = self._build()
        self.flop_forward, self.flop_trained = self._count()
        self.model.to(cell.device)
        if self.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.average = WeightAverage(self.model, self.recipe.average)
        self.best = {name: tensor.clone() for name, tensor in self.average.model.state_dict().items()}
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        captured = cell.device == "cuda" and self._can_be_captured()
        self.optimizer = make_optimizer(self.model, self.recipe, cell.learning_rate, captured=captured)
        self.steps = self.recipe.steps(cell.images)
        self.evaluate_at = evaluation_steps(self.recipe, self.steps)
        self.batches = Batches(self.images, self.recipe, cell.seed, self.steps, self.spec.classes)
        self.computation = Computation(
            self._loss,
            self.batches,
            Normalise(self.images.mean, self.images.std, cell.device),
            channels_last=self.channels_last,
            bf16=self.bf16,
        )
        self.progress = Progress(diverged=start.diverged if start else "")
        self.watch = LossWatch(cell.device, self._guessing(), self.recipe.warmup_steps(self.steps))
        self.captured = CapturedStep(self._update, cell.device) if captured else None

    def _build(self) -> nn.Module:
        cell = self.cell
        regularisation = Regularisation(self.recipe.dropout, self.recipe.stochastic_depth)
        model = build(cell.family, cell.width, cell.depth, self.spec, regularisation, cell.options)
        if self.start is not None:
            self.start.into(model)
        return model

    def _count(self) -> tuple[int, float]:
        """FLOP of one image: of a forward pass, and of all that training does with it."""
        forward = forward_flop(self.model, self.spec)
        return forward, 3.0 * forward

    @property
    def weights(self) -> dict[str, Tensor]:
        """What is kept of the model where something is to be read off it later."""
        return self.best

    # -- one step ---------------------------------------------------------------------------------------------------

    def prepare(self, images: Tensor) -> Tensor:
        """uint8 images [b, c, h, w] as the model takes them: normalised, in its memory format."""
        return self.computation.prepare(images)

    def inputs(self, step: int) -> dict[str, Tensor]:
        """What is drawn and read on the host for ``step``, by name; torch's own stream is where its dropout begins."""
        inputs = self.batches.inputs(step) | self._drawn(step)
        torch.manual_seed(stream(self.cell.seed, "dropout", step))
        return inputs

    def _drawn(self, step: int) -> dict[str, Tensor]:
        """What the loss draws of each image of the batch, by names of ``DRAWN``: nothing where labels are learned."""
        return {}

    def _loss(self, images: Tensor, labels: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        """The mean loss, a scalar, of prepared images [b, c, h, w] and their labels [b]."""
        weights = {"label_smoothing": self.recipe.label_smoothing, "auxiliary_weight": self.recipe.auxiliary_weight}
        return supervised_loss(self.model, images, labels, **weights)

    def gradients(self, inputs: dict[str, Tensor]) -> Tensor:
        """Gradients of the batch of ``inputs`` in the model, unclipped; its mean loss. A function of tensors alone."""
        drawn = {name: inputs[name] for name in DRAWN if name in inputs}
        return self.computation.gradients(inputs, drawn, self.micro_batch)

    def backward(self, step: int) -> Tensor:
        """Gradients of the batch of ``step`` in the model, unclipped; its mean loss, a scalar."""
        inputs, device = self.inputs(step), self.cell.device
        if device != "cpu":
            inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in inputs.items()}
        return self.gradients(inputs)

    def train_step(self) -> None:
        """One step of the optimiser."""
        step = self.progress.step
        rate = self.cell.learning_rate * rate_factor(self.recipe, step, self.steps)
        weight = self.average.weight(step + 1)
        if self.captured is None:
            self._apply(self.backward(step), rate, weight)
        else:
            rates = {"rate": torch.tensor(rate, dtype=RATE_TYPES[self.cell.device]), "weight": torch.tensor(weight)}
            self.captured(self.inputs(step) | rates)
        self.progress.step += 1
        if self.progress.step % CHECK_EVERY == 0:
            self.watch.look(self.progress)

    def _update(self, inputs: dict[str, Tensor]) -> None:
        """All that a captured step does on the device."""
        self._apply(self.gradients(inputs), inputs["rate"], inputs["weight"])

    def _apply(self, loss: Tensor, rate: float | Tensor, weight: float | Tensor) -> None:
        """A step of the optimiser by the gradients that are in the model, of a batch with mean ``loss``."""
        set_rate(self.optimizer, rate)
        clip_gradients(self.parameters, self.recipe.clip)
        self.optimizer.step()
        forget_gradients(self.parameters)
        self._stepped(weight)
        self.watch.total += loss

    def _stepped(self, weight: float | Tensor) -> None:
        """What follows a step of the optimiser: the average moves by ``weight``."""
        self.average.move(weight)

    def _can_be_captured(self) -> bool:
        """Whether a step may be a CUDA graph, as far as it is known before the first."""
        return self.recipe.optimizer in CAPTURABLE

    @property
    def micro_batch(self) -> int:
        """Images computed at a time: the batch, or less where memory ran out."""
        return self.progress.micro_batch or self.recipe.batch

    def shrink(self, micro_batch: int) -> None:
        """Compute ``micro_batch`` images at a time from now on, at the same effective batch."""
        self.progress.micro_batch = micro_batch
        if self.captured is not None:
            self.captured.reset()

    def _guessing(self) -> float:
        """Training loss of a model that has learned nothing."""
        weights = 1 + get_family(self.cell.family).auxiliary_heads * self.recipe.auxiliary_weight
        return weights * math.log(self.spec.classes)

    # -- evaluation -------------------------------------------------------------------------------------------------

    def _evaluate(self, images: HeldOut, labels: Tensor) -> Evaluation:
        return evaluate(
            self.average.model,
            images,
            labels,
            self.images.mean,
            self.images.std,
            channels_last=self.channels_last,
            bf16=self.bf16,
            at_a_time=max(1, EVALUATION_BATCH * self.micro_batch // self.recipe.batch),
        )

    def _validate(self) -> None:
        progress = self.progress
        if progress.step % CHECK_EVERY:
            self.watch.look(progress)
        held = self._evaluate(self.images.validation_images, self.images.validation_labels)
        mean = progress.mean_loss()
        progress.curve.append(
            {
                "step": progress.step,
                "validation_loss": finite(held.loss),
                "validation_error": held.error,
                "train_loss": finite(mean),
            }
        )
        if not math.isfinite(held.loss):
            progress.diverged = f"validation loss not finite at step {progress.step}"
        elif held.loss < progress.best_loss:
            progress.best_loss, progress.best_step, progress.since_best = held.loss, progress.step, 0
            progress.train_loss = mean
            for name, tensor in self.average.model.state_dict().items():
                self.best[name].copy_(tensor)
        else:
            progress.since_best += 1
            progress.stopped_early = 0 < self.recipe.patience <= progress.since_best and progress.step < self.steps

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def save(self, path: Path, settings: dict[str, Any] | None = None) -> None:
        """Write a checkpoint from which ``restore`` goes on; ``settings`` are what it is of, the cell's where None."""
        save_trainer(self, path, settings or self.cell.settings())

    def restore(self, path: Path, settings: dict[str, Any] | None = None) -> bool:
        """Go on from the checkpoint at ``path``; False where there is none. Raises UnusableCheckpoint if it is not of
        ``settings``, the cell's where None."""
        if self.captured is not None:
            self.captured.reset()
        return restore_trainer(self, path, settings or self.cell.settings())

    # -- the whole --------------------------------------------------------------------------------------------------

    def run(
        self,
        checkpoint: Path,
        every: float,
        stop: Callable[[], bool],
        beat: Callable[[Progress, int], None],
        check: Callable[[], None] = lambda: None,
        passed: Callable[[int], None] = lambda step: None,
    ) -> None:
        """Train to the end, writing ``checkpoint`` every ``every`` seconds, or after each step where ``every`` is 0.

        Where a checkpoint takes long, such as that of a large model on a network's disk, they are further apart: writing them
        takes up CHECKPOINT_SHARE of the time at most.

        ``stop`` is asked between steps; when it says so a checkpoint is written and Interrupted raised. ``beat`` is told
        of progress now and then; ``check`` is called before each checkpoint and may raise, so that none is written; ``passed``
        is told of each step as soon as it is done, before any evaluation.
        """
        progress = self.progress
        before, began, saved = progress.seconds, time.monotonic(), time.monotonic()
        spacing = every
        self.model.train()
        pending = [step for step in self.evaluate_at if step > progress.step]
        while pending and not progress.diverged and not progress.stopped_early:
            self.train_step()
            progress.seconds = before + time.monotonic() - began
            passed(progress.step)
            if progress.step == pending[0] and not progress.diverged:
                pending.pop(0)
                with weights_to_evaluate(self.optimizer):
                    self._validate()
                self.model.train()
            if progress.step % CHECK_EVERY == 0:
                beat(progress, self.steps)
            stopping = stop()
            if stopping or time.monotonic() - saved > spacing:
                check()
                writing = time.monotonic()
                self.save(checkpoint)
                saved = time.monotonic()
                spacing = max(every, (saved - writing) / CHECKPOINT_SHARE) if every else 0.0
            if stopping:
                raise Interrupted(f"stopped at step {progress.step} of {self.steps}")
        progress.seconds = before + time.monotonic() - began

    def entry(self, machine: str) -> Record:
        """The record of the finished run."""
        began = time.monotonic()
        progress, row = self.progress, run_row(self, machine)
        if progress.best_step and not progress.diverged:
            self.average.model.load_state_dict(self.best)
            test = self._evaluate(self.images.test_images, self.images.test_labels)
            best = next(point for point in progress.curve if point["step"] == progress.best_step)
            row |= vars(test) | {
                "validation_loss": best["validation_loss"],
                "validation_error": best["validation_error"],
                "train_loss": finite(progress.train_loss),
            }
        row["seconds"] = progress.seconds + time.monotonic() - began
        row["peak_memory"] = peak_memory(self.cell.device)
        return Record(row, self.cell.settings(), progress.curve)
