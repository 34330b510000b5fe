"""The job that tunes a family's learning rate, and what other jobs read of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache

from scaling.data import Look, load
from scaling.files import write_atomic
from scaling.jobs.job_errors import JobError
from scaling.jobs.runner import PackRunner
from scaling.jobs.training_job import TrainingJob
from scaling.models.ladder import Ladders
from scaling.runs.job_hashes import tuning_hash
from scaling.runs.resolve import DamagedTuning, Tuning, read_tuning
from scaling.runs.store import Store
from scaling.study.precision_rule import asked_precision
from scaling.study.study_images import image_spec, look_at_images
from scaling.training.device import detect
from scaling.training.tuning import tune


def tune_family(job: TrainingJob, family: str) -> Tuning:
    """Tune the learning rate of ``family`` and write what was found; candidates that are in the store are not trained again.

    Raises:
        JobError: the study has no such family.
        DataError, DeviceError: the images or the device that the study asks for are not there.
        Stopped: the job was stopped before its end.
    """
    study, layout = job.study, job.layout
    if family not in study.families:
        raise JobError(f"{job.path} has no family {family}; it has {', '.join(study.families)}")
    with job.attempt("tune", family, family) as attempt:
        device = detect(study.device, asked_precision(study))

        @cache
        def runner() -> PackRunner:  # made when there is something to train: fixed learning rates skip tuning
            return job.runner(f"tune {family}", device, attempt)

        found = tune(
            study,
            family,
            device=device,
            checksum=load(job.prepared_images(), verify=False).checksum,
            image=image_spec(study),
            ladders=Ladders(layout.ladders),
            store=Store(layout.store),
            train=lambda cells: job.train(cells, runner(), attempt),
        )
    found = replace(found, settings=tuning_hash(study, family))
    write_atomic(layout.tuning(family), found.text().encode())
    return found


def tuning_of(job: TrainingJob, family: str) -> Tuning:
    """What tuning found for ``family``.

    A file that is damaged, or was made with other settings, is named, set aside and made again: its candidates are stored.

    Raises:
        JobError: the family was never tuned.
        DataError, DeviceError, Stopped: as ``tune_family`` does.
    """
    path = job.layout.tuning(family)
    images = look_at_images(job.study, job.layout)
    try:
        found = read_tuning(job.study, job.layout, family, images)
        if found is not None:
            return found
        trouble = f"{path}: made for another family or study, or with other settings than {job.path} has now"
        if read_tuning(job.study, job.layout, family, Look()) is not None:
            trouble = f"{path}: made for other images than there are now"
    except DamagedTuning as error:
        trouble = str(error)
    aside = path.with_suffix(".damaged")
    try:
        shutil.copyfile(path, aside)  # the file itself stays until another takes its place: other jobs look for it
    except FileNotFoundError as error:
        raise JobError(f"{path} is missing: run `scaling tune {job.path} {family}` first") from error
    job.say(f"{trouble}; set aside as {aside.name}, the rate is read again from the candidates in the store")
    return tune_family(job, family)
