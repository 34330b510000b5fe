"""Read any table of points, CSV or Parquet: columns by name, with file, column and row in the message on a bad value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from scaling.laws.forms.catalogue import require_ceiling
from scaling.laws.forms.terms import Floats
from scaling.laws.law_errors import InputError

ROW: Final = "(row)"
"""Column with a row's number in the file: rows of data are counted from 1."""
ENDINGS: Final = (".csv", ".csv.gz", ".parquet")


class TableError(InputError):
    """A table that cannot be used; its message is one line with file, column and row."""


@dataclass(frozen=True)
class Table:
    """A table whose numeric columns are positive and finite.

    Attributes:
        path: the file.
        frame: the chosen columns, numbers as Float64 and others as text, and ROW.
        left_out: value of the column that selects rows -> number of rows left out with it; "" stands for an empty value.
    """

    path: Path
    frame: pl.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)

    def groups(self, by: Sequence[str]) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
        """Values of ``by`` and rows of each group, in the order of the file; one group of all rows without ``by``."""
        if not by:
            yield {}, self.frame
            return
        for key, rows in self.frame.group_by(*by, maintain_order=True):
            yield dict(zip(by, map(str, key), strict=True)), rows


def read_table(
    path: str | Path,
    numbers: Sequence[str],
    labels: Sequence[str] = (),
    *,
    only: tuple[str, Sequence[str]] | None = None,
) -> Table:
    """Read the columns named, in the order of the file.

    Args:
        path: a .csv (or .csv.gz) or .parquet file.
        numbers: columns whose values must be positive and finite.
        labels: columns kept as text, without spaces around it.
        only: a column, and the values of it with which rows are used; other rows are counted and not checked.

    Raises:
        TableError: for a missing file, an unknown kind of file, a missing or duplicate column, no rows, or a value that is
            missing, text, NaN, infinite or not positive.
    """
    path = Path(path)
    chosen = [only[0]] if only else []
    frame = _read(path, (*numbers, *labels, *chosen))
    if not frame.height:
        raise TableError(f"{path}: the table has no rows")
    frame = frame.with_row_index(ROW, 1)
    left_out: dict[str, int] = {}
    if only:
        name, values = only
        text = frame[name].cast(pl.String).str.strip_chars().fill_null("")
        used = text.is_in(list(values))
        found = text.value_counts(sort=True).rows()
        if not used.any():
            held = ", ".join(f"{value or 'nothing'} in {count}" for value, count in found[:5])
            raise TableError(f"{path}: column {name} has no row with {' or '.join(values)}; it has {held} rows")
        left_out = {value: count for value, count in found if value not in values}
        frame = frame.with_columns(text).filter(used)
    columns = [_number(path, frame, name) for name in dict.fromkeys(numbers)]
    text = [_label(path, frame, name) for name in dict.fromkeys((*labels, *chosen)) if name not in numbers]
    return Table(path, pl.DataFrame([*columns, *text, frame[ROW]]), left_out)


def column_names(path: Path) -> list[str]:
    """Names of a table's columns; nothing else of it is read.

    Raises:
        TableError: if there is no such file, or it is not a table.
    """
    if not path.is_file():
        raise TableError(f"{path}: no such file")
    if not path.name.endswith(ENDINGS):
        raise TableError(f"{path}: a table is a .csv, .csv.gz or .parquet file, got {path.suffix or 'no ending'}")
    try:
        if path.name.endswith(".parquet"):
            return list(pl.read_parquet_schema(path))
        return pl.read_csv(path, n_rows=0, infer_schema=False).columns
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TableError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error


