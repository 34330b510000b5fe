"""The learning curves of finished runs as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import polars as pl

from scaling.runs.store import Store

CURVE_SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "key": pl.String,
    "step": pl.Int64,
    "train_loss": pl.Float64,
    "validation_loss": pl.Float64,
}
"""Columns of the table: one row per evaluation, losses in nats."""


def learning_curves(store: Store, keys: Iterable[str], warn: Callable[[str], None]) -> pl.DataFrame:
    """The evaluations of the runs ``keys`` in the order of training; runs without a record that can be read are left out."""
    rows = [
        {"key": key} | {name: point.get(name) for name in ("step", "train_loss", "validation_loss")}
        for key in keys
        if (record := store.read_or_discard(key, warn)) is not None
        for point in record.curve
    ]
    return pl.DataFrame(rows, schema=CURVE_SCHEMA)
