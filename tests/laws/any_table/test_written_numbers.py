"""Numbers as spreadsheets write them: read where their meaning is certain, refused where it is not."""

from __future__ import annotations

import polars as pl
import pytest

from scaling.laws.any_table.read_table import TableError, read_table
from scaling.laws.any_table.table_file import open_table
from scaling.laws.any_table.written_numbers import as_numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234", 1234.0),
        ("1,234,567.5", 1234567.5),
        ("12 345", 12345.0),
        ("12\u202f345\u202f678", 12345678.0),
        ("1'234", 1234.0),
        ("1’234", 1234.0),
        ("1_000_000", 1e6),
        ("1,000e3", 1e6),
        ("-1,000", -1000.0),
        ("1e-3", 1e-3),
        ("0,512", None),
        ("1,23", None),
        ("1,2345", None),
        ("1,234 567", None),
        ("12k", None),
        ("1.234.567", None),
    ],
)
def test_groups_of_three(text: str, number: float | None) -> None:
    assert as_numbers(pl.Series("n", [text]), ",").to_list() == [number]


def test_a_comma_is_refused_where_it_may_be_a_decimal_point(tmp_path) -> None:
    assert as_numbers(pl.Series(["1,234", "1 234"]), ";").to_list() == [None, 1234.0]
    path = tmp_path / "runs.csv"
    path.write_text("n;loss\n10;1,234\n")
    with pytest.raises(TableError, match=r"row 1: '1,234' has a comma, which may stand for thousands or for the decimal point"):
        read_table(open_table(path, ";"), ["n", "loss"])


def test_blank_lines_of_spreadsheets_are_passed_over_but_count_as_rows(tmp_path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text('who,n,loss,note\na,"1,000",0.5,\n,,,\nb, 2000 ,0.4,x\n , ,,\n,,,\n')
    read = read_table(path, ["n", "loss"])
    assert read.frame["n"].to_list() == [1000.0, 2000.0]
    assert read.frame["(row)"].to_list() == [1, 3]
    path.write_text("who,n,loss,note\na,1000,0.5,\n,,,a note\n")
    with pytest.raises(TableError, match="column n, row 2: nothing is not a positive finite number"):
        read_table(path, ["n", "loss"])
