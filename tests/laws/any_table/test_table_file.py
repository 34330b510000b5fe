"""Tables in every kind of file, and from standard input."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import polars as pl
import pytest

from scaling.laws.any_table.read_table import TableError, read_table
from scaling.laws.any_table.table_file import open_table
from scaling.laws.law_errors import InputError

FRAME = pl.DataFrame({"who": ["a", "b"], "n": [1000, 2000], "loss": [0.5, 0.4]})


def content(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "parquet":
        FRAME.write_parquet(buffer)
    elif kind == "jsonl":
        FRAME.write_ndjson(buffer)
    else:
        FRAME.write_csv(buffer, separator={"csv": ",", "tsv": "\t", "semicolons": ";"}[kind])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "kind", "separator"),
    [
        ("a.csv", "csv", None),
        ("a.tsv", "tsv", None),
        ("a.csv", "semicolons", ";"),
        ("a.csv", "semicolons", "semicolon"),
        ("a.csv", "tsv", "tab"),
        ("a.jsonl", "jsonl", None),
        ("a.ndjson", "jsonl", None),
        ("a.parquet", "parquet", None),
    ],
)
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, name: str, kind: str, separator: str | None) -> None:
    (tmp_path / name).write_bytes(content(kind))
    table = open_table(tmp_path / name, separator)
    assert table.columns == ("who", "n", "loss")
    read = read_table(table, ["n", "loss"], ["who"]).frame
    assert read.select("who", "n", "loss").rows() == [("a", 1000.0, 0.5), ("b", 2000.0, 0.4)]


def test_a_compressed_text_and_a_frame(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(content("csv")))
    for table in (tmp_path / "a.csv.gz", FRAME):
        assert read_table(table, ["n"]).frame["n"].to_list() == [1000.0, 2000.0]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_standard_input_tells_what_it_is(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content(kind))))
    table = open_table("-")  # is read once, however often columns are asked for
    assert (table.name, read_table(table, ["n"]).frame["n"].to_list()) == ("standard input", [1000.0, 2000.0])
    assert read_table(table, ["loss"]).frame["loss"].to_list() == [0.5, 0.4]


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(content("csv"))
    (tmp_path / "a.parquet").write_bytes(content("parquet"))
    with pytest.raises(InputError, match="separator is '::'; it must be one character, or one of tab, comma"):
        open_table(tmp_path / "a.csv", "::")
    with pytest.raises(InputError, match=r"a \.parquet file has no separator, got ';'"):
        open_table(tmp_path / "a.parquet", ";")
    with pytest.raises(TableError, match=r"it has who,n,loss; which character separates its columns\? --separator says it"):
        read_table(open_table(tmp_path / "a.csv", ";"), ["n"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" \n")))
    with pytest.raises(TableError, match="standard input: the table is empty"):
        open_table("-")
