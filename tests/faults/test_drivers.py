"""Two drivers at once on one study, and a study's folder that moves."""

import os
import shutil
import subprocess
import sys
import time

import polars as pl
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CONFIG = ("--config", "study=studies/faults.yaml")
TABLE = "results/faults/runs.parquet"

SLOW = (("images_floor: 3200", "images_floor: 64000"), ("checkpoint_seconds: 0", "checkpoint_seconds: 60"))
"""Cells of several seconds, so that two drivers meet."""

TRACE = """
from scaling.training.attempt import CellTraining

run = CellTraining.run

def noted(training):
    with open("trained.txt", "a") as file:
        file.write(training.cell.key + "\\n")
    run(training)

CellTraining.run = noted
"""


WHEN_TRAINING = """
import sys
from importlib.abc import MetaPathFinder

class Planter(MetaPathFinder):
    # once the runner is imported, the trace is planted; nothing of the product knows of it
    def find_spec(self, name, path, target=None):
        if name == "scaling.jobs.runner_line":
            sys.meta_path.remove(self)
            import trace_cells
        return None

sys.meta_path.insert(0, Planter())
"""


def driver(bench, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *more, TABLE, *CONFIG]
    environment = os.environ | {"PYTHONPATH": str(bench.folder)}
    return subprocess.Popen(
        command, cwd=bench.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_two_drivers_at_once_train_nothing_twice(fresh):
    fresh.write_study(*SLOW)
    fresh.plant("sitecustomize", WHEN_TRAINING)
    fresh.plant("trace_cells", TRACE)
    first = driver(fresh)
    for _ in range(1200):
        if list(fresh.folder.glob("results/store/*/lease")):
            break
        time.sleep(0.1)
    second, refused = driver(fresh, "--nolock"), driver(fresh)
    text = refused.communicate(timeout=100)[0]
    assert refused.returncode != 0
    assert "Directory cannot be locked" in text  # Snakemake's own lock
    texts = [one.communicate(timeout=200)[0] for one in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], "\n".join(texts)
    trained = (fresh.folder / "trained.txt").read_text().split()
    assert len(trained) == len(set(trained)) == 5
    assert set(fresh.table()["status"]) == {"done"}


def test_a_checkout_or_a_results_folder_that_moves_retrains_nothing(bench):
    before = bench.stamps()
    bench.folder = bench.folder.rename(bench.folder.with_name("moved elsewhere é"))
    assert set(bench.jobs(*CONFIG)) == {"complete"}
    # results on another disk, a link in their place
    elsewhere = bench.folder.with_name("another disk")
    shutil.move(bench.folder / "results", elsewhere)
    (bench.folder / "results").symlink_to(elsewhere)
    assert set(bench.jobs(*CONFIG)) == {"complete"}
    assert bench.train().code == 0
    assert bench.stamps() == before
    assert len(pl.read_parquet(elsewhere / "faults" / "runs.parquet")) == 5
