"""What a job will ask for: seconds of its runs by a calibration, minutes and memory of the job.

These are estimates with the margins stated here. Without a calibration no time is known, and models are taken to be so small
that the program itself outweighs them. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from scaling.jobs.calibration import Calibration
from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.grid import Cell
from scaling.study.recipe import Recipe
from scaling.study.schema import Study

EVALUATION_SHARE: Final = 1 / 3
"""Cost of evaluating an image relative to training on one: the forward pass alone."""

TEST_IMAGES: Final = 10_000
"""Test images assumed in the cost of the last evaluation; every built-in source has this many."""

JOB_SECONDS: Final = 30.0
"""Seconds of a job's start: Snakemake, Python, torch and timm (8 s on an idle machine, more on a shared file system)."""

CELL_SECONDS: Final = 0.5
"""Seconds of a run beside its training: fork, images, first step, checkpoint and record (assumption)."""

TIME_MARGIN: Final = 2.0
"""The time asked for is this many times the estimate: other machines of a partition may be slower (assumption)."""

LEAST_MINUTES: Final = 10
"""The least time asked for: file systems and schedulers have bad minutes (assumption)."""

PROGRAM_MB: Final = 1500
"""Resident memory of torch, timm and the mapped images, once per job: forked runs share it (assumption)."""

CELL_MB: Final = 300
"""Memory of a run beside its tensors: pages that a fork writes, the allocator's reserve, buffers of BLAS (assumption)."""

GPU_CELL_MB: Final = 3000
"""Host memory of a run on a GPU: each has its own CUDA context and libraries (assumption; 2 to 3 GB are usual)."""

UNKNOWN_MB: Final = 4000
"""Least memory of a job, if no calibration says whether it will use a GPU (assumption)."""

SUBSET_BYTES: Final = 4 * 1024**3
HELD_OUT_BYTES: Final = 256 * 1024**2
"""A run copies its training images, and those for validation and test, each up to these sizes; more stay in their file (the
limits of ``training/images.py``; a test keeps them the same)."""

TEST_SHARE: Final = 0.2
"""Test images per training image, assumed: CIFAR has a fifth, Fashion-MNIST a sixth, ImageNet a 26th."""

MEMORY_MARGIN: Final = 1.25
"""The memory asked for is this many times the estimate (assumption)."""

MEMORY_STEP: Final = 500
"""MB to a multiple of which a request is rounded up, so that small edits change no request (assumption)."""


def evaluation_images(recipe: Recipe, validation: int, test: int = TEST_IMAGES) -> int:
    """Images that one run evaluates on, over all its evaluations.

    Args:
        recipe: says how often the run is evaluated.
        validation, test: validation images and test images.
    """
    return recipe.evaluations * validation + test


@dataclass(frozen=True)
class Load:
    """The time of one job's runs: seconds of all together, and of the longest."""

    total: float = 0.0
    longest: float = 0.0

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Load:
        """The load of runs that take so many ``seconds`` each."""
        found = list(seconds)
        return cls(math.fsum(found), max(found, default=0.0))

    def seconds(self, cores: int) -> float:
        """Seconds of a job that trains ``cores`` runs at a time, started in any order: an upper bound
        (Graham 1969, "Bounds on multiprocessing timing anomalies": total / m + (1 - 1/m) longest)."""
        return JOB_SECONDS + (self.total + (cores - 1) * self.longest) / cores


