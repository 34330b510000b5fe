"""Whether runs can be trained on several GPUs each, checked before the first of a job begins."""

from __future__ import annotations

from collections.abc import Iterable

from scaling.jobs.job_errors import JobError
from scaling.models.family import ImageSpec, Regularisation
from scaling.runs.grid import Run
from scaling.training.device import Device


def check_gpus(count: int, device: Device, runs: Iterable[Run], image: ImageSpec) -> None:
    """Check that ``count`` GPUs can train each of ``runs``, on images of the shape ``image``, together. Raises JobError."""
    where = f"jobs.gpus_per_run: received {count}"
    if device.kind != "cuda":
        raise JobError(f"{where}, but runs are trained on {device.kind} here; allowed: 1")
    if count > device.count:
        raise JobError(
            f"{where}, but this job sees {device.count} GPU{'s' * (device.count > 1)}: start it where there are more, ask for "
            f"`gpu: {count}` in slurm/config.yaml, or lower the number"
        )
    import torch

    from scaling.models import build
    from scaling.training.ranks import has_batch_norm

    for family, width, depth, options in sorted({(run.family, run.width, run.depth, run.options) for run in runs})[:1]:
        with torch.device("meta"):
            model = build(family, width, depth, image, Regularisation(), options)
        if has_batch_norm(model):
            raise JobError(
                f"{where}, but {family} has batch norm: its statistics would be those of a slice of the batch; allowed: 1"
            )
