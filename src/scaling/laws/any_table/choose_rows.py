"""Which rows of a table are used: those that a condition and a column of statuses choose; what is left out is counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from scaling.laws.any_table.table_file import TableError, TableFile
from scaling.laws.any_table.written_numbers import as_numbers
from scaling.laws.law_errors import InputError
from scaling.runs.records import DONE, STATUSES

STATUS: Final = "status"
"""Column of the runs table of a study that says what became of a run."""
QUOTED: Final = re.compile(r"""'(?:[^']|'')*'|"((?:[^"]|"")*)\"""")
"""Quoted parts of a condition: texts in single quotes, columns or texts in double ones."""


@dataclass(frozen=True)
class Choice:
    """Which rows of a table are used.

    Attributes:
        where: a condition on the columns in the SQL of polars, such as ``family = 'vit' and params > 1000``; only rows for
            which it holds are used. A name in double quotes that is no column is a text.
        skip_invalid: leave out rows whose values cannot be used, instead of refusing the table.
        tell: is told in a sentence what was left out and why; None for nobody.
    """

    where: str | None = None
    skip_invalid: bool = False
    tell: Callable[[str], None] | None = None


@dataclass(frozen=True)
class LeftOut:
    """Rows that are not used.

    Attributes:
        why: the reason.
        rows: how many.
        parts: what the rows hold -> how many of them do; or each row with its fault.
    """

    why: str
    rows: int
    parts: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The same in words."""
        named = f": {', '.join(self.parts)}" if self.parts else ""
        return f"{self.rows:,} {'row is' if self.rows == 1 else 'rows are'} left out, {self.why}{named}"

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        return {"why": self.why, "rows": self.rows, "parts": list(self.parts)}


def chosen_rows(source: TableFile, choice: Choice, named: Sequence[str]) -> tuple[pl.Series | None, list[LeftOut]]:
    """Whether each row is used, None for all, and what is left out.

    Where the table has a column ``status`` that holds statuses of this program's runs, and the user did not ask about that
    column, only runs that are done are used: the loss of a diverged run, say, is none.

    Args:
        source: the table; choice: what the user chose; named: columns that the user named.

    Raises:
        InputError: for a condition that is none.
        TableError: if no row is left.
    """
    used, left_out, asked = None, [], set(named)
    if choice.where is not None:
        used, columns = _where(source, choice.where)
        asked |= columns
        if not used.any():
            raise TableError(f"{source.name}: --where {choice.where} holds for none of {len(used)} rows")
        if not used.all():
            left_out.append(LeftOut(f"for which {choice.where} does not hold", int((~used).sum())))
    if STATUS in source.columns and STATUS not in asked:
        status = source.load([STATUS])[STATUS].cast(pl.String).str.strip_chars()
        present = status.drop_nulls().filter(status.drop_nulls() != "")
        if len(present) and present.is_in(list(STATUSES)).all():
            done = (status == DONE).fill_null(False) | status.is_null() | (status == "").fill_null(False)
            lost = ~done if used is None else used & ~done
            used = done if used is None else used & done
            if lost.any():
                counts = status.filter(lost).value_counts(sort=True).rows()
                parts = tuple(f"{name} {count}" for name, count in counts)
                if not used.any():
                    raise TableError(f"{source.name}: no run is done; the column {STATUS} holds {', '.join(parts)}")
                left_out.append(LeftOut("whose run is not done", int(lost.sum()), parts))
    return used, left_out


def _where(source: TableFile, condition: str) -> tuple[pl.Series, set[str]]:
    """Whether the condition holds for each row, and the columns that it reads."""

    def requote(match: re.Match[str]) -> str:
        inner = match.group(1)
        if inner is None or inner.replace('""', '"') in source.columns:
            return match.group(0)
        return "'" + inner.replace('""', '"').replace("'", "''") + "'"

    refusal = f"{source.name}: --where is {condition!r}"
    try:
        expression = pl.sql_expr(QUOTED.sub(requote, condition))
        columns = expression.meta.root_names()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"{refusal}, which is no condition: {str(error).splitlines()[0]}") from error
    unknown = [name for name in columns if name not in source.columns]
    if unknown:
        raise InputError(
            f"{refusal}, but there is no column {', '.join(unknown)}; it has {', '.join(source.columns)} "
            "(texts stand in single quotes)"
        )
    if not columns:
        raise InputError(f"{refusal}, which names no column; it has {', '.join(source.columns)}")
    frame = source.load(columns)
    if not source.typed:
        frame = frame.with_columns(as_typed(frame[name], source.separator) for name in frame.columns)
    try:
        held = frame.select(expression.alias("held"))["held"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"{refusal}, which cannot be evaluated: {str(error).splitlines()[0]}") from error
    if held.dtype != pl.Boolean or len(held) != frame.height:
        raise InputError(f"{refusal}, which is not true or false for each row")
    return held.fill_null(False), set(columns)


def as_typed(column: pl.Series, separator: str | None) -> pl.Series:
    """A column of a text as numbers or as yes and no if it holds nothing else; empty values are null."""
    text = column.str.strip_chars()
    text = pl.select(pl.when(text != "").then(text)).to_series().alias(column.name)
    present = text.drop_nulls()
    numbers = as_numbers(text, separator)
    if len(present) and numbers.null_count() == text.null_count():
        return numbers
    if len(present) and present.str.to_lowercase().is_in(["true", "false"]).all():
        return text.str.to_lowercase() == "true"
    return text
