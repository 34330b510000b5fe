"""Fits as a tidy table: one row per group and parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl


def fit_frame(entries: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """What ``fit_table`` returns, with columns: those of the groups, law, status, rows, parameter, estimate, low, high, reason.

    ``low`` and ``high`` are the ends of the interval that is right if the law holds, null where ``reason`` says why there is
    none. A group without a law has one row without a parameter.
    """
    groups = list(entries[0]["group"]) if entries else []
    texts = dict.fromkeys((*groups, "law", "status"), pl.String)
    schema = texts | {"rows": pl.Int64, "parameter": pl.String, "estimate": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    rows = []
    for entry in entries:
        head = {**entry["group"], **{name: entry[name] for name in ("law", "status", "rows")}}
        reasons = entry["reasons"]
        for name, value in (entry["parameters"] or {None: None}).items():
            low, high = entry["intervals"].get(name) or (None, None)
            lacking = None if low is not None else reasons.get(name) or reasons.get("intervals") or reasons.get("all")
            rows.append(head | {"parameter": name, "estimate": value, "low": low, "high": high, "reason": lacking})
    return pl.DataFrame(rows, schema=schema | {"reason": pl.String})
