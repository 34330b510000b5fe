"""Whether the runs of a table were all trained by the same versions on the same hardware; one line for each difference.

Runs with equal keys have equal losses only on one kind of hardware, and times can only be compared there.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from scaling.runs.records import DIVERGED, DONE

ASPECTS: Final[dict[str, tuple[str, ...]]] = {
    "with several versions of torch": ("torch_version",),
    "with several versions of timm": ("timm_version",),
    "on several kinds of hardware": ("machine", "device", "precision"),
}
"""What may differ, and the columns that say it."""


def mixed(runs: pl.DataFrame) -> list[str]:
    """A sentence for each aspect in which the finished runs of a runs table differ, with the number of runs of each kind."""
    finished = runs.filter(pl.col("status").is_in([DONE, DIVERGED]))
    lines = []
    for words, columns in ASPECTS.items():
        kinds = finished.group_by(pl.col(columns).fill_null("unknown")).len().sort("len", *columns, descending=True)
        if len(kinds) > 1:
            named = [f"{' '.join(kind)} ({count} run{'s' * (count > 1)})" for *kind, count in kinds.iter_rows()]
            lines.append(f"The runs were trained {words}: {', '.join(named)}.")
    return lines
