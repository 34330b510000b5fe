"""Read any table of points: columns by name, with file, column and row in the message on a bad value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import polars as pl

from scaling.laws.any_table.choose_rows import Choice, LeftOut, chosen_rows
from scaling.laws.any_table.table_file import Readable, TableError, TableFile, open_table
from scaling.laws.any_table.written_numbers import as_numbers, has_comma
from scaling.laws.forms.terms import Floats
from scaling.laws.law_errors import InputError

ROW: Final = "(row)"
"""Column with a row's number in the file: rows of data are counted from 1."""
EVERYTHING: Final = Choice()
"""All rows."""
MOST_NAMED: Final = 20
"""Most invalid rows that are named one by one (assumption); the others are counted."""


@dataclass(frozen=True)
class Table:
    """A table whose numeric columns are positive and finite.

    Attributes:
        name: what messages call it: its file, standard input, or table for a frame.
        frame: the chosen columns, numbers as Float64 and others as text, and ROW.
        left_out: value of the column that selects rows -> number of rows left out with it; "" stands for an empty value.
        not_used: rows that the user's condition, their status or an invalid value left out.
    """

    name: str
    frame: pl.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)
    not_used: tuple[LeftOut, ...] = ()

    def groups(self, by: Sequence[str]) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
        """Values of ``by`` and rows of each group, in the order of the file; one group of all rows without ``by``."""
        if not by:
            yield {}, self.frame
            return
        for key, rows in self.frame.group_by(*by, maintain_order=True):
            yield dict(zip(by, map(str, key), strict=True)), rows

    def told_not_used(self) -> list[dict[str, Any]]:
        """``not_used`` for JSON."""
        return [one.plain() for one in self.not_used]


def read_table(
    table: Readable,
    numbers: Sequence[str],
    labels: Sequence[str] = (),
    *,
    only: tuple[str, Sequence[str]] | None = None,
    choice: Choice = EVERYTHING,
) -> Table:
    """Read the columns named, in the order of the file. Blank lines are passed over, but count as rows.

    Args:
        table: a file, "-" for standard input, a frame, or a table that is open.
        numbers: columns whose values must be positive and finite.
        labels: columns kept as text, without spaces around it.
        only: a column, and the values of it with which rows are used; other rows are counted and not checked.
        choice: which rows are used.

    Raises:
        TableError: for a missing file, an unknown kind of file, a missing or duplicate column, no rows, or a value that is
            missing, text, NaN, infinite or not positive.
        InputError: for a condition that is none.
    """
    source = open_table(table)
    chosen = [only[0]] if only else []
    frame = _loaded(source, (*numbers, *labels, *chosen))
    used, not_used = chosen_rows(source, choice, (*numbers, *labels, *chosen))
    frame = frame.with_row_index(ROW, 1)
    if used is not None:
        frame = frame.filter(used)
    frame = _without_blank_lines(source, frame)
    if not frame.height:
        raise TableError(f"{source.name}: the table has no rows")
    left_out: dict[str, int] = {}
    if only:
        name, values = only
        text = frame[name].cast(pl.String).str.strip_chars().fill_null("")
        marked = text.is_in(list(values))
        found = text.value_counts(sort=True).rows()
        if not marked.any():
            held = ", ".join(f"{value or 'nothing'} in {count}" for value, count in found[:5])
            raise TableError(f"{source.name}: column {name} has no row with {' or '.join(values)}; it has {held} rows")
        left_out = {value: count for value, count in found if value not in values}
        frame = frame.with_columns(text).filter(marked)
    columns = [_number(source, frame, name) for name in dict.fromkeys(numbers)]
    columns += [_label(frame, name) for name in dict.fromkeys((*labels, *chosen)) if name not in numbers]
    read = pl.DataFrame([*(column.values for column in columns), frame[ROW]])
    invalid = [(int(row), column) for column in columns for row in column.bad.arg_true()]
    if invalid and not choice.skip_invalid:
        row, column = invalid[0]
        raise TableError(
            f"{source.name}: column {column.values.name}, row {frame[ROW][row]}: {column.faults(row)} "
            "(the first row of data is row 1)"
        )
    if invalid:
        first = {row: column for row, column in reversed(invalid)}
        named = [f"row {frame[ROW][row]} ({first[row].values.name}: {first[row].shown(row)})" for row in sorted(first)]
        more = (f"{len(named) - MOST_NAMED:,} more",) if len(named) > MOST_NAMED else ()
        not_used.append(LeftOut("whose values cannot be used", len(named), (*named[:MOST_NAMED], *more)))
        if len(named) == frame.height:
            raise TableError(f"{source.name}: no row is left; {not_used[-1].sentence()}")
        read = read.filter(~pl.Series(np.isin(np.arange(frame.height), list(first))))
    if choice.tell is not None:
        for one in not_used:
            choice.tell(f"{source.name}: {one.sentence()}")
    return Table(source.name, read, left_out, tuple(not_used))


