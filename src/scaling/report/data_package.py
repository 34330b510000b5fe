"""datapackage.json: what the columns of a report's tables are, in the form of the Data Package standard (datapackage.org).

pandas, R's frictionless and many archives of data read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import polars as pl

from scaling.runs.records import COLUMNS, Column

_OF_RUNS: Final = {column.name: column for column in COLUMNS}

LAW_COLUMNS: Final = (
    *(_OF_RUNS[name] for name in ("family", "kind")),
    Column("response", pl.String, "", "what the law is of: loss or error"),
    Column("law", pl.String, "", "name of the law's form"),
    Column("formula", pl.String, "", "the form: N parameters, D images"),
    Column(
        "status",
        pl.String,
        "",
        "converged; at-bound: a parameter is at the rim of its range; not-identifiable: one has no interval; else no fit",
    ),
    Column("cells", pl.Int64, "runs", "runs that were fitted"),
    Column("parameter", pl.String, "", "parameter of the form; null where there is no fit"),
    Column("estimate", pl.Float64, "", "its value; E, A and B are in units of the response"),
    Column("standard_error", pl.Float64, "", "its standard deviation over simulated studies with the noise of this one"),
    Column("low", pl.Float64, "", "lower end of its 95 % interval; null where the grid cannot determine it"),
    Column("high", pl.Float64, "", "upper end of its 95 % interval"),
    Column("reason", pl.String, "", "why there is no interval or no fit"),
    Column("residual_rms_log", pl.Float64, "", "root of the mean squared residual of the log of the response"),
    Column("noise_rms_log", pl.Float64, "", "standard deviation of that log between seeds of one N and D; null without any"),
)
"""Of laws.csv."""

RATE_COLUMNS: Final = (
    *(_OF_RUNS[name] for name in ("family", "params", "images", "learning_rate")),
    Column("best_rate", pl.Float64, "1/step", "best rate there, by the family's law of the rate"),
    Column("low", pl.Float64, "1/step", "lower end of its 95 % interval; null where the candidates do not bound it"),
    Column("high", pl.Float64, "1/step", "upper end of its 95 % interval"),
)
"""Of rates.csv."""

CLAIM_COLUMNS: Final = (
    Column("claim", pl.String, "", "name of the claim, or of one of its parts (claim/part)"),
    Column("statement", pl.String, "", "what it asserts"),
    Column("statistic", pl.String, "", "what the effect of a part is"),
    Column("effect", pl.Float64, "unit", "what was measured"),
    Column("low", pl.Float64, "unit", "lower end of its 95 % interval"),
    Column("high", pl.Float64, "unit", "upper end of its 95 % interval"),
    Column("p_adjusted", pl.Float64, "", "p of a deciding part of a primary claim, corrected for their number (Holm)"),
    Column("verdict", pl.String, "", "of the claim or the part, by the rule in the claim's file"),
    Column("cells", pl.Int64, "runs", "runs behind it"),
    Column("unit", pl.String, "", "unit of effect, low, high, threshold and margin"),
    Column("primary", pl.Boolean, "", "decided at the level of 0.05 over all primary claims together"),
    Column("decides", pl.Boolean, "", "the part decides on the claim; the others are reported"),
    Column("p", pl.Float64, "", "p of the part before correction"),
    Column("threshold", pl.Float64, "unit", "effect that the claim asserts at least"),
    Column("margin_low", pl.Float64, "unit", "effects between margin_low and margin_high do not matter"),
    Column("margin_high", pl.Float64, "unit", "upper end of the margin"),
    Column("note", pl.String, "", "the verdict in a sentence, or what limits it"),
    Column("keys", pl.String, "", "keys of the runs behind a part, in runs.csv"),
)
"""Of claims.csv."""

TABLES: Final[Mapping[str, tuple[Column, ...]]] = {
    "runs": COLUMNS,
    "laws": LAW_COLUMNS,
    "rates": RATE_COLUMNS,
    "claims": CLAIM_COLUMNS,
}
"""Columns of ``<name>.csv``."""

TYPES: Final = {pl.String: "string", pl.Int64: "integer", pl.Float64: "number", pl.Boolean: "boolean"}
"""Types of polars by the names of Table Schema."""


def schema(name: str) -> dict[str, Any]:
    """The columns of ``<name>.csv`` as polars wants them: name -> type."""
    return {column.name: column.dtype for column in TABLES[name]}


def describe_tables(study: Mapping[str, Any], names: Sequence[str]) -> str:
    """datapackage.json for the tables ``names`` of a study (its name, title and description)."""
    package = {
        "name": study["name"],
        "title": study.get("title") or study["name"],
        "description": study.get("description") or "",
        "contributors": [{"title": f"scaling {version('scaling')}", "role": "wrangler"}],
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "schema": {"fields": [_field(column) for column in TABLES[name]], "missingValues": [""]},
            }
            for name in names
        ],
    }
    return json.dumps(package, indent=1, ensure_ascii=False) + "\n"


def _field(column: Column) -> dict[str, str]:
    field = {"name": column.name, "type": TYPES[column.dtype], "description": column.meaning}
    return field | ({"unit": column.unit} if column.unit else {})
