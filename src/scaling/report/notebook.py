"""What a notebook calls: ``scaling.read_runs``, ``fit``, ``compare``, ``forecast``, ``as_frame`` and ``figures``.

Columns are named as in the runs table of a study unless the caller names others. What is left out is said in a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from scaling.laws.any_table.choose_rows import Choice, as_typed, chosen_rows
from scaling.laws.any_table.forecast import forecast_groups
from scaling.laws.any_table.table_file import Readable, open_table
from scaling.laws.any_table.tidy import fit_frame
from scaling.study.layout import is_study_file

if TYPE_CHECKING:
    import plotnine as p9

Columns = str | Sequence[str]
"""One column, or several."""


def read_runs(path: str | Path, *, where: str | None = None, separator: str | None = None) -> pl.DataFrame:
    """A table of runs, or the runs of a study as its store has them now.

    Args:
        path: a .csv, .tsv, .jsonl or .parquet file, "-" for standard input, or a study's .yaml file.
        where: a condition in SQL; only rows for which it holds are kept.
        separator: what stands between the columns of a text.

    Returns:
        All columns, those that hold nothing but numbers as numbers.

    Raises:
        TableError: for a file that is no table.
        InputError: for a condition that is none.
        StudyError, MissingWork: for a study that is not valid, or has no run yet.
    """
    if is_study_file(path):
        from scaling.jobs.study_runs import own_runs

        table = open_table(own_runs(Path(path), _warn), name=str(path))
    else:
        table = open_table(path, separator)
    frame = table.load(table.columns)
    if not table.typed:
        frame = frame.with_columns(as_typed(frame[name], table.separator) for name in frame.columns)
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))  # lines that hold nothing
    if where is None:
        return frame
    used, _ = chosen_rows(open_table(frame, name=table.name), Choice(where), frame.columns)
    return frame if used is None else frame.filter(used)


def fit(
    runs: Readable, *, by: Columns = (), law: str = "chinchilla", x: str | None = None, y: str = "loss", **settings: Any
) -> list[dict[str, Any]]:
    """Fit a law to a table, or to each group of it.

    Args:
        runs: a frame, or what ``read_runs`` takes as a table.
        by: columns whose values make the groups.
        law: name of a law, or "auto"; x: column of a law of one variable; y: column of the response.
        settings: n and d (columns params and images unless x is given), and what ``fit_table`` takes; where and skip_invalid.

    Returns:
        One entry per group, as ``scaling fit --json`` prints them: parameters, intervals, status, outliers and more.

    Raises:
        InputError: for a bad table or setting.
    """
    from scaling.laws.any_table.fit_table import fit_table

    size, data = (None, None) if x is not None else ("params", "images")
    columns = {"n": settings.pop("n", size), "d": settings.pop("d", data), "x": x, "y": y}
    return fit_table(runs, law=law, by=_columns(by), choice=_choice(settings), **columns, **settings)


def compare(
    runs: Readable, *, family: str = "family", n: str = "params", d: str = "images", y: str = "loss", **settings: Any
) -> dict[str, Any]:
    """Say which families follow their law, as ``scaling compare --json`` does.

    Args:
        runs: a frame, or a table's path.
        family, n, d, y: columns.
        settings: what ``compare_table`` takes (kind, seed_column, ceiling, seed); where and skip_invalid.

    Raises:
        InputError: for a bad table or setting.
    """
    from scaling.analysis.compare import compare_table

    return compare_table(runs, family=family, n=n, d=d, y=y, choice=_choice(settings), **settings)


def forecast(
    runs: Readable, *, by: Columns = (), n: str = "params", d: str = "images", y: str = "loss", **settings: Any
) -> list[dict[str, Any]]:
    """Ask the law of a table, or of each group of it, as ``scaling forecast --json`` does.

    Args:
        runs: a frame, or a table's path.
        by: columns whose values make the groups.
        n, d, y: columns.
        settings: the questions (at, budgets, targets) and what ``forecast_groups`` takes; where and skip_invalid.

    Returns:
        One entry per group, whose answers have intervals.

    Raises:
        InputError: for a bad table or setting, or no question.
    """
    found = forecast_groups(runs, by=_columns(by), n=n, d=d, y=y, choice=_choice(settings), **settings)
    for sentence in found[0]["warnings"]:
        _warn(sentence)
    return found


def as_frame(entries: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """What ``fit`` returned as a tidy table: one row per group and parameter, with its estimate and interval."""
    return fit_frame(entries)


def figures(
    runs: Readable,
    *,
    family: str | None = "family",
    n: str = "params",
    d: str = "images",
    y: str = "loss",
    **settings: Any,
) -> dict[str, p9.ggplot]:
    """The figures of a report for any table, by name; each can be changed, shown and saved as any of plotnine's.

    Args:
        runs: a frame, or a table's path.
        family: column of names, None for one law for all rows; n, d, y: columns.
        settings: what ``judge_table`` takes (kind, seed_column, flop, ceiling, seed); where and skip_invalid.

    Raises:
        InputError: for a bad table or setting.
    """
    from scaling.analysis.compare import judge_table
    from scaling.report.table_figures import table_figures

    judged = judge_table(runs, family=family, n=n, d=d, y=y, choice=_choice(settings), **settings)
    return {name: figure for name, _, figure in table_figures(judged, n=n, d=d, y=y)}


def _columns(by: Columns) -> list[str]:
    return [by] if isinstance(by, str) else list(by)


def _choice(settings: dict[str, Any]) -> Choice:
    """Which rows are used, taken out of ``settings``."""
    return Choice(settings.pop("where", None), settings.pop("skip_invalid", False), _warn)


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=2)
