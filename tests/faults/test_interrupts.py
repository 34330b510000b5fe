"""Interrupting a run with Ctrl-C: the next run goes on and ends with the same table."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from scaling.runs.records import MEASURED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STUDY = """\
name: interrupted
families: {vit: }
grid: {params: [13000], images: [300], seeds: [0, 1]}
recipe: {images_floor: 24000, images_factor: 1, evaluations: 4, patience: 0, learning_rate: 0.01}
jobs: {cores: 2, checkpoint_seconds: 0.2}
"""
CALL = ("results/interrupted/runs.parquet", "--config", "study=studies/interrupted.yaml")
"""As far as the table: this is about training."""


@pytest.fixture(scope="module")
def expected(checkout) -> pl.DataFrame:
    """The table of a run that nothing disturbed; its store is then moved away."""
    (checkout.folder / "studies" / "interrupted.yaml").write_text(STUDY)
    run = checkout.snakemake(*CALL)
    assert run.returncode == 0, run.stdout + run.stderr
    table = pl.read_parquet(checkout.folder / "results/interrupted/runs.parquet")
    (checkout.folder / "results/store").rename(checkout.folder / "results/store-before")
    (checkout.folder / "results/interrupted").rename(checkout.folder / "results/interrupted-before")
    return table


def wait_for_checkpoints(folder: Path, count: int) -> list[Path]:
    for _ in range(600):
        found = list(folder.glob("results/store/*/checkpoint.safetensors"))
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError("no checkpoint appeared")


def test_ctrl_c_costs_only_time(checkout, expected):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *CALL]
    driver = subprocess.Popen(
        command, cwd=checkout.folder, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_for_checkpoints(checkout.folder, 2)
    os.killpg(driver.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    driver.communicate(timeout=60)
    assert driver.returncode != 0
    checkpoints = wait_for_checkpoints(checkout.folder, 2)
    assert not checkout.records()

    again = checkout.snakemake(*CALL)
    assert again.returncode == 0, again.stdout + again.stderr
    for path in checkpoints:
        assert not path.exists()
        assert "goes on from step" in (path.parent / "log.txt").read_text()
    table = pl.read_parquet(checkout.folder / "results/interrupted/runs.parquet")
    assert table.drop(MEASURED).equals(expected.drop(MEASURED))
