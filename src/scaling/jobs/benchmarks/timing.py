"""The table of times, memory and counts of a study: what is timed, in which settings, and what was found.

One thread on a CPU, as in training. Nothing here is a function of a cell's key: it is this machine's, on this day.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch
from torch import nn

from scaling.jobs.benchmarks.paper_sizes import paper_size_counts
from scaling.jobs.benchmarks.sequence import SIDES, chain_length, matched_pair
from scaling.jobs.benchmarks.speed import PHASES, Step, peak_bytes, prediction_step, time_rounds, training_step
from scaling.models import build, get_family
from scaling.models.architecture import Architecture
from scaling.models.counting import count_params, forward_flop, sketch
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders, Rung
from scaling.models.registry import Option
from scaling.models.transformer import round_up
from scaling.models.vit import PATCH

RESOLUTIONS: Final = (32, 48, 64, 96, 128, 192, 256)
"""Sides in pixels at which time and memory are measured."""
COUNTED_TO: Final = 512
"""Side in pixels to which FLOP are counted too."""
PIXELS_A_BATCH: Final = 2 * 256**2
"""The batch holds as many pixels at every side, so that a step is as long and the calls' overhead the same share of it."""
MEMORY_ROUNDS: Final = 2
BATCHES: Final = (1, 8)
"""Images at a time in the comparison with an LSTM: one, where positions are all there is to do at once, and several."""


@dataclass(frozen=True)
class Setting:
    """What is timed or counted; a row's columns beside the figure itself."""

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
    """Where things are timed: device class, precision (fp32, bf16), the hardware's name."""

    device: str = "cpu"
    precision: str = "fp32"
    name: str = "unknown"

    def step(self, setting: Setting, model: nn.Module, image: ImageSpec, layout: torch.memory_format) -> Step:
        """The step of a setting in a memory format, its images (noise) and labels made."""
        model = model.to(self.device, memory_format=layout)
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
    """A setting and how its step is made."""

    setting: Setting
    image: ImageSpec
    make: Callable[[], nn.Module]
    layout: torch.memory_format = torch.contiguous_format

    def step(self, machine: Machine) -> Step:
        """The step, all its tensors made."""
        return machine.step(self.setting, self.make(), self.image, self.layout)


def family_rows(
    entries: Iterable[tuple[str, Architecture, int, Rung]], image: ImageSpec, rounds: int, machine: Machine
) -> list[dict[str, Any]]:
    """Seconds per image of training and prediction of every (name, what it builds, batch, size)."""
    timed = []
    for name, architecture, batch, rung in entries:
        make = _maker(rung, image, architecture.options)
        from_width = get_family(rung.family).channels_last_from
        last = from_width is not None and rung.width >= from_width  # as it is trained
        for phase in PHASES:
            setting = Setting("families", name, phase, rung.params, rung.width, rung.depth, float(rung.params), batch)
            timed.append(Timed(setting, image, make, torch.channels_last if last else torch.contiguous_format))
    return _times(timed, rounds, machine)


