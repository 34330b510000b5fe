"""What larger images cost a ViT and a Swin: FLOP, time and memory against the side of the image."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from scaling.jobs.benchmarks.settings import Benchmark, Request, Row, Setting, Timed, maker, memory, row, times
from scaling.jobs.benchmarks.speed import PHASES
from scaling.models.counting import count_params, forward_flop, sketch

RESOLUTIONS: Final = (32, 48, 64, 96, 128, 192, 256)
"""Sides in pixels at which time and memory are measured."""
COUNTED_TO: Final = 512
"""Side in pixels to which FLOP are counted too."""
PIXELS_PER_BATCH: Final = 2 * 256**2
"""Pixels per batch, the same at every side, so that the overhead of calls is the same share of every step."""


def resolution_rows(asked: Request) -> list[Row]:
    """FLOP, seconds and bytes per image of ViT and Swin at each side, all at one width and depth per family."""
    timed: list[Timed] = []
    rows: list[Row] = []
    for rung in (asked.transformer("vit"), asked.transformer("swin")):
        for side in (*RESOLUTIONS, COUNTED_TO):
            there = replace(asked.image, side=side)
            make = maker(rung, there)
            model = sketch(make)
            batch = max(1, PIXELS_PER_BATCH // side**2)
            setting = Setting("resolution", rung.family, "", count_params(model), rung.width, rung.depth, float(side), batch)
            rows.append(row(setting, "flop_forward", forward_flop(model, there), "FLOP/image"))
            if side <= RESOLUTIONS[-1]:
                timed += [Timed(replace(setting, phase=phase), there, make) for phase in PHASES]
    return rows + times(timed, asked.rounds, asked.machine) + memory(timed, asked.machine)


benchmark = Benchmark(
    description="ViT and Swin from 32 to 256 pixels",
    rows=resolution_rows,
    seconds=(6, 3),
    transformers=("vit", "swin"),
)
