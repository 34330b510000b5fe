"""`scaling next` as a user calls it: rows for a study that ran, and one line for what is wrong."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from synthetic_runs import SIZES, synthetic_runs
from typer.testing import CliRunner

from scaling.cli.commands import app
from scaling.jobs.job_errors import MissingWork
from scaling.jobs.opening import open_study
from scaling.runs.grid import cells
from scaling.runs.job_hashes import tuning_hash
from scaling.runs.resolve import RateRule, Tuning, resolve
from scaling.runs.store import Record, Store
from scaling.study.layout import Layout
from scaling.study.study_images import image_spec, look_at_images

SMOKE = Path(__file__).parents[2] / "studies" / "smoke.yaml"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--for", "beauty"), "--for is 'beauty'; allowed: exponents, prediction, contrast, skill"),
        (("--minutes", "5", "--flop", "1e12"), "a budget is given twice, by --minutes and --flop; keep one"),
        (("--minutes", "-1"), "--minutes is -1; it must be positive and finite"),
    ],
)
def test_bad_options_end_with_one_line(options, message):
    result = CliRunner().invoke(app, ["next", "config.yaml", *options])
    assert (result.exit_code, result.stderr) == (2, message + "\n")


def test_a_study_without_results_is_told_what_to_run(tmp_path, monkeypatch):
    shutil.copy(SMOKE, tmp_path / "smoke.yaml")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["next", "smoke.yaml", "--minutes", "5"])
    assert isinstance(result.exception, MissingWork)
    assert str(result.exception).startswith("no run of smoke.yaml has a result yet: run `snakemake")
    assert "\n" not in str(result.exception)


FAMILIES = ("vgg", "resnet")
OF_THE_STUDY = ("study", "pack", "kind", "target_params", "model", "variant")
"""Columns that a record does not have."""


@pytest.fixture
def finished(tmp_path, prepared, ladders, monkeypatch) -> Path:
    """A study file, with losses drawn from known laws in the store under the keys of its runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Layout, "ladders", property(lambda self: ladders.cache))
    runs = synthetic_runs(FAMILIES, noise=0.03)
    sizes = {name: np.round(np.geomspace(*SIZES[name], 4)).astype(int).tolist() for name in FAMILIES}
    data = sorted(runs["images"].unique())
    entries = "".join(f"  {name}: {{params: {sizes[name]}}}\n" for name in FAMILIES)
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nfamilies:\n{entries}device: cpu\ngrid:\n  params: [5000]\n  images: {data}\n")
    study, layout = open_study(file), Layout("mine")
    layout.data.mkdir(parents=True)
    shutil.copy(prepared, layout.data / prepared.name)
    for name in FAMILIES:
        found = look_at_images(study, layout).checksum
        tuned = Tuning(name, RateRule(4.0, 0.02, 0.0), "cpu", "fp32", found, (), settings=tuning_hash(study, name))
        layout.tuning(name).parent.mkdir(parents=True, exist_ok=True)
        layout.tuning(name).write_text(tuned.text())
        for cell in cells(study, name):
            run = resolve(study, cell, tuned, ladders, image_spec(study))
            place = (pl.col("family") == name) & (pl.col("params") == cell.target) & (pl.col("images") == cell.images)
            (row,) = runs.filter(place).drop(OF_THE_STUDY).to_dicts()
            row |= {"key": run.key, "params": run.params, "width": run.width, "depth": run.depth, "seed": cell.seed}
            store = Store(layout.store)
            store.folder(run.key).mkdir(parents=True)
            store.write(run.key, Record(row, run.settings(), []))
    return file


def test_a_study_that_ran_gets_rows_and_lines_that_can_be_pasted(finished):
    answer = CliRunner().invoke(app, ["next", "mine.yaml", "--minutes", "10", "--for", "exponents", "--json"])
    assert answer.exit_code == 0, answer.stderr
    rows = json.loads(answer.stdout)
    columns = ["family", "params", "images", "seeds", "minutes", "gain", "width_before", "width_after"]
    assert [list(row) for row in rows] == [columns] * len(rows)
    assert 0 < sum(row["minutes"] for row in rows) <= 10
    assert all(later["gain"] <= earlier["gain"] * (1 + 1e-9) for earlier, later in pairwise(rows))
    told = CliRunner().invoke(app, ["next", "mine.yaml", "--minutes", "10", "--for", "exponents"])
    assert told.exit_code == 0, told.stderr
    head, lines = told.stdout.split("Paste into the study's file, under `grid:`:\n")
    assert "exponents alpha and beta" in head
    before = {cell for name in FAMILIES for cell in cells(open_study(finished), name)}
    finished.write_text(finished.read_text() + lines)  # whose last key is grid
    added = {cell for name in FAMILIES for cell in cells(open_study(finished), name)} - before
    expected = {(row["family"], row["params"], row["images"], seed) for row in rows for seed in row["seeds"]}
    assert {(cell.family, cell.target, cell.images, cell.seed) for cell in added} == expected
