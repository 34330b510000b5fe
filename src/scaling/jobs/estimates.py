"""What a job will ask for: seconds of its cells by a calibration, minutes and memory of the job.

Estimates, with margins that are stated here. Where nothing was calibrated no time is known, and memory is that of models so
small that the program outweighs them. No torch.
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
"""Cost of an evaluated image against a trained one: the forward pass alone."""

TEST_IMAGES: Final = 10_000
"""Test images assumed for the cost of the last evaluation; every built-in source has as many."""

JOB_SECONDS: Final = 30.0
"""A job's start: Snakemake again, Python, torch and timm (8 s on an idle machine, more on a shared file system)."""

CELL_SECONDS: Final = 0.5
"""A cell's own: fork, its images, its first step, checkpoint and record (assumption)."""

TIME_MARGIN: Final = 2.0
"""What is asked for is this many times the estimate: other machines of a partition, and neighbours, are slower (assumption)."""

LEAST_MINUTES: Final = 10
"""The least that is asked for: file systems and schedulers have bad minutes (assumption)."""

PROGRAM_MB: Final = 1500
"""Resident memory of torch, timm and the mapped images, once per job: forked cells share it."""

CELL_MB: Final = 300
"""A cell's own pages before its tensors: what a fork writes, the allocator's reserve, buffers of BLAS (assumption)."""

GPU_CELL_MB: Final = 3000
"""Host memory of a cell on a GPU: its CUDA context and libraries are its own. Assumed, 2 to 3 GB are usual."""

UNKNOWN_MB: Final = 4000
"""Memory of a job at least, where no calibration says whether it will be on a GPU (assumption)."""

MEMORY_MARGIN: Final = 1.25
"""What is asked for is this many times the estimate (assumption)."""

MEMORY_STEP: Final = 500
"""MB to which a request is rounded up, so that small edits move no request (assumption)."""


def evaluation_images(recipe: Recipe, validation: int, test: int = TEST_IMAGES) -> int:
    """Images that one cell evaluates on, over all its evaluations."""
    return recipe.evaluations * validation + test


@dataclass(frozen=True)
class Load:
    """Cells of one job as far as its time goes: the seconds of all, and of the longest."""

    total: float = 0.0
    longest: float = 0.0

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Load:
        """The load of cells of so many seconds."""
        found = list(seconds)
        return cls(math.fsum(found), max(found, default=0.0))

    def seconds(self, cores: int) -> float:
        """Seconds of a job that trains ``cores`` cells at a time, started in any order: never less than what it takes
        (Graham 1969, "Bounds on multiprocessing timing anomalies": total / m + (1 - 1/m) longest)."""
        return JOB_SECONDS + (self.total + (cores - 1) * self.longest) / cores


