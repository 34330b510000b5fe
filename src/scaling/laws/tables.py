"""Read any table of points: CSV or Parquet, columns by name, every bad value named by file, column and row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import polars as pl

from scaling.laws.terms import Floats


class TableError(ValueError):
    """A table that cannot be used; its message is one line with file, column and row."""


@dataclass(frozen=True)
class Table:
    """A table whose numeric columns are positive and finite.

    Attributes:
        path: the file.
        frame: the columns asked for; numbers as Float64, others as text.
    """

    path: Path
    frame: pl.DataFrame

    def groups(self, by: Sequence[str]) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
        """Rows of each group in the order of the file; one group of all rows without ``by``."""
        if not by:
            yield {}, self.frame
            return
        for key, rows in self.frame.group_by(*by, maintain_order=True):
            yield dict(zip(by, map(str, key), strict=True)), rows


def read_table(path: str | Path, numbers: Sequence[str], labels: Sequence[str] = ()) -> Table:
    """Read the columns named, in the order of the file.

    Args:
        path: a .csv (or .csv.gz) or .parquet file.
        numbers: columns whose values must be positive and finite.
        labels: columns kept as text.

    Raises:
        TableError: for a missing file, an unknown kind of file, a missing column, no rows, or a value that is
            missing, text, NaN, infinite or not positive.
    """
    path = Path(path)
    frame = _read(path, (*numbers, *labels))
    if not frame.height:
        raise TableError(f"{path}: the table has no rows")
    columns = [_number(path, frame[name]) for name in dict.fromkeys(numbers)]
    text = [_label(path, frame[name]) for name in dict.fromkeys(labels) if name not in numbers]
    return Table(path, pl.DataFrame([*columns, *text]))


def _read(path: Path, wanted: Sequence[str]) -> pl.DataFrame:
    if not path.is_file():
        raise TableError(f"{path}: no such file")
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind not in ("csv", "parquet"):
        raise TableError(f"{path}: a table is a .csv or a .parquet file, got .{kind}")
    try:
        if kind == "parquet":
            present = list(pl.read_parquet_schema(path))
        else:
            present = pl.read_csv(path, n_rows=0, infer_schema=False).columns
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TableError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    for name in wanted:
        if name not in present:
            close = get_close_matches(name, present, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise TableError(f"{path}: no column {name}; it has {', '.join(present)}{hint}")
    columns = list(dict.fromkeys(wanted))
    try:
        if kind == "parquet":
            return pl.read_parquet(path, columns=columns)
        return pl.read_csv(path, columns=columns, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TableError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error


def _number(path: Path, column: pl.Series) -> pl.Series:
    name = column.name
    stripped = column.str.strip_chars() if column.dtype == pl.String else column
    try:
        values = stripped.cast(pl.Float64, strict=False)
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{path}: column {name} holds {column.dtype}, not numbers") from error
    bad = values.is_null() | ~values.is_finite().fill_null(False) | (values <= 0).fill_null(True)
    if bad.any():
        row = int(bad.arg_true()[0])
        got = column[row]
        shown = "nothing" if got is None or got == "" else repr(got)
        raise TableError(f"{path}: column {name}, row {row + 1}: {shown} is not a positive finite number")
    return values


def _label(path: Path, column: pl.Series) -> pl.Series:
    text = column.cast(pl.String)
    if text.null_count():
        row = int(text.is_null().arg_true()[0])
        raise TableError(f"{path}: column {column.name}, row {row + 1}: nothing; a name is needed")
    return text


def require_distinct(table: Table, column: str, needed: int = 2) -> None:
    """Raise TableError unless a column takes at least ``needed`` values."""
    distinct = table.frame[column].n_unique()
    if distinct < needed:
        value = table.frame[column][0]
        raise TableError(f"{table.path}: column {column} has {distinct} distinct value ({value:g}); {needed} are needed")


def numbers(rows: pl.DataFrame, column: str) -> Floats:
    """A numeric column as an array."""
    return rows[column].to_numpy().astype(np.float64)