class Estimates:
    """Seconds and memory of the runs of ``study``, by ``calibration`` if there is one.

    Runs that share a GPU are each taken to train at full speed; the margin has to cover the rest.
    """

    def __init__(self, study: Study, calibration: Calibration | None, ladders: Ladders, image: ImageSpec) -> None:
        self.study, self.calibration, self.ladders, self.image = study, calibration, ladders, image
        self._flop: dict[tuple[Architecture, int], int] = {}
        self._recipes = {family: study.family_recipe(family) for family in study.families}
        self._speeds = {family: calibration.speed(study, family, image) if calibration else None for family in study.families}
        self._seconds: dict[tuple[str, int, int], float] = {}
        self._known: dict[tuple[str, int, int], float] = {}

    @property
    def timed(self) -> bool:
        """Whether the speed of every entry is known."""
        return all(speed is not None for speed in self._speeds.values())

    def flop(self, family: str, target: int) -> int:
        """FLOP of one image's forward pass at the target N."""
        architecture = self.study.architecture(family)
        if (architecture, target) not in self._flop:
            self._flop[architecture, target] = self.ladders.rung(architecture, target, self.image).flop_forward
        return self._flop[architecture, target]

    def image_seconds(self, family: str, target: int) -> float | None:
        """Seconds to train on one image; None if the family's speed is not known."""
        speed = self._speeds[family]
        return None if speed is None else speed.seconds.at(self.flop(family, target))

    def cell_seconds(self, family: str, target: int, images: int) -> float | None:
        """Seconds of a run that is not stopped early; None if its family's speed is not known."""
        speed = self._speeds[family]
        if speed is None:
            return None
        point = (family, target, images)
        if point not in self._seconds:
            recipe = self._recipes[family]
            evaluated = EVALUATION_SHARE * evaluation_images(recipe, self.study.data.validation)
            at_once = speed.seconds.at(self.flop(family, target))
            self._seconds[point] = CELL_SECONDS + (recipe.length(images) + evaluated) * at_once
        return self._seconds[point]

    def backbone_passes(self, family: str) -> float:
        """Cost of pre-training a backbone of ``family``, in forward passes of one image; 0 without a backbone."""
        pretraining = self.study.entry(family).pretrain
        if pretraining is None:
            return 0.0
        recipe = pretraining.full_recipe(self.study.architecture(family).family)
        return pretraining.cost * recipe.length(pretraining.images)

    def backbone_seconds(self, family: str, target: int) -> float | None:
        """Seconds to pre-train a backbone of ``family``; 0 without one, None if its speed is not known."""
        passes = self.backbone_passes(family)
        at_once = self.image_seconds(family, target)
        return 0.0 if not passes else None if at_once is None else CELL_SECONDS + passes / 3 * at_once

    def known_seconds(self, family: str, target: int, images: int) -> float:
        """Seconds of a run and of its backbone, which it may share with other runs.

        Args:
            family: an entry of the study; target: its N; images: its D.

        Raises:
            KeyError: the speed of ``family`` is not known.
        """
        point = (family, target, images)
        if point not in self._known:
            own, backbone = self.cell_seconds(family, target, images), self.backbone_seconds(family, target)
            if own is None or backbone is None:
                raise KeyError(family)
            self._known[point] = own + backbone
        return self._known[point]

    def job_seconds(self, cells: Iterable[Cell]) -> float | None:
        """Seconds of a job that trains ``cells`` of one family, and their backbones; None if its speed is not known."""
        members = list(cells)
        seconds = [self.cell_seconds(cell.family, cell.target, cell.images) for cell in members]
        shared = {(cell.family, cell.target, cell.seed) for cell in members}
        seconds += [self.backbone_seconds(family, target) for family, target, _ in sorted(shared)]
        if any(one is None for one in seconds):
            return None
        return Load.of(one for one in seconds if one is not None).seconds(self.study.jobs.at_a_time)

    def _candidates(self, family: str, widened: bool) -> Load | None:
        """The runs that tune ``family``; ``widened`` includes all that widening may add. None if their time is not known."""
        recipe = self._recipes[family]
        if not recipe.is_tuned:
            return Load()
        anchors = recipe.anchors
        seconds = [self.cell_seconds(family, target, images) for target, images in anchors.places]
        if any(one is None for one in seconds):
            return None
        each = len(anchors.rates) + widened * anchors.widen
        backbones = [self.backbone_seconds(family, target) for target in anchors.params]
        return Load.of([one for one in seconds if one is not None] * each + [one for one in backbones if one is not None])

    def tuning_seconds(self, family: str) -> float | None:
        """Seconds of the job that tunes ``family`` if it widens its candidates as far as it may; None if not known."""
        load = self._candidates(family, widened=True)
        return None if load is None else load.seconds(self.study.jobs.at_a_time)

    def tuning_core_seconds(self, family: str) -> float | None:
        """Seconds of one core for the candidates of ``family``, those that widening adds left out; None if not known."""
        load = self._candidates(family, widened=False)
        return None if load is None else load.total

    def images_mb(self, images: int) -> float:
        """MB of host memory for the images that one run of D = ``images`` copies; on a GPU they pass through it."""
        one, validation = self.image.channels * self.image.side**2, self.study.data.validation
        held_out = (validation, round(TEST_SHARE * (images + validation)))
        copied = min(images * one, SUBSET_BYTES) + sum(min(count * one, HELD_OUT_BYTES) for count in held_out)
        return copied / 1e6

    def memory_mb(self, family: str, targets: Iterable[int], cells: int, images: int = 0) -> int:
        """Memory in MB to ask for, for a job that trains ``cells`` runs of ``family`` at the sizes ``targets``.

        The largest of them has D = ``images``.
        """
        speed = self._speeds[family]
        # A run has a process on each of its GPUs.
        at_a_time = max(min(self.study.jobs.at_a_time, max(cells, 1)), self.study.jobs.gpus_per_run)
        largest = max((self.flop(family, target) for target in targets), default=0)
        tensors = speed.memory.at(largest) / 1e6 if speed is not None and speed.memory is not None else 0.0
        on_gpu = self.calibration.device == "cuda" if self.calibration else self.study.device == "cuda"
        # On a GPU the tensors of a run are not in the host's memory, but its context is.
        each = (GPU_CELL_MB if on_gpu else CELL_MB + tensors) + self.images_mb(images)
        least = UNKNOWN_MB if self.calibration is None and self.study.device == "auto" else 0
        return rounded_up(max(least, MEMORY_MARGIN * (PROGRAM_MB + at_a_time * each)))


def minutes_to_ask(seconds: float) -> int:
    """Minutes to ask for, for a job that is expected to take ``seconds``."""
    return max(LEAST_MINUTES, math.ceil(TIME_MARGIN * seconds / 60))


def rounded_up(megabytes: float) -> int:
    """``megabytes`` rounded up to what a job asks for."""
    return MEMORY_STEP * math.ceil(megabytes / MEMORY_STEP)
