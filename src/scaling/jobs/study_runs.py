"""The runs of a study as the store has them now, for those who only read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from scaling.jobs.collected import Collected
from scaling.jobs.job_errors import MissingWork
from scaling.jobs.owner import open_own
from scaling.runs.records import DONE


def own_runs(path: Path, say: Callable[[str], None]) -> pl.DataFrame:
    """The runs table of the study at ``path``, without the entries for which no laws are fitted; nothing is written.

    Raises:
        StudyError: the study is not valid.
        MissingWork: no run is done.
    """
    study, layout = open_own(path, say, take=False)
    runs = Collected(study, layout, say).runs.filter(pl.col("family").is_in(study.with_laws()))
    if not (runs["status"] == DONE).any():
        raise MissingWork(f"no run of {path} is done: run `snakemake --cores all --config study={path}` first")
    return runs
