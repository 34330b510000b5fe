"""The job that times and counts what a study's block ``benchmarks`` asks for; it wants the machine to itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scaling.jobs.benchmarks.run_benchmarks import run_benchmarks
from scaling.jobs.benchmarks.settings import Machine, Request
from scaling.jobs.job_errors import JobError
from scaling.jobs.made_from import Origins
from scaling.jobs.owner import open_own
from scaling.jobs.packing import packs_of
from scaling.models.ladder import Ladders
from scaling.runs.derived import write_table
from scaling.runs.resolve import measurements_table
from scaling.study.precision_rule import asked_precision
from scaling.study.study_images import image_spec
from scaling.training.device import detect, full_fp32

BUSY: Final = 0.5
"""Load of the machine from which benchmarks are taken to be disturbed (assumption)."""


def benchmark_study(path: Path, say: Callable[[str], None]) -> None:
    """Time and count for the study at ``path``, and write its table of benchmarks; ``say`` prints a line for people.

    Raises:
        StudyError: the study is not valid.
        JobError: it asks for no benchmarks.
        DeviceError: the device that it asks for is not there.
    """
    study, layout = open_own(path, say)
    if study.benchmarks is None:
        raise JobError(f"{path} asks for no benchmarks: give it a block `benchmarks:`")
    device = detect(study.device, asked_precision(study))
    full_fp32()
    load = os.getloadavg()[0]
    if load > BUSY:
        say(f"other programs are running (load {load:.1f}): the benchmarks will be noisy")
    asked = Request(
        ladders=Ladders(layout.ladders),
        image=image_spec(study),
        entries={
            name: (study.architecture(name), study.family_recipe(name).batch, study.benchmarked_sizes(name))
            for name in study.benchmarked()
        },
        transformer_size=study.benchmarks.transformer_params,
        rounds=study.benchmarks.rounds,
        machine=Machine(device.kind, device.precision, device.machine),
    )
    rows = run_benchmarks(study.benchmarks.names, asked, say)
    write_table(measurements_table(rows), layout.benchmarks, Origins(study, layout, packs_of(study, layout)).benchmarks)