def require_columns(source: TableFile, wanted: Sequence[str]) -> None:
    """Check that a table has the columns ``wanted``, each once. Raises TableError."""
    present = source.columns
    for name in wanted:
        if name not in present:
            close = get_close_matches(name, present, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            if len(present) == 1 and source.separator is not None and any(mark in present[0] for mark in ",;\t"):
                hint = "; which character separates its columns? --separator says it"
            raise TableError(f"{source.name}: no column {name}; it has {', '.join(present)}{hint}")
        if f"{name}_duplicated_0" in present:  # what the reader calls the second of two
            raise TableError(f"{source.name}: column {name} appears twice")


def _loaded(source: TableFile, wanted: Sequence[str]) -> pl.DataFrame:
    require_columns(source, wanted)
    return source.load(wanted)


def _without_blank_lines(source: TableFile, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a text without those that hold nothing in any column: spreadsheets write such lines after the last row."""
    if source.typed:
        return frame
    blank = frame.select(pl.all_horizontal(_is_blank(name) for name in frame.columns if name != ROW)).to_series()
    if not blank.any():
        return frame
    whole = source.load(source.columns).with_row_index(ROW, 1)
    blank_rows = whole.filter(pl.all_horizontal(_is_blank(name) for name in source.columns))[ROW]
    return frame.filter(~pl.col(ROW).is_in(blank_rows.to_list()))


def _is_blank(name: str) -> pl.Expr:
    return pl.col(name).is_null() | (pl.col(name).str.strip_chars() == "")


@dataclass(frozen=True)
class _Column:
    """A column as read, which of its values [n] are bad, and its values as they stand in the table."""

    values: pl.Series
    bad: pl.Series
    written: pl.Series
    what: str
    decimal_comma: bool = False

    def shown(self, row: int) -> str:
        got = self.written[row]
        return "nothing" if got is None or (isinstance(got, str) and not got.strip()) else repr(got)

    def faults(self, row: int) -> str:
        got = self.written[row]
        if self.decimal_comma and isinstance(got, str) and has_comma(got):
            return f"{got!r} has a comma, which may stand for thousands or for the decimal point; write it without one"
        return f"{self.shown(row)}{self.what}"


def _number(source: TableFile, frame: pl.DataFrame, name: str) -> _Column:
    column = frame[name]
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
        raise TableError(f"{source.name}: column {name} holds {column.dtype}, not numbers")
    if column.dtype == pl.String:
        values = as_numbers(column.str.strip_chars(), source.separator)
    else:
        values = column.cast(pl.Float64, strict=False)
    bad = values.is_null() | ~values.is_finite().fill_null(False) | (values <= 0).fill_null(True)
    comma = source.separator not in (",", None)
    return _Column(values, bad, column, " is not a positive finite number", comma)


def _label(frame: pl.DataFrame, name: str) -> _Column:
    text = frame[name].cast(pl.String).str.strip_chars()
    return _Column(text, text.is_null() | (text == "").fill_null(True), frame[name], "; a name is needed")


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
    """Check that a column of a table has enough distinct values.

    Raises:
        TableError: if it has fewer than ``needed`` distinct values.
    """
    distinct = table.frame[column].n_unique()
    if distinct < needed:
        shown = ", ".join(f"{value:g}" for value in table.frame[column].unique().sort())
        raise TableError(
            f"{table.name}: column {column} has {distinct} distinct value{'s' * (distinct > 1)} ({shown}); "
            f"at least {needed} are needed"
        )


def without_largest(rows: pl.DataFrame, column: str, count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Leave out the rows with the ``count`` largest values of a column; of equal values the first go.

    Returns:
        The rows that are left, and the rows left out, both in their order.
    """
    order = np.argsort(-rows[column].to_numpy(), kind="stable")
    largest = pl.Series(np.isin(np.arange(rows.height), order[:count]), dtype=pl.Boolean)
    return rows.filter(~largest), rows.filter(largest)


def numbers(rows: pl.DataFrame, column: str) -> Floats:
    """The numeric ``column`` of ``rows`` as an array [n] of float64."""
    return rows[column].to_numpy().astype(np.float64)


def variables(
    n: str | None, d: str | None, x: str | None, unique: str | None = None, rate: str | None = None
) -> dict[str, str]:
    """Variable of a law -> column: either x, or N and D, and a third one if the unique data or the rate have a column.

    Args:
        n, d, x, unique, rate: columns that the user named; None for those that were not named.

    Raises:
        InputError: for neither x nor n and d, for both, for only one of n and d, for unique or rate without them, or for both.
    """
    if (x is None) == (n is None and d is None) or (x is None and (n is None or d is None)):
        given = ", ".join(f"{k} = {v}" for k, v in (("x", x), ("n", n), ("d", d)) if v is not None) or "none"
        raise InputError(f"give x for a law of one variable, or n and d for two; got {given}")
    if unique is not None and rate is not None:
        raise InputError(f"give unique or rate, no law has both; got unique = {unique}, rate = {rate}")
    for name, column in (("unique", unique), ("rate", rate)):
        if column is not None and x is not None:
            raise InputError(f"{name} = {column} belongs to laws of n and d, got x = {x}")
    if x is not None:
        return {"x": x}
    third = {"U": unique, "rate": rate}
    return {"N": str(n), "D": str(d)} | {name: column for name, column in third.items() if column is not None}


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
            f"{table.name}: column {unique}: every row has seen its data {times} time(s), so that it adds nothing to {seen}; "
            "leave --unique out"
        )
