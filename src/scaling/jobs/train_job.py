"""The job that trains the runs of one pack and writes their table."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from scaling.jobs.gpus_per_run import check_gpus
from scaling.jobs.job_errors import JobError
from scaling.jobs.packing import packs_of
from scaling.jobs.training_job import TrainingJob
from scaling.jobs.tune_job import tuning_of
from scaling.models.ladder import Ladders
from scaling.runs.grid import Pack
from scaling.runs.pack_table import write_pack_table
from scaling.runs.resolve import Tuning, resolve
from scaling.study.study_images import image_spec
from scaling.training.device import detect

if TYPE_CHECKING:
    from scaling.training.trunk import Trunk


def train_pack(job: TrainingJob, pack: str) -> pl.DataFrame:
    """Train the runs of ``pack`` and write their table, whatever became of each run.

    Returns:
        The runs table of the pack: one row per cell, those without a result included.

    Raises:
        JobError: the study has no such pack, or its family was never tuned.
        DataError, DeviceError: the images or the device that the runs need are not there.
        Stopped: the job was stopped before its end; no table is written.
    """
    members = _named(packs_of(job.study, job.layout), pack, job)
    _train(job, members)
    return write_pack_table(job.study, job.layout, members, job.say)


def _named(packs: Mapping[str, Pack], name: str, job: TrainingJob) -> Pack:
    if name in packs:
        return packs[name]
    near = difflib.get_close_matches(name, packs, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(packs)}"
    raise JobError(f"{job.path} has no job {name}; {hint}")


def _train(job: TrainingJob, pack: Pack) -> None:
    """Train the runs of ``pack``; none where tuning failed, for then their learning rate is not known."""
    tuning = tuning_of(job, pack.family)
    if tuning.rule is None:
        return
    ladders, image = Ladders(job.layout.ladders), image_spec(job.study)
    cells = [resolve(job.study, cell, tuning, ladders, image) for cell in pack.cells]
    trunks = _trunks(job, pack.family, tuning)
    shared = {run: trunk for trunk in trunks if len(trunk.leaves) > 1 for run in trunk.leaves}
    with job.attempt("train", pack.name, pack.family) as attempt:
        device = detect(tuning.device, tuning.precision)
        count = job.study.jobs.gpus_per_run
        if count > 1:
            check_gpus(count, device, cells, image)
        runner = job.runner(pack.name, device, attempt, job.study.entry(pack.family).probes, shared, count)
        job.train(cells, runner, attempt)
    for trunk in trunks:
        trunk.tidy(runner.store)


def _trunks(job: TrainingJob, family: str, tuning: Tuning) -> list[Trunk]:
    """What runs of ``family`` have in common with those of other lengths."""
    if job.study.family_recipe(family).schedule != "warmup-stable-decay":
        return []
    from scaling.jobs.shared_trunks import trunks_of  # torch takes seconds to import

    return trunks_of(job.study, job.layout, family, tuning)
