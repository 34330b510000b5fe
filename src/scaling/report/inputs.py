"""All that a report is made from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from scaling.analysis.rate_error import RateError
from scaling.jobs.job_notes import JobNote
from scaling.report.asked_images import AskedImages
from scaling.runs.learning_curves import CURVE_SCHEMA


@dataclass(frozen=True)
class ReportInputs:
    """All that a report is made from."""

    study: dict[str, Any]
    """the resolved study as a plain dict: name, description, data, families, grid, recipe"""
    runs: pl.DataFrame
    """the runs table, columns as in ``records.SCHEMA``, one row per run of the study, whatever its status"""
    fits: dict[str, Any]
    """fits.json, or an empty dict where nothing is fitted yet"""
    tuning: dict[str, dict[str, Any]]
    """by family, what tuning found: rule, anchors with their candidates, failure"""
    environment: dict[str, Any]
    """versions of python, torch, timm, snakemake; machine, cores, commit"""
    plan: dict[str, Any] | None
    """what was predicted before the run (cells, hours), or None"""
    partial: bool
    """whether the study was still incomplete when the report was asked for"""
    command: str
    """the command that made the results"""
    claims: list[dict[str, Any]] = field(default_factory=list)
    """claims.json: the claims that the study tests, with their verdicts"""

    images: np.ndarray | None = None
    """the first test images, uint8 [n, channels, side, side], for the pictures of claims; None where they are not prepared"""

    asked: AskedImages | None = None
    """test images with what models said of them; None where the images are not prepared"""

    architectures: list[dict[str, Any]] = field(default_factory=list)
    """what each family looks like in its largest size, by `architectures` of architectures.py"""

    notes: list[JobNote] = field(default_factory=list)
    """what each job asked for and used"""

    size_notes: list[str] = field(default_factory=list)
    """what of the study's sizes was moved into a family's range, or has no effect"""

    rate_errors: list[RateError] = field(default_factory=list)
    """by family, what is known of its learning rate and what an error in it would do"""

    next_runs: dict[str, Any] | None = None
    """what to train next, by `next_section` of next_table.py; None where no family has a law"""

    curves: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CURVE_SCHEMA))
    """the evaluations during training, by `learning_curves`"""

    def with_laws(self) -> ReportInputs:
        """The same inputs, restricted to the families that have laws; all families where nothing is fitted yet."""
        named = [verdict["family"] for verdict in self.fits.get("verdicts", [])]
        if not named:
            return self
        runs = self.runs.filter(pl.col("family").is_in(named))
        return replace(self, runs=runs, tuning={family: own for family, own in self.tuning.items() if family in named})
