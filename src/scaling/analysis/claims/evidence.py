"""What claims are judged on: the runs table, the measurements and the laws, with a clear message for what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import polars as pl

from scaling.analysis.claims.claim import MissingEvidence
from scaling.runs.records import DIVERGED, DONE, MISSING

UNTRAINED: Final = " is not trained yet"
"""How the reason ends why a part of a study that is still incomplete cannot be judged."""


_COLUMNS: Final = {"target_params": "N", "params": "N", "images": "D"}


@dataclass(frozen=True)
class Evidence:
    """All that a claim may use.

    Attributes:
        runs: the runs table of the study.
        classes: number of classes K.
        measurement_table: the tables of measurements (``records``), one below the other, or None.
        fits: laws and verdicts (``fits.json``), or empty.
    """

    runs: pl.DataFrame
    classes: int
    measurement_table: pl.DataFrame | None = None
    fits: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _by_arm(self) -> dict[str, pl.DataFrame]:
        """The runs of each arm: parts of a claim ask for the same arms many times."""
        return {str(arm): rows for (arm,), rows in self.runs.partition_by("family", as_dict=True).items()}

    @cached_property
    def _read(self) -> dict[tuple, dict[int, float]]:
        """What ``by_seed`` has answered: the arms over which noise is pooled are asked for by many parts of a claim."""
        return {}

    def cells(self, arm: str, *, chance_loss: bool = False, **where: float) -> pl.DataFrame:
        """The finished runs of ``arm`` with the values that ``where`` names, such as images=1000.

        Args:
            arm: an entry of the study's families.
            chance_loss: keep diverged runs, with the loss and error of guessing; else they are left out.
            where: column -> value; target_params for N, which is never met exactly.

        Raises:
            MissingEvidence: if there is none, with the reason.
        """
        rows = self._by_arm.get(arm)
        if rows is None:
            raise MissingEvidence(f"the study has no entry {arm}")
        for column, value in where.items():
            rows = rows.filter(pl.col(column) == value)
        if chance_loss:
            lost = pl.col("status") == DIVERGED
            rows = rows.with_columns(
                pl.when(lost).then(math.log(self.classes)).otherwise(pl.col("loss")).alias("loss"),
                pl.when(lost).then(1 - 1 / self.classes).otherwise(pl.col("error")).alias("error"),
            )
        kept = rows.filter(pl.col("status").is_in([DONE, DIVERGED] if chance_loss else [DONE]))
        if kept.is_empty():
            point = ", ".join(f"{_COLUMNS.get(column, column)} = {value:,g}" for column, value in where.items())
            subject, states = f"{arm}{' at ' * bool(point)}{point}", sorted(set(rows["status"]))
            if states == [MISSING]:
                raise MissingEvidence(subject + UNTRAINED)
            raise MissingEvidence(f"{subject} has no finished run ({', '.join(states) or 'not in the study'})")
        return kept

    def by_seed(self, arm: str, response: str = "loss", *, chance_loss: bool = False, **where: float) -> dict[int, float]:
        """Seed -> ``response`` of an arm that has one size and data size, or whose size ``where`` names.

        Raises:
            MissingEvidence: if there is no such run, or there are several with one seed.
        """
        asked = (arm, response, chance_loss, *sorted(where.items()))
        if asked not in self._read:
            rows = self.cells(arm, chance_loss=chance_loss, **where)
            seeds = rows["seed"].to_list()
            if len(set(seeds)) < len(seeds):
                raise MissingEvidence(f"{arm} has several runs with one seed: name its size or data size")
            pairs = zip(seeds, rows[response].to_list(), strict=True)
            self._read[asked] = {seed: value for seed, value in pairs if value is not None}
        return dict(self._read[asked])

    def keys(self, *arms: str, **where: float) -> tuple[str, ...]:
        """Keys of the finished runs of ``arms``; arms without any are left out."""
        rows = self.runs.filter(pl.col("family").is_in(arms) & pl.col("status").is_in([DONE, DIVERGED]))
        for column, value in where.items():
            rows = rows.filter(pl.col(column) == value)
        return tuple(rows["key"])

    def measurements(self, measure: str, quantity: str, **where: Any) -> pl.DataFrame:
        """Rows of the tables of measurements.

        Args:
            measure: name of the probe or benchmark; quantity: what it measured.
            where: column -> value, or several values.

        Raises:
            MissingEvidence: if there are none, with the reason.
        """
        family = where.get("family")
        if isinstance(family, str) and set(self.runs.filter(pl.col("family") == family)["status"]) == {MISSING}:
            raise MissingEvidence(family + UNTRAINED)
        if self.measurement_table is None:
            raise MissingEvidence("no measurements were made")
        rows = self.measurement_table.filter((pl.col("measure") == measure) & (pl.col("quantity") == quantity))
        for column, value in where.items():
            rows = rows.filter(pl.col(column).is_in(value) if isinstance(value, list | tuple) else pl.col(column) == value)
        if rows.is_empty():
            named = {"family", "phase", "label"}
            point = ", ".join(str(at) if column in named else f"{column} {at}" for column, at in where.items())
            raise MissingEvidence(f"{measure} did not measure {quantity}{' of ' * bool(point)}{point}")
        return rows
