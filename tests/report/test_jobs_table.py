from dataclasses import replace

import polars as pl
import pytest
from example_study import runs_table
from test_page import HOSTILE, Page, inputs

from scaling.jobs.job_notes import ENDED, OUT_OF_MEMORY, RUNNING, JobNote
from scaling.report.jobs_table import jobs_csv, jobs_table
from scaling.report.page import build, render

pytestmark = pytest.mark.usefixtures("one_point")

NOW = 10_000.0
NOTE = JobNote("train", "vit-n5000", "vit", 1, 1000.0, "a", asked_memory_mb=2500, asked_minutes=10, outcome=ENDED)
NOTES = [
    replace(NOTE, outcome=OUT_OF_MEMORY, seconds=60.0, peak_memory_mb=2450.0, trained=1, cell_seconds=20.0),
    replace(
        NOTE, attempt=2, asked_memory_mb=4000, seconds=100.0, peak_memory_mb=3000.0, at_a_time=2, trained=3, cell_seconds=120.0
    ),
    replace(NOTE, name="vit-n9000", outcome=RUNNING, seconds=30.0),
    replace(NOTE, rule="tune", name="vit", asked_minutes=None, seconds=15.0),
]


@pytest.fixture(scope="module")
def runs():
    table = runs_table(families=("vit",), sizes=(5_000, 20_000), images=(500, 2_000))
    ghost = pl.Series("ghost_batch_norm", [True, *[False] * (len(table) - 1)])
    return table.with_columns(ghost, pl.lit(900_000_000).alias("peak_memory"))


def test_asked_and_used_by_family_and_rule(runs):
    tune, train = jobs_table(NOTES, runs, NOW)
    assert (train["jobs"], train["attempts"], train["unwell"]) == (2, 3, {"out of memory": 1, "killed": 1})
    assert (train["asked_memory_mb"], train["used_memory_mb"]) == (4000, 3000)
    assert (train["asked_seconds"], train["used_seconds"]) == (600, 100)
    assert train["trained"] == 4
    assert train["overhead"] == pytest.approx((40 + 40 + 30) / 4)
    assert (train["cell_memory_mb"], train["ghost"]) == (900, 1)
    assert (tune["rule"], tune["asked_seconds"], tune["overhead"], tune["cell_memory_mb"]) == ("tune", None, None, None)
    assert jobs_table([], runs, NOW) == []


def test_the_csv_has_a_row_an_attempt(runs):
    table = jobs_csv(NOTES, NOW)
    assert table["outcome"].to_list() == [OUT_OF_MEMORY, ENDED, "killed", ENDED]
    assert table["asked_memory_mb"].to_list() == [2500, 4000, 2500, 2500]
    assert jobs_csv(NOTES, 1030.0)["outcome"][2] == RUNNING


def test_the_page_shows_jobs_where_there_are_notes(runs, tmp_path):
    build(inputs(runs, notes=NOTES), tmp_path / "index.html")
    assert len(pl.read_csv(tmp_path / "jobs.csv")) == 4
    page = Page((tmp_path / "index.html").read_text())
    assert "jobs" in page.ids
    (row,) = [row for table in page.tables for row in table if row[:2] == ["vit", "train"]]
    assert row[2:] == ["2", "3", "1 out of memory, 1 killed", "4.0 GB", "3.0 GB", "0.90 GB", "10 min", "100 s", "4", "27.5 s"]
    assert "1 model of vit ran out of GPU memory" in " ".join(" ".join(page.text).split())
    assert "jobs" not in Page(render(inputs(runs))).ids


def test_names_in_notes_are_escaped(runs):
    assert HOSTILE not in render(inputs(runs, notes=[replace(NOTE, family=HOSTILE, name=HOSTILE)]))
