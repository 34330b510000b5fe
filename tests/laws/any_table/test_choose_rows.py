"""Which rows are used: by a condition, by the status of a run, and without invalid ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaling.laws.any_table.choose_rows import Choice
from scaling.laws.any_table.read_table import TableError, read_table
from scaling.laws.law_errors import InputError

RUNS = """family,params,images,loss,status,flag
mlp,1000,500,0.9,done,true
mlp,"2,000",500,nan,diverged,false
vit,1000,500,0.8,done,true
vit,2000,500,,failed,true
vit,2000,900,0.7,done,false
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "runs.csv").write_text(RUNS)
    return tmp_path / "runs.csv"


def rows(path: Path, **choice: object) -> list[int]:
    return read_table(path, ["params", "loss"], choice=Choice(**choice)).frame["(row)"].to_list()


def test_runs_that_are_not_done_are_left_out_and_it_is_said(path: Path) -> None:
    said: list[str] = []
    table = read_table(path, ["params", "loss"], choice=Choice(tell=said.append))
    assert table.frame["(row)"].to_list() == [1, 3, 5]
    assert said == [f"{path}: 2 rows are left out, whose run is not done: diverged 1, failed 1"]
    assert table.told_not_used() == [{"why": "whose run is not done", "rows": 2, "parts": ["diverged 1", "failed 1"]}]


def test_another_column_of_that_name_is_left_alone(path: Path) -> None:
    path.write_text(RUNS.replace("done", "published").replace(",nan,", ",0.9,").replace(",500,,", ",500,0.9,"))
    assert rows(path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("family = 'vit' and status = 'done'", [3, 5]),
        ('status == "done"', [1, 3, 5]),
        ('"family" == "mlp" and loss < 1 and status = \'done\'', [1]),
        ("params > 1500 and loss is not null and loss < 1", [5]),
        ("params = 1000", [1, 3]),
        ("flag and status = 'done'", [1, 3]),
        ("status in ('done') and family like 'v%'", [3, 5]),
    ],
)
def test_a_condition_on_any_column(path: Path, where: str, kept: list[int]) -> None:
    assert rows(path, where=where) == kept


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("famly = 'vit'", "there is no column famly; it has family, params"),
        ("family = vit", "there is no column vit"),
        ("family = ", "which is no condition"),
        ("1 = 1", "which names no column"),
        ("params", "is not true or false for each row"),
        ("max(params) > 3", "is not true or false for each row"),
        ("family > 3", "which cannot be evaluated"),
        ("__import__('os').system('true')", "which is no condition"),
    ],
)
def test_what_is_no_condition_gets_one_line(path: Path, where: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        rows(path, where=where)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_row_left(path: Path) -> None:
    with pytest.raises(TableError, match="--where params > 1e9 holds for none of 5 rows"):
        rows(path, where="params > 1e9")
    path.write_text(RUNS.replace("done", "missing"))
    with pytest.raises(TableError, match="no run is done; the column status holds missing 3, "):
        rows(path)


def test_invalid_rows_are_counted_and_named(path: Path) -> None:
    path.write_text(RUNS.replace(",status", ",state"))
    said: list[str] = []
    assert rows(path, skip_invalid=True, tell=said.append) == [1, 3, 5]
    assert said == [f"{path}: 2 rows are left out, whose values cannot be used: row 2 (loss: 'nan'), row 4 (loss: nothing)"]
    with pytest.raises(TableError, match="column loss, row 2: 'nan' is not a positive"):
        rows(path)
    path.write_text("params,loss\n1,x\n2,y\n")
    with pytest.raises(
        TableError, match=r"no row is left; 2 rows are left out, whose values cannot be used: row 1 \(loss: 'x'\)"
    ):
        rows(path, skip_invalid=True)
