"""The table of times, memory and counts of a study: what is timed, in which settings, and what was found.

One thread on a CPU, as in training. Nothing here is a function of a cell's key: it is this machine's, on this day.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import nn

from scaling.measures.paper_sizes import paper_size_counts
from scaling.measures.sequence import SIDES, chain_length, matched_pair
from scaling.measures.speed import PHASES, Step, peak_bytes, prediction_step, time_rounds, training_step
from scaling.models import build, get_family
from scaling.models.counting import count_params, forward_flop, sketch
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders, Rung
from scaling.models.transformer import round_up
from scaling.models.vit import PATCH

RESOLUTIONS: Final = (32, 48, 64, 96, 128, 192, 256)
"""Sides in pixels at which time and memory are measured."""
COUNTED_TO: Final = 512
"""Side in pixels to which FLOP are counted too."""
PIXELS_A_BATCH: Final = 2 * 256**2
"""The batch holds as many pixels at every side, so that a step is as long and the calls' overhead the same share of it."""
MEMORY_ROUNDS: Final = 3
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
    side: int
    batch: int
    positions: int | None = None
    threads: int = 1


@dataclass(frozen=True)
class Machine:
    """Where things are timed: device class, precision (fp32, bf16)."""

    device: str = "cpu"
    precision: str = "fp32"

    def step(self, setting: Setting, model: nn.Module, image: ImageSpec) -> Step:
        """The step of a setting, its images (noise) and labels made."""
        model = model.to(self.device)
        images = torch.randn(setting.batch, image.channels, image.side, image.side, device=self.device)
        if setting.family != "lstm":
            from_width = get_family(setting.family).channels_last_from
            if from_width is not None and setting.width >= from_width:  # as they are trained
                model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
        labels = torch.arange(setting.batch, device=self.device) % image.classes
        step = prediction_step(model, images) if setting.phase == "prediction" else training_step(model, images, labels)
        kind, bf16 = images.device.type, self.precision == "bf16"

        def here() -> None:
            if torch.get_num_threads() != setting.threads:
                torch.set_num_threads(setting.threads)
            with torch.autocast(kind, torch.bfloat16, enabled=bf16):
                step()

        return here


Timed = tuple[Setting, ImageSpec, Callable[[], nn.Module]]


def family_rows(rungs: Iterable[Rung], image: ImageSpec, batch: int, rounds: int, machine: Machine) -> list[dict[str, Any]]:
    """Seconds an image of training and prediction of every rung, at the batch of training."""
    timed: list[Timed] = []
    for rung in rungs:
        for phase in PHASES:
            setting = Setting("families", rung.family, phase, rung.params, rung.width, rung.depth, image.side, batch)
            timed.append((setting, image, _maker(rung.family, rung.width, rung.depth, image)))
    return _times(timed, rounds, machine)


def resolution_rows(rungs: Iterable[Rung], image: ImageSpec, rounds: int, machine: Machine) -> list[dict[str, Any]]:
    """FLOP, seconds and bytes an image of ViT and Swin by the side of the image, at the width and depth of each rung."""
    timed: list[Timed] = []
    rows = []
    for rung in rungs:
        for side in (*RESOLUTIONS, COUNTED_TO):
            there = replace(image, side=side)
            make = _maker(rung.family, rung.width, rung.depth, there)
            model = sketch(make)
            batch = max(1, PIXELS_A_BATCH // side**2)
            place = Setting("resolution", rung.family, "", count_params(model), rung.width, rung.depth, side, batch)
            rows.append(_row(place, "flop_forward", forward_flop(model, there), "FLOP/image"))
            if side <= RESOLUTIONS[-1]:
                timed += [(replace(place, phase=phase), there, make) for phase in PHASES]
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
        positions = (round_up(side, PATCH) // PATCH) ** 2
        for family, make in matched_pair(rung.width, rung.depth, there).items():
            model = sketch(make)
            place = Setting("sequence", family, "", count_params(model), rung.width, rung.depth, side, 1, positions)
            rows.append(_row(place, "flop_forward", forward_flop(model, there), "FLOP/image"))
            rows.append(_row(place, "chain", chain_length(make(), there), "matrix products"))
            timed += [
                (replace(place, phase=phase, batch=batch, threads=count), there, make)
                for phase in PHASES
                for batch in BATCHES
                for count in threads
            ]
    return rows + _times(timed, rounds, machine)


def paper_rows() -> list[dict[str, Any]]:
    """N and FLOP of AlexNet and GoogLeNet in their papers' sizes."""
    return [{"measure": "paper-sizes", "phase": "", "side": 224} | row for row in paper_size_counts()]


def measure(
    measures: Iterable[str],
    ladders: Ladders,
    image: ImageSpec,
    *,
    sizes: dict[str, list[int]],
    transformer_size: int,
    batch: int,
    rounds: int,
    machine: Machine,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Rows of everything in ``measures``: families, resolution, sequence, paper-sizes.

    Args:
        sizes: family -> target N at which it is timed.
        transformer_size: target N of the ViT and Swin whose images are made larger.
        batch: images a step in the timing of families.
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
            rungs = [ladders.rung(family, target, image) for family, targets in sizes.items() for target in targets]
            rows += family_rows(rungs, image, batch, rounds, machine)
        elif name == "resolution":
            rows += resolution_rows([transformer("vit"), transformer("swin")], image, rounds, machine)
        elif name == "sequence":
            rows += sequence_rows(transformer("vit"), image, rounds, machine)
        elif name == "paper-sizes":
            rows += paper_rows()
        else:
            raise ValueError(f"no measure is called {name!r}; there are families, resolution, sequence, paper-sizes")
    return rows


def _maker(family: str, width: float, depth: int, image: ImageSpec) -> Callable[[], nn.Module]:
    return lambda: build(family, width, depth, image)


def _times(timed: list[Timed], rounds: int, machine: Machine) -> list[dict[str, Any]]:
    steps = {setting: machine.step(setting, make(), image) for setting, image, make in timed}
    return [
        _row(setting, "seconds", seconds / setting.batch, "s/image", number)
        for setting, values in time_rounds(steps, rounds).items()
        for number, seconds in enumerate(values)
    ]


def _memory(timed: list[Timed], machine: Machine) -> list[dict[str, Any]]:
    rows = []
    for number in range(MEMORY_ROUNDS):
        for setting, image, make in timed:

            def step(setting: Setting = setting, image: ImageSpec = image, make: Callable = make) -> Step:
                return machine.step(setting, make(), image)

            peak = peak_bytes(step, machine.device)
            if peak is not None:
                rows.append(_row(setting, "memory", peak / setting.batch, "B/image", number))
    return rows


def _row(setting: Setting, quantity: str, value: float, unit: str, number: int | None = None) -> dict[str, Any]:
    return vars(setting) | {"quantity": quantity, "value": float(value), "unit": unit, "repeat": number}