def resolution_rows(rungs: Iterable[Rung], image: ImageSpec, rounds: int, machine: Machine) -> list[dict[str, Any]]:
    """FLOP, seconds and bytes an image of ViT and Swin by the side of the image, at the width and depth of each rung."""
    timed: list[Timed] = []
    rows = []
    for rung in rungs:
        for side in (*RESOLUTIONS, COUNTED_TO):
            there = replace(image, side=side)
            make = _maker(rung, there)
            model = sketch(make)
            batch = max(1, PIXELS_A_BATCH // side**2)
            place = Setting("resolution", rung.family, "", count_params(model), rung.width, rung.depth, float(side), batch)
            rows.append(_row(place, "flop_forward", forward_flop(model, there), "FLOP/image"))
            if side <= RESOLUTIONS[-1]:
                timed += [Timed(replace(place, phase=phase), there, make) for phase in PHASES]
    return rows + _times(timed, rounds, machine) + _memory(timed, machine)


def sequence_rows(rung: Rung, image: ImageSpec, rounds: int, machine: Machine) -> list[dict[str, Any]]:
    """A ViT and an LSTM over the same patches by the number of positions: seconds an image, FLOP, chain of dependent steps.

    On a CPU with one thread and with as many as there are cores: what can be done at once gains from more of them.
    """
    cores = os.cpu_count() or 1
    threads = (1, cores) if machine.device == "cpu" and cores > 1 else (1,)
    timed: list[Timed] = []
    rows = []
    for side in SIDES:
        there = replace(image, side=side)
        positions = float((round_up(side, PATCH) // PATCH) ** 2)
        for family, make in matched_pair(rung.width, rung.depth, there).items():
            model = sketch(make)
            place = Setting("sequence", family, "", count_params(model), rung.width, rung.depth, positions, 1)
            rows.append(_row(place, "flop_forward", forward_flop(model, there), "FLOP/image"))
            rows.append(_row(place, "chain", chain_length(make(), there), "matrix products"))
            timed += [
                Timed(replace(place, phase=phase, batch=batch, threads=count), there, make)
                for phase in PHASES
                for batch in BATCHES
                for count in (threads if batch == 1 else (1,))
            ]
    return rows + _times(timed, rounds, machine)


def paper_rows() -> list[dict[str, Any]]:
    """N and FLOP of AlexNet and GoogLeNet in their papers' sizes."""
    return [{"measure": "paper-sizes", "phase": "", "x": 224.0} | row for row in paper_size_counts()]


def measure(
    measures: Iterable[str],
    ladders: Ladders,
    image: ImageSpec,
    *,
    entries: Mapping[str, tuple[Architecture, int, list[int]]],
    transformer_size: int,
    rounds: int,
    machine: Machine,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Rows of everything in ``measures``: families, resolution, sequence, paper-sizes.

    Args:
        entries: name -> what it builds, images a step (as it is trained), target N at which it is timed.
        transformer_size: target N of the ViT and Swin whose images are made larger.
        rounds: timings of each setting.
        say: is told what is measured next.
    """
    torch.set_num_threads(1)

    def transformer(family: str) -> Rung:
        return ladders.rung(family, transformer_size, image)

    rows = []
    for name in measures:
        say(f"measuring {name}")
        if name == "families":
            rungs = [
                (entry, architecture, batch, ladders.rung(architecture, target, image))
                for entry, (architecture, batch, targets) in sorted(entries.items())
                for target in targets
            ]
            rows += family_rows(rungs, image, rounds, machine)
        elif name == "resolution":
            rows += resolution_rows([transformer("vit"), transformer("swin")], image, rounds, machine)
        elif name == "sequence":
            rows += sequence_rows(transformer("vit"), image, rounds, machine)
        elif name == "paper-sizes":
            rows += paper_rows()
        else:
            raise ValueError(f"no measure is called {name!r}; there are families, resolution, sequence, paper-sizes")
    here = {"device": machine.device, "precision": machine.precision, "machine": machine.name}
    return [here | {"torch_version": torch.__version__} | row for row in rows]


def _maker(rung: Rung, image: ImageSpec, options: Iterable[tuple[str, Option]] = ()) -> Callable[[], nn.Module]:
    return lambda: build(rung.family, rung.width, rung.depth, image, options=options)


def _times(timed: list[Timed], rounds: int, machine: Machine) -> list[dict[str, Any]]:
    found = time_rounds({one.setting: one.step(machine) for one in timed}, rounds)
    return [
        _row(setting, "seconds", seconds / setting.batch, "s/image", number)
        for setting, values in found.items()
        for number, seconds in enumerate(values)
    ]


def _memory(timed: list[Timed], machine: Machine) -> list[dict[str, Any]]:
    rows = []
    for number in range(MEMORY_ROUNDS):
        for one in timed:
            peak = peak_bytes(partial(one.step, machine), machine.device)
            if peak is not None:
                rows.append(_row(one.setting, "memory", peak / one.setting.batch, "B/image", number))
    return rows


def _row(setting: Setting, quantity: str, value: float, unit: str, number: int | None = None) -> dict[str, Any]:
    return vars(setting) | {"quantity": quantity, "value": float(value), "unit": unit, "repeat": number}
