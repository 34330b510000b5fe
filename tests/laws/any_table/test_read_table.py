"""Tables of others: columns by name, and one line for every way in which a table can be wrong."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from scaling.laws.any_table.read_table import TableError, read_table, require_distinct

GOOD = "who,n,loss\na,10,0.5\nb, 20 ,0.4\na,30,0.3\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "runs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_read_by_name_in_the_order_of_the_file(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, GOOD), ["loss", "n"], ["who"])
    assert table.frame["n"].to_list() == [10.0, 20.0, 30.0]
    groups = [(key, rows["loss"].to_list()) for key, rows in table.groups(["who"])]
    assert groups == [({"who": "a"}, [0.5, 0.3]), ({"who": "b"}, [0.4])]


def test_parquet_is_read_too(tmp_path: Path) -> None:
    pl.DataFrame({"n": [1, 2], "loss": [0.5, 0.4]}).write_parquet(tmp_path / "runs.parquet")
    assert read_table(tmp_path / "runs.parquet", ["n", "loss"]).frame["n"].to_list() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("who,n,los\na,1,1\n", "no column loss; it has who, n, los; did you mean los?"),
        ("who,n,loss\n", "the table has no rows"),
        ("who,n,loss\na,1,0.5\nb,x9,0.4\n", "column n, row 2: 'x9' is not a positive finite number"),
        ("who,n,loss\na,1,0.5\nb,2,\n", "column loss, row 2: nothing is not a positive finite number"),
        ("who,n,loss\na,1,nan\n", "column loss, row 1: 'nan' is not a positive finite number"),
        ("who,n,loss\na,1,inf\n", "column loss, row 1: 'inf' is not a positive finite number"),
        ("who,n,loss\na,0,0.5\n", "column n, row 1: '0' is not a positive finite number"),
        ("who,n,loss\na,-3,0.5\n", "column n, row 1: '-3' is not a positive finite number"),
        ("who,n,loss\n,3,0.5\n", "column who, row 1: nothing; a name is needed"),
        ("who,n,loss\na,3,0.5,7\n", "cannot be read"),
    ],
)
def test_bad_tables_get_one_line_with_file_column_and_row(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(TableError) as caught:
        read_table(path, ["n", "loss"], ["who"])
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "absent.csv", ["n"])
    (tmp_path / "a.xlsx").write_bytes(b"x")
    with pytest.raises(TableError, match=r"a table is a \.csv, .* or \.parquet file, got \.xlsx"):
        read_table(tmp_path / "a.xlsx", ["n"])
    (tmp_path / "a.parquet").write_bytes(b"not parquet")
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path / "a.parquet", ["n"])


def test_one_distinct_value_is_too_few(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "n,loss\n7,0.5\n7,0.4\n"), ["n", "loss"])
    with pytest.raises(TableError, match=r"column n has 1 distinct value \(7\); at least 2 are needed"):
        require_distinct(table, "n")
