"""Tables for a paper, as LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from scaling.laws.any_table.tidy import fit_frame
from scaling.report.terminal_numbers import digits_of

PACKAGES = "% needs \\usepackage{booktabs}"


def latex_of_fits(entries: Sequence[Mapping[str, Any]]) -> str:
    """What ``fit_table`` returns: one line per group and parameter, with 95 % intervals."""
    return latex_of(fit_frame(entries))


def latex_of_comparison(result: Mapping[str, Any]) -> str:
    """What ``compare_table`` returns: skill and parameters of each family, then the contrasts of all pairs."""
    entries = [one["fit"] | {"group": {"family": one["family"]}} for one in result["families"]]
    skills = pl.DataFrame(
        [
            {
                "family": one["family"],
                "rows": one["fit"]["rows"],
                "parameter": "skill",
                "estimate": one["verdict"]["skill"],
                "low": (one["verdict"]["skill_interval"] or (None, None))[0],
                "high": (one["verdict"]["skill_interval"] or (None, None))[1],
            }
            for one in result["families"]
        ],
        schema_overrides=dict.fromkeys(("estimate", "low", "high"), pl.Float64),
    )
    parts = [latex_of(pl.concat([skills, fit_frame(entries)], how="diagonal").select(*skills.columns))]
    if result["pairs"]:
        rows = [
            {
                **{name: pair[name] for name in ("contrast", "first", "second")},
                "estimate": pair["difference"],
                **dict(zip(("low", "high"), pair["interval"] or (None, None), strict=True)),
                "p": pair["p_holm"],
            }
            for pair in result["pairs"]
        ]
        parts.append(latex_of(pl.DataFrame(rows, infer_schema_length=None)))
    return "\n".join(parts)


def latex_of(frame: pl.DataFrame) -> str:
    """A table with a column ``estimate`` and its ends ``low`` and ``high``, as a tabular of booktabs; names are escaped."""
    ends = [
        "--" if low is None and high is None else f"[{digits_of(low, 3)}, {digits_of(high, 3)}]".replace("–", "--")
        for low, high in frame.select("low", "high").iter_rows()
    ]
    shown = frame.drop("low", "high", "reason", strict=False)
    shown = shown.with_columns(
        pl.Series(name, ["--" if value is None else digits_of(value, 3) for value in shown[name]])
        for name, dtype in shown.schema.items()
        if dtype == pl.Float64
    )
    place = shown.columns.index("estimate") + 1
    shown = shown.insert_column(place, pl.Series("95 % interval", ends))
    styled = shown.fill_null("--").to_pandas().style
    styled.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    numbers = {"rows", "estimate", "95 % interval", "p"}
    aligned = "".join("r" if name in numbers else "l" for name in shown.columns)
    return f"{PACKAGES}\n{styled.to_latex(hrules=True, column_format=aligned)}"
