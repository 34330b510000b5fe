"""Read any table of points: CSV or Parquet, columns by name, every bad value named by file, column and row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from scaling.laws.forms.terms import Floats
from scaling.laws.law_errors import InputError

ROW: Final = "(row)"
"""Column of a row's number in the file: data rows counted from 1, a header not counted."""
ENDINGS: Final = (".csv", ".csv.gz", ".parquet")


class TableError(InputError):
    """A table that cannot be used; its message is one line with file, column and row."""


@dataclass(frozen=True)
class Table:
    """A table whose numeric columns are positive and finite.

    Attributes:
        path: the file.
        frame: the columns asked for, numbers as Float64 and others as text, and ROW.
        left_out: value of the column that says which rows to use -> rows left out for it; "" where it is empty.
    """

    path: Path
    frame: pl.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)

    def groups(self, by: Sequence[str]) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
        """Rows of each group in the order of the file; one group of all rows without ``by``."""
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
        only: a column and the values of it whose rows are used; the others are counted and not looked at.

    Raises:
        TableError: for a missing file, an unknown kind of file, a missing or doubled column, no rows, or a value that is
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
    """Columns of a table, of which nothing else is read.

    Raises:
        TableError: if there is no such file, or it is no table.
    """
    if not path.is_file():
        raise TableError(f"{path}: no such file")
    if not path.name.endswith(ENDINGS):
        raise TableError(f"{path}: a table is a .csv or a .parquet file, got {path.suffix or 'no ending'}")
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
            raise TableError(f"{path}: column {name} is there twice")
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
    """Raise InputError if one column is asked for in two roles, as n and as y, say."""
    roles: dict[str, str] = {}
    for role, column in columns.items():
        if column is None:
            continue
        if column in roles:
            raise InputError(f"column {column} is asked for as {roles[column]} and as {role}; each needs its own")
        roles[column] = role


def require_distinct(table: Table, column: str, needed: int = 2) -> None:
    """Raise TableError unless a column takes at least ``needed`` values."""
    distinct = table.frame[column].n_unique()
    if distinct < needed:
        value = table.frame[column][0]
        raise TableError(f"{table.path}: column {column} has {distinct} distinct value ({value:g}); {needed} are needed")


def without_largest(rows: pl.DataFrame, column: str, count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without those of the ``count`` largest values of a column, and those, both in their order."""
    order = np.argsort(-rows[column].to_numpy(), kind="stable")
    largest = pl.Series(np.isin(np.arange(rows.height), order[:count]), dtype=pl.Boolean)
    return rows.filter(~largest), rows.filter(largest)


def numbers(rows: pl.DataFrame, column: str) -> Floats:
    """A numeric column as an array."""
    return rows[column].to_numpy().astype(np.float64)


def variables(n: str | None, d: str | None, x: str | None, unique: str | None = None) -> dict[str, str]:
    """Variable of a law -> column: either x, or N and D, and with them U where the unique data has a column.

    Raises:
        InputError: for neither, both, or only one of n and d; for unique without them.
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
"""What a ceiling is where it follows from a column of that name: chance among so many classes."""


def number_of(ceiling: float | str | None) -> float | None:
    """The ceiling where it is a number; None for CLASSES and where nothing was said.

    Raises:
        InputError: for another word.
    """
    if not isinstance(ceiling, str):
        return ceiling
    if ceiling != CLASSES:
        raise InputError(f"ceiling is {ceiling!r}; it must be a positive number, none or {CLASSES}")
    return None


def group_ceiling(ceiling: float | str | None, rows: pl.DataFrame, response: str) -> float | None:
    """The ceiling of some rows: as given, or chance among their classes.

    Args:
        ceiling: a number, infinite for none, None where nothing was said, or CLASSES.
        rows: with the column CLASSES, where that is asked for.
        response: column of the response, whose name says whether it is an error rate or a cross-entropy.

    Raises:
        InputError: for a number of classes that is no whole number of 2 or more or not the same in all rows, and for a response
            whose chance is not known.
    """
    if ceiling != CLASSES:
        return number_of(ceiling)
    counts = rows[CLASSES].unique()
    if len(counts) != 1 or counts[0] < 2 or counts[0] != round(counts[0]):
        shown = ", ".join(f"{value:g}" for value in counts.sort()[:5])
        raise InputError(f"column {CLASSES} is {shown}; --ceiling classes needs one whole number of 2 or more in a group")
    if "error" in response.lower():
        return float((counts[0] - 1) / counts[0])
    if "loss" in response.lower():
        return float(np.log(counts[0]))
    raise InputError(f"--ceiling classes needs a column of errors or losses, got {response}; give chance as a number")


def require_unique(table: Table, unique: str, seen: str) -> None:
    """Raise TableError where unique data can be no third variable: never repeated, or always as often.

    Args:
        table: as read; unique, seen: columns of U and D.
    """
    ratio = np.log(np.maximum(numbers(table.frame, seen) / numbers(table.frame, unique), 1.0))
    if np.ptp(ratio) < 1e-6:
        times = f"{float(np.exp(ratio[0])):.3g}" if len(ratio) else "0"
        raise TableError(
            f"{table.path}: column {unique}: every row has seen its data {times} time(s), so it tells no more than {seen}; "
            "leave --unique out"
        )
