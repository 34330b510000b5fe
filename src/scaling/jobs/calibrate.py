"""Measures how fast this machine trains each family of a study, and how much memory that takes: a calibration."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import torch

from scaling.data import ImageData
from scaling.jobs.benchmarks.speed import resident_bytes
from scaling.jobs.calibration import (
    Calibration,
    CalibrationError,
    Line,
    Speed,
    read_calibration,
    speed_name,
    write_calibration,
)
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.models.outside import own_place
from scaling.models.own_files import told
from scaling.runs.grid import ResolvedCell
from scaling.study.layout import Layout
from scaling.study.precision_rule import asked_precision
from scaling.study.schema import Study
from scaling.study.study_images import image_spec
from scaling.training.device import Device, Gpu, detect, see_gpu, seed_the_cpu_alone, use_one_thread
from scaling.training.evaluation import EVALUATION_BATCH
from scaling.training.loop import Trainer

WARM_UP_STEPS: Final = 3
BLOCKS: Final = 5
BLOCK_SECONDS: Final = 0.2
BLOCK_STEPS: Final = 3
"""A time is the median over BLOCKS blocks, each of at least BLOCK_STEPS steps and BLOCK_SECONDS seconds (assumption)."""

_fork = multiprocessing.get_context("fork")


def calibrate_into(path: Path, study: Study, layout: Layout, say: Callable[[str], None]) -> None:
    """Measure what the user's calibration at ``path`` lacks for ``study``, and add it.

    Raises:
        CalibrationError: the file is damaged, or was measured on another machine, device or precision.
        DeviceError: the device that the study asks for is not there.
    """
    device = detect(study.device, asked_precision(study))
    known = read_calibration(path)
    if known is not None and not _is_of(device, known):
        here = f"{device.kind}, {device.precision}, {device.machine}"
        raise CalibrationError(f"{path} is of {known}, this is {here}; name another file by jobs.calibration")
    _add_missing(path, study, layout, device, known, say)


def measure_speed(study: Study, layout: Layout, say: Callable[[str], None]) -> None:
    """The same into this machine's own file, for plans: one that is damaged or of another machine is made again.

    Raises:
        DeviceError: the device that the study asks for is not there.
    """
    device = detect(study.device, asked_precision(study))
    try:
        known = read_calibration(layout.speed)
    except CalibrationError:
        known = None
    _add_missing(layout.speed, study, layout, device, known if known and _is_of(device, known) else None, say)


def _is_of(device: Device, calibration: Calibration) -> bool:
    here = (device.kind, device.precision, device.machine)
    return (calibration.device, calibration.precision, calibration.machine) == here


def _add_missing(
    path: Path, study: Study, layout: Layout, device: Device, known: Calibration | None, say: Callable[[str], None]
) -> None:
    write_calibration(calibrate(study, Ladders(layout.ladders), image_spec(study), device, known, say), path)


def calibrate(
    study: Study,
    ladders: Ladders,
    image: ImageSpec,
    device: Device,
    known: Calibration | None,
    say: Callable[[str], None],
) -> Calibration:
    """``known``, and the speed of every entry of ``study`` that it lacks, measured here on ``device``.

    What is timed are training steps, augmentation and weight average included, of the smallest and the largest model of each
    entry, on images of noise; each model has one thread and a process of its own.

    Raises:
        RuntimeError: a model could not be trained.
    """
    found = known or Calibration(device.kind, device.precision, device.machine)
    lacking = found.lacking(study, image)
    for family in lacking:
        say(f"measuring {family} ({lacking.index(family) + 1} of {len(lacking)})")
        recipe, architecture = study.family_recipe(family), study.architecture(family)
        seconds, memory = [], []
        for target in sorted({min(study.sizes(family)), max(study.sizes(family))}):
            rung = ladders.rung(architecture, target, image)
            cell = ResolvedCell(
                family=architecture.family,
                width=rung.width,
                depth=rung.depth,
                params=rung.params,
                images=recipe.batch,
                seed=0,
                learning_rate=1e-4,
                recipe=recipe,
                device=device.kind,
                precision=device.precision,
                checksum="noise",
                validation=EVALUATION_BATCH,
                options=architecture.options,
            )
            took, held = _measured(cell, image, device.gpus[0] if device.gpus else None)
            seconds.append((float(rung.flop_forward), took))
            if held is not None:
                memory.append((float(rung.flop_forward), held))
        speed = Speed(Line.through(seconds), Line.through(memory) if len(memory) == len(seconds) else None)
        speeds = found.speeds | {speed_name(architecture, image, recipe.batch): speed}
        found = Calibration(found.device, found.precision, found.machine, speeds)
    return found


def _measured(cell: ResolvedCell, image: ImageSpec, gpu: Gpu | None) -> tuple[float, float | None]:
    """Seconds to train ``cell`` on one image, and its peak memory in bytes beyond the program's own (None if unknown)."""
    queue = _fork.SimpleQueue()
    child = _fork.Process(target=_measure_here, args=(cell, image, gpu, queue))
    child.start()
    child.join()
    if queue.empty():
        raise RuntimeError(f"measuring {cell.family} with N = {cell.params} failed with exit code {child.exitcode}")
    found = queue.get()
    if isinstance(found, str):
        raise CalibrationError(f"{cell.family} with N = {cell.params} cannot be trained: {found}")
    return found


def _measure_here(cell: ResolvedCell, image: ImageSpec, gpu: Gpu | None, queue: Any) -> None:
    try:
        use_one_thread()
        if cell.device == "cuda":
            see_gpu(gpu or Gpu("", 0, 0), 0)
        elif cell.device == "cpu":
            seed_the_cpu_alone()
        before = resident_bytes() if cell.device == "cpu" else None
        trainer = Trainer(cell, _noise(cell, image))
        for _ in range(WARM_UP_STEPS):
            trainer.train_step()
        seconds = median(_block(trainer) for _ in range(BLOCKS)) / cell.recipe.batch
        trainer._validate()
        peak = resident_bytes(at_peak=True) if before is not None else None
        queue.put((seconds, None if before is None or peak is None else max(0.0, peak - before)))
    except BaseException as error:
        place = own_place(cell.family)
        if place is None:
            traceback.print_exc()
        else:
            queue.put(told(error, place[0]))
        os._exit(1)
    os._exit(0)


def _block(trainer: Trainer) -> float:
    """Seconds per step over one block of steps."""
    began, steps = time.perf_counter(), 0
    while steps < BLOCK_STEPS or time.perf_counter() - began < BLOCK_SECONDS:
        trainer.train_step()
        steps += 1
        if trainer.cell.device == "cuda":
            torch.cuda.synchronize()
    return (time.perf_counter() - began) / steps


def _noise(cell: ResolvedCell, image: ImageSpec) -> ImageData:
    random = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        return random.integers(0, 256, (count, image.channels, image.side, image.side), np.uint8)

    count = cell.images + cell.validation + image.classes
    labels = np.arange(count, dtype=np.int64) % image.classes
    half = np.full(image.channels, 0.5, np.float32)
    return ImageData(
        "noise",
        image.side,
        image.channels,
        tuple(map(str, range(image.classes))),
        images(count),
        labels,
        images(EVALUATION_BATCH),
        labels[:EVALUATION_BATCH],
        cell.checksum,
        half,
        half / 2,
    )
