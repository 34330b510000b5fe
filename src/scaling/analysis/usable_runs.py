"""The runs of one family that a fit uses, and those that it leaves out, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from scaling.laws.forms.terms import Floats
from scaling.runs.records import DONE


@dataclass(frozen=True)
class Cells:
    """One family, one response.

    Attributes:
        family, kind, response: names.
        keys: of the n runs used.
        params, images, seeds, y, flop: N, D, seed, response and training compute [n].
        excluded: ``{"key", "why"}`` of every run left out.
    """

    family: str
    kind: str
    response: str
    keys: list[str]
    params: Floats
    images: Floats
    seeds: Floats
    y: Floats
    flop: Floats
    excluded: list[dict[str, str]]

    @property
    def logs(self) -> Floats:
        """Log N and log D of each run [n, 2]."""
        return np.log(np.column_stack([self.params, self.images]))

    def table(self) -> pl.DataFrame:
        """Columns family, params, images, y, one row per run."""
        frame = pl.DataFrame({"params": self.params, "images": self.images, "y": self.y})
        return frame.with_columns(pl.lit(self.family).alias("family"))


def cells_of(runs: pl.DataFrame, family: str, response: str) -> Cells:
    """Runs of a family whose status is done and whose response has a logarithm.

    Args:
        runs: the runs table; family: a value of its column family; response: column.
    """
    rows = runs.filter(pl.col("family") == family)
    value = pl.col(response)
    why = (
        pl.when(pl.col("status") != DONE)
        .then(pl.col("status"))
        .when(value.is_null() | value.is_nan() | value.is_infinite())
        .then(pl.lit(f"{response} is not a number"))
        .when(value <= 0)
        .then(pl.lit(f"{response} is 0: its logarithm is not defined"))
    )
    rows = rows.with_columns(why.alias("_why"))
    left = rows.filter(pl.col("_why").is_not_null())
    kept = rows.filter(pl.col("_why").is_null())
    params, images, seeds, y, flop = (
        kept[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("params", "images", "seed", response, "flop")
    )
    return Cells(
        family,
        str(rows["kind"][0]),
        response,
        kept["key"].to_list(),
        params,
        images,
        seeds,
        y,
        flop,
        [{"key": key, "why": text} for key, text in left.select("key", "_why").iter_rows()],
    )