def _read(path: Path, wanted: Sequence[str]) -> pl.DataFrame:
    present = column_names(path)
    for name in wanted:
        if name not in present:
            close = get_close_matches(name, present, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            if len(present) == 1 and any(mark in present[0] for mark in ";\t"):
                hint = "; are its columns separated by commas?"
            raise TableError(f"{path}: no column {name}; it has {', '.join(present)}{hint}")
        if f"{name}_duplicated_0" in present:  # what the reader calls the second of two
            raise TableError(f"{path}: column {name} appears twice")
    columns = list(dict.fromkeys(wanted))
    try:
        if path.name.endswith(".parquet"):
            return pl.read_parquet(path, columns=columns)
        return pl.read_csv(path, columns=columns, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TableError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error


def _number(path: Path, frame: pl.DataFrame, name: str) -> pl.Series:
    column = frame[name]
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
        raise TableError(f"{path}: column {name} holds {column.dtype}, not numbers")
    values = (column.str.strip_chars() if column.dtype == pl.String else column).cast(pl.Float64, strict=False)
    bad = values.is_null() | ~values.is_finite().fill_null(False) | (values <= 0).fill_null(True)
    if bad.any():
        row = int(bad.arg_true()[0])
        got = column[row]
        shown = "nothing" if got is None or got == "" else repr(got)
        raise _bad_value(path, frame, name, row, f"{shown} is not a positive finite number")
    return values


def _label(path: Path, frame: pl.DataFrame, name: str) -> pl.Series:
    text = frame[name].cast(pl.String).str.strip_chars()
    empty = text.is_null() | (text == "").fill_null(True)
    if empty.any():
        row = int(empty.arg_true()[0])
        raise _bad_value(path, frame, name, row, "nothing; a name is needed")
    return text


def _bad_value(path: Path, frame: pl.DataFrame, name: str, row: int, what: str) -> TableError:
    return TableError(f"{path}: column {name}, row {frame[ROW][row]}: {what} (the first row of data is row 1)")


def require_apart(**columns: str | None) -> None:
    """Check that no column is given twice, as n and as y for example; None stands for no column.

    Raises:
        InputError: if one is.
    """
    roles: dict[str, str] = {}
    for role, column in columns.items():
        if column is None:
            continue
        if column in roles:
            raise InputError(f"column {column} is given as {roles[column]} and as {role}; each needs its own column")
        roles[column] = role


def require_distinct(table: Table, column: str, needed: int = 2) -> None:
    """Check a column.

    Raises:
        TableError: if it has fewer than ``needed`` distinct values.
    """
    distinct = table.frame[column].n_unique()
    if distinct < needed:
        value = table.frame[column][0]
        raise TableError(
            f"{table.path}: column {column} has {distinct} distinct value ({value:g}); at least {needed} are needed"
        )


def without_largest(rows: pl.DataFrame, column: str, count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without those of the ``count`` largest values of a column, and the rows left out, both in their order."""
    order = np.argsort(-rows[column].to_numpy(), kind="stable")
    largest = pl.Series(np.isin(np.arange(rows.height), order[:count]), dtype=pl.Boolean)
    return rows.filter(~largest), rows.filter(largest)


def numbers(rows: pl.DataFrame, column: str) -> Floats:
    """A numeric column as an array [n]."""
    return rows[column].to_numpy().astype(np.float64)


def variables(n: str | None, d: str | None, x: str | None, unique: str | None = None) -> dict[str, str]:
    """Variable of a law -> column: either x, or N and D, and U as well if the unique data have a column.

    Args:
        n, d, x, unique: columns that the user named; None for those that were not named.

    Raises:
        InputError: for neither x nor n and d, for both, for only one of n and d, or for unique without them.
    """
    if (x is None) == (n is None and d is None) or (x is None and (n is None or d is None)):
        given = ", ".join(f"{k} = {v}" for k, v in (("x", x), ("n", n), ("d", d)) if v is not None) or "none"
        raise InputError(f"give x for a law of one variable, or n and d for two; got {given}")
    if unique is not None and x is not None:
        raise InputError(f"unique = {unique} belongs to laws of n and d, got x = {x}")
    if x is not None:
        return {"x": x}
    return {"N": str(n), "D": str(d)} | ({"U": unique} if unique is not None else {})


CLASSES: Final = "classes"
"""Ceiling that follows from a column of this name: chance among so many classes."""


def number_of(ceiling: float | str | None) -> float | None:
    """The ceiling if it is a number; None for CLASSES and if none was given.

    Raises:
        InputError: for another word, or a number that is not positive.
    """
    if ceiling == CLASSES or ceiling is None:
        return None
    if isinstance(ceiling, str):
        raise InputError(f"ceiling is {ceiling!r}; it must be a positive number, none or {CLASSES}")
    require_ceiling(ceiling)
    return ceiling


def group_ceiling(ceiling: float | str | None, rows: pl.DataFrame, response: str) -> float | None:
    """The ceiling of some rows: as given, or chance among their classes.

    Args:
        ceiling: a number, infinite for no ceiling, None if it is not known, or CLASSES.
        rows: with the column CLASSES if that is the ceiling.
        response: column of the response, whose name says whether it is an error rate or a cross-entropy.

    Raises:
        InputError: if the number of classes is not a whole number of 2 or more that is the same in all rows, or if chance is
            not known for the response.
    """
    if ceiling != CLASSES:
        return number_of(ceiling)
    counts = rows[CLASSES].unique()
    if len(counts) != 1 or counts[0] < 2 or counts[0] != round(counts[0]):
        shown = ", ".join(f"{value:g}" for value in counts.sort()[:5])
        raise InputError(f"column {CLASSES} is {shown}; --ceiling classes needs one whole number of 2 or more per group")
    if "error" in response.lower():
        return float((counts[0] - 1) / counts[0])
    if "loss" in response.lower():
        return float(np.log(counts[0]))
    raise InputError(f"--ceiling classes needs a column of errors or losses, got {response}; give chance as a number")


def require_unique(table: Table, unique: str, seen: str) -> None:
    """Check that unique data can be a third variable.

    Args:
        table: as read; unique, seen: columns of U and D.

    Raises:
        TableError: if all data are repeated equally often, or never.
    """
    ratio = np.log(np.maximum(numbers(table.frame, seen) / numbers(table.frame, unique), 1.0))
    if np.ptp(ratio) < 1e-6:
        times = f"{float(np.exp(ratio[0])):.3g}" if len(ratio) else "0"
        raise TableError(
            f"{table.path}: column {unique}: every row has seen its data {times} time(s), so that it adds nothing to {seen}; "
            "leave --unique out"
        )
