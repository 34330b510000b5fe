"""The training loop of one cell: from its resolved settings to its record.

A cell that is killed and resumed ends bit-identical to one that ran through (same processor model, thread count and
build): every random draw comes from (seed, purpose, step), and a checkpoint holds all that is carried between steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from scaling.data import ImageData
from scaling.data.augment import normalise
from scaling.models import build, get_family
from scaling.models.counting import forward_flop
from scaling.models.family import ImageSpec, Regularisation
from scaling.models.outside import identity
from scaling.runs.grid import Run
from scaling.runs.store import Record
from scaling.training.average import WeightAverage
from scaling.training.batches import Batches
from scaling.training.checkpoint import UnusableCheckpoint, load_checkpoint, save_checkpoint
from scaling.training.evaluation import EVALUATION_BATCH, Evaluation, evaluate
from scaling.training.images import CellImages, HeldOut, cell_images
from scaling.training.memory import peak_memory
from scaling.training.objectives.supervised import supervised_loss
from scaling.training.optimizer import counters, make_optimizer, set_counters, set_rate, state_tensors, weights_to_evaluate
from scaling.training.run_progress import Progress, finite
from scaling.training.run_row import run_row
from scaling.training.schedule import evaluation_steps, rate_factor
from scaling.training.start import Start
from scaling.training.streams import stream

CHECK_EVERY: Final = 25
"""Steps between looks at the training loss, which on a GPU wait for it."""

BLOWN_UP: Final = 3.0
"""A mean training loss above this many times that of guessing, after warm-up, counts as diverged."""


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
        self.optimizer = make_optimizer(self.model, self.recipe, cell.learning_rate)
        self.steps = self.recipe.steps(cell.images)
        self.evaluate_at = evaluation_steps(self.recipe, self.steps)
        self.batches = Batches(self.images, self.recipe, cell.seed, self.steps, self.spec.classes)
        self.progress = Progress(diverged=start.diverged if start else "")
        self.recent_loss: float | None = None
        """mean training loss of the latest steps, in nats"""
        self._window = torch.zeros((), device=cell.device)

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
        return self._in_format(normalise(images, self.images.mean, self.images.std))

    def _in_format(self, batch: Tensor) -> Tensor:
        return batch.contiguous(memory_format=torch.channels_last) if self.channels_last else batch

    def backward(self, step: int) -> Tensor:
        """Forward and backward pass of the batch of ``step``: gradients in the model, unclipped; its mean loss, a scalar.

        Micro-batch by micro-batch, each weighted by its share of the batch: the sums are those of the whole batch, unless
        the model normalises by the batch's statistics.
        """
        images, labels = self.batches.batch(step)
        # Mixed before it is cut, so that micro-batches mix the same images.
        if self.batches.mix:
            images, labels = self.batches.mixed(self.prepare(images), labels, step)
            images = self._in_format(images)
        loss_of = self._objective(step)
        torch.manual_seed(stream(self.cell.seed, "dropout", step))
        total = torch.zeros((), device=labels.device)
        for part, answers in zip(images.split(self.micro_batch), labels.split(self.micro_batch), strict=True):
            with torch.autocast(self.cell.device, torch.bfloat16, enabled=self.bf16):
                loss = loss_of(part if self.batches.mix else self.prepare(part), answers)
            loss = loss * (len(part) / len(images))
            loss.backward()
            total += loss.detach()
        return total

    def _objective(self, step: int) -> Callable[[Tensor, Tensor], Tensor]:
        """What is learned at ``step``: the mean loss, a scalar, of prepared images [b, c, h, w] and their labels [b]."""
        return partial(
            supervised_loss,
            self.model,
            label_smoothing=self.recipe.label_smoothing,
            auxiliary_weight=self.recipe.auxiliary_weight,
        )

    def train_step(self) -> None:
        """One step of the optimiser."""
        step, recipe = self.progress.step, self.recipe
        set_rate(self.optimizer, self.cell.learning_rate * rate_factor(recipe, step, self.steps))
        loss = self.backward(step)
        if recipe.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self._stepped()
        self._window += loss
        if self.progress.step % CHECK_EVERY == 0:
            self._look()

    def _stepped(self) -> None:
        """What follows a step of the optimiser."""
        self.average.update(self.progress.step)

    @property
    def micro_batch(self) -> int:
        """Images computed at a time: the batch, or less where memory ran out."""
        return self.progress.micro_batch or self.recipe.batch

    def shrink(self, micro_batch: int) -> None:
        """Compute ``micro_batch`` images at a time from now on, at the same effective batch."""
        self.progress.micro_batch = micro_batch

    def _look(self) -> None:
        """Read the training loss since the last look; a run that is lost is marked as diverged."""
        progress = self.progress
        evaluated = progress.curve[-1]["step"] if progress.curve else 0
        count = progress.step - max(evaluated, (progress.step - 1) // CHECK_EVERY * CHECK_EVERY)
        total = self._window.item()
        self._window.zero_()
        progress.add(total, count)
        mean = total / count
        self.recent_loss = finite(mean)
        limit = BLOWN_UP * self._guessing()
        if not math.isfinite(mean):
            progress.diverged = f"training loss not finite within {count} steps of step {progress.step}"
        elif mean > limit and progress.step > self.recipe.warmup_steps(self.steps):
            progress.diverged = f"training loss {mean:.3g} at step {progress.step}, above {limit:.3g}"

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
            self._look()
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

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.recipe.average:
            tensors |= {f"average.{k}": v for k, v in self.average.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        tensors["window"] = self._window
        return tensors | {f"optimizer.{name}": tensor for name, tensor in state_tensors(self.optimizer).items()}

    def save(self, path: Path, settings: dict[str, Any] | None = None) -> None:
        """Write a checkpoint from which ``restore`` goes on; ``settings`` are what it is of, the cell's where None."""
        state = self.progress.state() | {"optimizer": counters(self.optimizer)}
        save_checkpoint(path, self._tensors(), state, settings or self.cell.settings())

    def restore(self, path: Path, settings: dict[str, Any] | None = None) -> bool:
        """Go on from the checkpoint at ``path``; False where there is none. Raises UnusableCheckpoint if it is not of
        ``settings``, the cell's where None."""
        found = load_checkpoint(path, settings or self.cell.settings())
        if found is None:
            return False
        tensors, state = found
        if any(name.startswith("optimizer.") for name in tensors):
            self._touch_optimizer()
        own = self._tensors()
        if own.keys() != tensors.keys():
            raise UnusableCheckpoint(f"{path}: holds other tensors than this program's model")
        with torch.no_grad():
            for name, tensor in own.items():
                # Shapes and memory formats are the model's own; the file holds each tensor's elements in order.
                tensor.copy_(tensors[name].view(tensor.shape))
        set_counters(self.optimizer, state.pop("optimizer", []))
        self.progress = Progress.of(state)
        return True

    def _touch_optimizer(self) -> None:
        """Make the optimiser create its state, by a step of rate 0 on gradients of 0 that changes nothing kept."""
        set_rate(self.optimizer, 0.0)
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

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
        """Train to the end, writing ``checkpoint`` every ``every`` seconds.

        ``stop`` is asked between steps; when it says so a checkpoint is written and Interrupted raised. ``beat`` is told
        of progress now and then; ``check`` is called before each checkpoint and may raise, so that none is written; ``passed``
        is told of each step as soon as it is done, before any evaluation.
        """
        progress = self.progress
        before, began, saved = progress.seconds, time.monotonic(), time.monotonic()
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
            if stopping or time.monotonic() - saved > every:
                check()
                self.save(checkpoint)
                saved = time.monotonic()
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
