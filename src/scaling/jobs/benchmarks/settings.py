"""A setting that is timed or counted, and its rows in the table of measurements.

On a CPU it has one thread, as in training. No figure here is a function of a run's key: it belongs to this machine on this day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import nn

from scaling.jobs.benchmarks.speed import Step, peak_bytes, prediction_step, time_rounds, training_step
from scaling.models import build
from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders, Rung
from scaling.models.registry import Option

MEMORY_ROUNDS: Final = 2
"""Rounds in which memory is measured: it varies less than time (assumption)."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What is timed or counted: the columns of a row other than the figure itself."""

    measure: str
    family: str
    phase: str
    params: int
    width: float
    depth: int
    x: float
    """what is varied: N, the side of the image in pixels, or the number of positions"""
    batch: int
    threads: int = 1


@dataclass(frozen=True)
class Machine:
    """Where steps are timed: device class, precision (fp32, bf16), name of the hardware."""

    device: str = "cpu"
    precision: str = "fp32"
    name: str = "unknown"

    def step(self, setting: Setting, model: nn.Module, image: ImageSpec, layout: torch.memory_format) -> Step:
        """The step of a setting, on images of noise [batch, channels, side, side].

        Args:
            setting: says the phase (prediction or training) and the batch.
            model: a new one; it is moved to this machine's device.
            image: the shape of the images.
            layout: torch's memory format of the images and weights.
        """
        model = model.to(self.device).to(memory_format=layout)
        images = torch.randn(setting.batch, image.channels, image.side, image.side, device=self.device)
        images = images.contiguous(memory_format=layout)
        labels = torch.arange(setting.batch, device=self.device) % image.classes
        step = prediction_step(model, images) if setting.phase == "prediction" else training_step(model, images, labels)
        kind, bf16 = images.device.type, self.precision == "bf16"

        def here() -> None:
            if torch.get_num_threads() != setting.threads:
                torch.set_num_threads(setting.threads)
            with torch.autocast(kind, torch.bfloat16, enabled=bf16):
                step()

        return here


@dataclass(frozen=True)
class Timed:
    """A setting, and how its model is made."""

    setting: Setting
    image: ImageSpec
    make: Callable[[], nn.Module]
    layout: torch.memory_format = torch.contiguous_format

    def step(self, machine: Machine) -> Step:
        """The step, with all its tensors made."""
        return machine.step(self.setting, self.make(), self.image, self.layout)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a study asks of its benchmarks.

    Attributes:
        ladders: give a family's width and depth at a target N.
        image: what the models take.
        entries: name -> what it builds, images per step as it is trained, target N at which it is timed.
        transformer_size: target N of the transformers whose images are made larger.
        rounds: times that each setting is timed.
        machine: where it is timed.
    """

    ladders: Ladders
    image: ImageSpec
    entries: Mapping[str, tuple[Architecture, int, list[int]]]
    transformer_size: int
    rounds: int
    machine: Machine

    def transformer(self, family: str) -> Rung:
        """The size of ``family`` whose images are made larger."""
        return self.ladders.rung(family, self.transformer_size, self.image)


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Something that is timed or counted. All but ``rows`` must be literals, since they are read without running the file.

    Attributes:
        description: what it tells, in a few words, for the list of allowed values.
        rows: returns its rows of the table of measurements.
        seconds: how long it takes, once and per round, measured on a 2-core CPU and assumed elsewhere; None where it trains
            and predicts with each of the study's families, whose times are estimated from the sizes.
        transformers: families that are built at the study's ``transformer_params``.
    """

    description: str
    rows: Callable[[Request], list[Row]]
    seconds: tuple[float, float] | None = None
    transformers: tuple[str, ...] = ()


def maker(rung: Rung, image: ImageSpec, options: Iterable[tuple[str, Option]] = ()) -> Callable[[], nn.Module]:
    """A function that builds the model of ``rung``."""
    return lambda: build(rung.family, rung.width, rung.depth, image, options=options)


def times(timed: list[Timed], rounds: int, machine: Machine) -> list[Row]:
    """Rows with the seconds per image of each of ``timed``, one per round.

    Args:
        timed: settings with their steps.
        rounds: how often each is timed.
        machine: on which they run.
    """
    found = time_rounds({one.setting: one.step(machine) for one in timed}, rounds)
    return [
        row(setting, "seconds", seconds / setting.batch, "s/image", number)
        for setting, values in found.items()
        for number, seconds in enumerate(values)
    ]


def memory(timed: list[Timed], machine: Machine) -> list[Row]:
    """Rows with the peak memory of each of ``timed``, in bytes per image; no rows if the system does not tell it."""
    rows: list[Row] = []
    for number in range(MEMORY_ROUNDS):
        for one in timed:
            peak = peak_bytes(partial(one.step, machine), machine.device)
            if peak is not None:
                rows.append(row(one.setting, "memory", peak / one.setting.batch, "B/image", number))
    return rows


def row(setting: Setting, quantity: str, value: float, unit: str, number: int | None = None) -> Row:
    """A row of the table of measurements.

    Args:
        setting: what was measured.
        quantity: the name of the figure; value: the figure, in ``unit``.
        number: of its round, from 0; None for a figure that has no rounds.
    """
    return vars(setting) | {"quantity": quantity, "value": float(value), "unit": unit, "repeat": number}