class Estimates:
    """Seconds and memory of the cells of ``study``, by ``calibration`` where there is one.

    A GPU that several cells share is taken to serve them all at full speed each; the margin has to cover the rest.
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
        """FLOP of one image's forward pass at the size ``target``."""
        architecture = self.study.architecture(family)
        if (architecture, target) not in self._flop:
            self._flop[architecture, target] = self.ladders.rung(architecture, target, self.image).flop_forward
        return self._flop[architecture, target]

    def image_seconds(self, family: str, target: int) -> float | None:
        """Seconds to train on one image; None where the family's speed is not known."""
        speed = self._speeds[family]
        return None if speed is None else speed.seconds.at(self.flop(family, target))

    def cell_seconds(self, family: str, target: int, images: int) -> float | None:
        """Seconds of a cell that is not stopped early; None where its family's speed is not known."""
        speed = self._speeds[family]
        if speed is None:
            return None
        point = (family, target, images)
        if point not in self._seconds:
            recipe = self._recipes[family]
            evaluated = EVALUATION_SHARE * evaluation_images(recipe, self.study.data.validation)
            at_once = speed.seconds.at(self.flop(family, target))
            self._seconds[point] = CELL_SECONDS + (recipe.images_seen(images) + evaluated) * at_once
        return self._seconds[point]

    def backbone_passes(self, family: str) -> float:
        """Forward passes of one image, or their like, that pre-training a backbone of ``family`` takes; 0 without one."""
        pretraining = self.study.entry(family).pretrain
        if pretraining is None:
            return 0.0
        recipe = pretraining.full_recipe(self.study.architecture(family).family)
        return pretraining.cost * recipe.images_seen(pretraining.images)

    def backbone_seconds(self, family: str, target: int) -> float | None:
        """Seconds to pre-train a backbone of ``family``, 0 without one; None where its speed is not known."""
        passes = self.backbone_passes(family)
        at_once = self.image_seconds(family, target)
        return 0.0 if not passes else None if at_once is None else CELL_SECONDS + passes / 3 * at_once

    def known_seconds(self, family: str, target: int, images: int) -> float:
        """Seconds of a cell and of its backbone, which it may share, of a family whose speed is known.

        Raises:
            KeyError: it is not known.
        """
        point = (family, target, images)
        if point not in self._known:
            own, backbone = self.cell_seconds(family, target, images), self.backbone_seconds(family, target)
            if own is None or backbone is None:
                raise KeyError(family)
            self._known[point] = own + backbone
        return self._known[point]

    def job_seconds(self, cells: Iterable[Cell]) -> float | None:
        """Seconds of a job that trains ``cells`` of one family, and their backbones; None where its speed is not known."""
        members = list(cells)
        seconds = [self.cell_seconds(cell.family, cell.target, cell.images) for cell in members]
        shared = {(cell.family, cell.target, cell.seed) for cell in members}
        seconds += [self.backbone_seconds(family, target) for family, target, _ in sorted(shared)]
        if any(one is None for one in seconds):
            return None
        return Load.of(one for one in seconds if one is not None).seconds(self.study.jobs.at_a_time)

    def _candidates(self, family: str, widened: bool) -> Load | None:
        """The runs that tune ``family``, with every candidate that widening may add or without; None where not known."""
        recipe = self._recipes[family]
        if recipe.learning_rate != "tuned":
            return Load()
        anchors = recipe.anchors
        seconds = [self.cell_seconds(family, target, anchors.images) for target in anchors.params]
        if any(one is None for one in seconds):
            return None
        each = len(anchors.rates) + widened * anchors.widen
        backbones = [self.backbone_seconds(family, target) for target in anchors.params]
        return Load.of([one for one in seconds if one is not None] * each + [one for one in backbones if one is not None])

    def tuning_seconds(self, family: str) -> float | None:
        """Seconds of the job that tunes ``family``, were it to widen its candidates as far as it may."""
        load = self._candidates(family, widened=True)
        return None if load is None else load.seconds(self.study.jobs.at_a_time)

    def tuning_core_seconds(self, family: str) -> float | None:
        """Seconds of one core for the candidates of ``family``, without any that widening adds."""
        load = self._candidates(family, widened=False)
        return None if load is None else load.total

    def memory_mb(self, family: str, targets: Iterable[int], cells: int) -> int:
        """Memory in MB to ask for, for a job that trains ``cells`` cells of ``family`` at these sizes."""
        speed = self._speeds[family]
        at_a_time = min(self.study.jobs.at_a_time, max(cells, 1))
        largest = max((self.flop(family, target) for target in targets), default=0)
        tensors = speed.memory.at(largest) / 1e6 if speed is not None and speed.memory is not None else 0.0
        on_gpu = self.calibration.device == "cuda" if self.calibration else self.study.device == "cuda"
        # The tensors of a cell on a GPU are not in the host's memory; its context is.
        each = GPU_CELL_MB if on_gpu else CELL_MB + tensors
        least = UNKNOWN_MB if self.calibration is None and self.study.device == "auto" else 0
        return rounded_up(max(least, MEMORY_MARGIN * (PROGRAM_MB + at_a_time * each)))


def minutes_to_ask(seconds: float) -> int:
    """Minutes to ask for, for a job of so many expected ``seconds``."""
    return max(LEAST_MINUTES, math.ceil(TIME_MARGIN * seconds / 60))


def rounded_up(megabytes: float) -> int:
    """``megabytes`` as they are asked for."""
    return MEMORY_STEP * math.ceil(megabytes / MEMORY_STEP)
