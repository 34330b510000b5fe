"""All that a report is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class ReportInputs:
    """All that a report is made from."""

    study: dict[str, Any]
    """the resolved study as a plain dict: name, description, data, families, grid, recipe"""
    runs: pl.DataFrame
    """the runs table, columns as in ``records.SCHEMA``, one row a cell of the study, whatever its status"""
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
