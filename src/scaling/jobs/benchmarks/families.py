"""How long a step of training and of prediction takes, for each family at the sizes of the study."""

from __future__ import annotations

import torch

from scaling.jobs.benchmarks.settings import Benchmark, Request, Row, Setting, Timed, maker, times
from scaling.jobs.benchmarks.speed import PHASES
from scaling.models import get_family


def family_rows(asked: Request) -> list[Row]:
    """Seconds per image of training and prediction of every entry at every size, at its own batch of training."""
    sizes = [
        (name, architecture, batch, asked.ladders.rung(architecture, target, asked.image))
        for name, (architecture, batch, targets) in sorted(asked.entries.items())
        for target in targets
    ]
    timed = []
    for name, architecture, batch, rung in sizes:
        make = maker(rung, asked.image, architecture.options)
        from_width = get_family(rung.family).channels_last_from
        last = from_width is not None and rung.width >= from_width  # as it is trained
        for phase in PHASES:
            setting = Setting("families", name, phase, rung.params, rung.width, rung.depth, float(rung.params), batch)
            timed.append(Timed(setting, asked.image, make, torch.channels_last if last else torch.contiguous_format))
    return times(timed, asked.rounds, asked.machine)


benchmark = Benchmark(description="training and prediction of each family, at its own batch", rows=family_rows)
