"""Where a table comes from: a CSV, TSV, JSON lines or Parquet file, standard input, or a frame that is in memory already."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from scaling.laws.law_errors import InputError

TEXT_ENDINGS: Final = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
"""Endings of tables as text, and what separates their columns unless the user says otherwise."""
LINES_ENDINGS: Final = (".jsonl", ".ndjson")
ENDINGS: Final = (*TEXT_ENDINGS, *LINES_ENDINGS, ".parquet")
STANDARD_INPUT: Final = "-"
PARQUET_MAGIC: Final = b"PAR1"
"""The first bytes of every Parquet file (Apache Parquet's file format)."""
WORDS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}
"""Separators that are hard to type."""


class TableError(InputError):
    """A table that cannot be used; its message is one line with file, column and row."""


@dataclass(frozen=True)
class TableFile:
    """A table that can be read, of which nothing but the names of its columns is known yet.

    Attributes:
        name: what messages call it.
        columns: the names of its columns, as they stand.
        separator: what stands between the columns of a text; None for other tables.
        kind: "csv", "jsonl", "parquet" or "frame".
        content: its path, its bytes, or the frame itself.
    """

    name: str
    columns: tuple[str, ...]
    separator: str | None
    kind: str
    content: Path | bytes | pl.DataFrame

    @property
    def typed(self) -> bool:
        """Whether columns have types of their own; those of a text are all text."""
        return self.separator is None

    def load(self, columns: Sequence[str]) -> pl.DataFrame:
        """The columns named, all rows in their order; those of a text are text.

        Raises:
            TableError: if the table is damaged.
        """
        wanted = list(dict.fromkeys(columns))
        if isinstance(self.content, pl.DataFrame):
            return self.content.select(wanted)
        source = io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content
        try:
            if self.kind == "parquet":
                return pl.read_parquet(source, columns=wanted)
            if self.kind == "jsonl":
                return pl.read_ndjson(source, infer_schema_length=None).select(wanted)
            return pl.read_csv(source, columns=wanted, infer_schema=False, separator=self.separator or ",")
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(self.name, error) from error


Readable = str | Path | pl.DataFrame | TableFile
"""What can be read as a table: a path, "-" for standard input, a frame, or a table that is open."""


def open_table(table: Readable, separator: str | None = None, *, name: str = "table") -> TableFile:
    """Find out what a table is and which columns it has; nothing else of it is read, except for standard input.

    Args:
        table: a path, "-" for standard input, a frame, or a table that is open already.
        separator: what stands between the columns of a text: one character, or tab, comma, semicolon, space; None for what
            the ending says. Of standard input, the first line says whether it is a tab or a comma.
        name: what messages call a frame.

    Raises:
        TableError: if there is no such file, or it is no table.
        InputError: for a separator that is not one character, or of a table that has none.
    """
    if isinstance(table, TableFile):
        return table
    if isinstance(table, pl.DataFrame):
        return TableFile(name, tuple(table.columns), None, "frame", table)
    mark = None if separator is None else WORDS.get(separator, separator)
    if mark is not None and len(mark.encode()) != 1:
        raise InputError(f"separator is {separator!r}; it must be one character, or one of tab, comma, semicolon, space")
    if str(table) == STANDARD_INPUT:
        return _opened("standard input", sys.stdin.buffer.read(), mark)
    path = Path(table)
    if not path.is_file():
        raise TableError(f"{path}: no such file")
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), None)
    if ending is None:
        allowed = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        raise TableError(f"{path}: a table is a {allowed} file, got {path.suffix or 'no ending'}")
    if ending in TEXT_ENDINGS:
        return _described(str(path), "csv", path, mark or TEXT_ENDINGS[ending])
    if mark is not None:
        raise InputError(f"{path}: a {ending} file has no separator, got {separator!r}")
    return _described(str(path), "jsonl" if ending in LINES_ENDINGS else "parquet", path, None)


def _opened(name: str, content: bytes, separator: str | None) -> TableFile:
    """The table in some bytes, whose kind their beginning tells."""
    if not content.strip():
        raise TableError(f"{name}: the table is empty")
    if content.startswith(PARQUET_MAGIC):
        return _described(name, "parquet", content, None)
    if content.lstrip().startswith(b"{"):
        return _described(name, "jsonl", content, None)
    header = content.split(b"\n", 1)[0]
    return _described(name, "csv", content, separator or ("\t" if b"\t" in header and b"," not in header else ","))


def _described(name: str, kind: str, content: Path | bytes, separator: str | None) -> TableFile:
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        if kind == "parquet":
            columns = list(pl.read_parquet_schema(source))
        elif kind == "jsonl":
            columns = pl.read_ndjson(source, infer_schema_length=None).columns
        else:
            columns = pl.read_csv(source, n_rows=0, infer_schema=False, separator=separator or ",").columns
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(name, error) from error
    return TableFile(name, tuple(columns), separator, kind, content)


def _unreadable(name: str, error: Exception) -> TableError:
    return TableError(f"{name}: cannot be read: {str(error).splitlines()[0]}")
