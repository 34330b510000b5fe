"""The block ``jobs`` of a study: how its runs are bundled into jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from scaling.study.file_paths import FilePath
from scaling.study.recipe import Number, Strict
from scaling.study.spaced import Count


class Jobs(Strict):
    """How runs are bundled into jobs. Nothing here changes a result."""

    pack: Literal["family", "size", "cell"] | None = Field(
        default=None, description="one job trains all runs of a family (null too), all of a (family, N), or one run (cell)"
    )
    minutes: Annotated[Number, Field(ge=1)] | None = Field(
        default=None,
        description="instead of `pack`: a job is as many runs as take this many minutes, by a calibration, its start included",
    )
    calibration: FilePath = Field(
        default=Path("calibration.json"),
        description="the file that `scaling calibrate` writes: how fast the jobs' machine trains",
    )
    cores: Count | None = Field(
        default=None,
        description="cores of a training job: it trains as many runs at a time; null = one here, on a cluster as many as its "
        "profile gives a job",
    )
    gpus_per_run: Count = Field(
        default=1,
        description="GPUs that train one run together, each with its slice of the batch: for models of hundreds of millions of "
        "parameters",
    )
    checkpoint_seconds: Annotated[Number, Field(ge=0)] = Field(
        default=60,
        description="seconds between checkpoints of a run, more where writing them would take above 2 % of its time; "
        "0 = one after each step",
    )

    @property
    def at_a_time(self) -> int:
        """Runs that a job is taken to train at a time."""
        return self.cores or 1

    @field_validator("minutes")
    @classmethod
    def _one_size(cls, minutes: float | None, info: ValidationInfo) -> float | None:
        if minutes is not None and info.data.get("pack") is not None:
            raise ValueError(f"a job's size is given twice, by pack: {info.data['pack']} and by minutes; keep one")
        return minutes
