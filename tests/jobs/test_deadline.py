import os
import subprocess
import time

import pytest

from scaling.jobs import deadline
from scaling.jobs.runner import PackRunner
from scaling.runs.progress import read_progress
from scaling.runs.store import Store
from scaling.training.device import Device


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)


def squeue_says(monkeypatch, tmp_path, text: str, code: int = 0) -> None:
    program = tmp_path / "bin" / "squeue"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntest "$2" = --jobs=17 || exit 3\necho "{text}"\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:07", 7), ("5:00", 300), ("1:00:00", 3600), ("2-01:00:30", 2 * 86400 + 3630), ("UNLIMITED\n", None), ("NOT_SET", None)],
)
def test_durations_are_read_as_slurm_writes_them(text, seconds):
    assert deadline.read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "INVALID", "7", "1-5:00", "1:2:3:4"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"received|invalid literal"):
        deadline.read_duration(text)


def test_there_is_no_limit_outside_of_slurm():
    assert deadline.seconds_left() is None
    assert deadline.stop_time() is None


def test_the_time_left_is_asked_of_slurm(monkeypatch, tmp_path):
    squeue_says(monkeypatch, tmp_path, "1:00:00")
    assert deadline.seconds_left() == 3600
    assert deadline.stop_time() - time.monotonic() == pytest.approx(3600 - deadline.MARGIN_SECONDS, abs=5)


def test_a_short_job_keeps_most_of_its_time(monkeypatch, tmp_path):
    squeue_says(monkeypatch, tmp_path, "1:00")
    assert deadline.stop_time() - time.monotonic() == pytest.approx(60 - 12, abs=5)


def test_the_time_of_the_end_is_used_where_slurm_gives_it(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 500))
    assert deadline.seconds_left() == pytest.approx(500, abs=5)


def test_a_limit_that_slurm_does_not_tell_is_said_and_no_end(monkeypatch, tmp_path, capsys):
    squeue_says(monkeypatch, tmp_path, "no such job", code=1)
    assert deadline.stop_time() is None
    assert "time limit of job 17 is not known" in capsys.readouterr().err


@pytest.mark.slow
def test_a_runner_stops_before_its_limit_and_another_goes_on(prepared, small_cell, tmp_path, capfd):
    cell, store = small_cell(images_floor=64 * 2000), Store(tmp_path / "store")

    def runner(stop_at: float | None = None) -> PackRunner:
        device = Device("cpu", "fp32", 0, "here")
        return PackRunner(store, prepared, device, label="pack", cores=1, checkpoint_seconds=600.0, stop_at=stop_at)

    began = time.monotonic()
    first = runner(stop_at=began + 1.5)
    outcome = first.run([cell])
    assert outcome.interrupted
    assert "stopped before its end" in outcome.failed[cell.key]
    assert time.monotonic() - began > 1.5
    assert store.read(cell.key) is None
    step = read_progress(store.progress_path(cell.key)).step
    assert 0 < step < 2000
    assert "time limit is near" in capfd.readouterr().err
    again = runner().run([cell])
    assert again.finished == [cell.key]
    assert not again.interrupted
    assert f"goes on from step {step}" in store.log_path(cell.key).read_text()


def test_a_job_whose_limit_comes_as_it_finishes_is_no_interrupted_one(prepared, small_cell, tmp_path):
    store, cell = Store(tmp_path / "store"), small_cell()
    device = Device("cpu", "fp32", 0, "here")
    assert PackRunner(store, prepared, device, label="pack", cores=1, checkpoint_seconds=60.0).run([cell]).finished
    late = PackRunner(store, prepared, device, label="pack", cores=1, checkpoint_seconds=60.0, stop_at=time.monotonic() - 1.0)
    first = late.run([cell])
    assert (first.finished, first.interrupted) == ([cell.key], False)
    second = late.run([small_cell(seed=5)])  # the clock has been looked at: nothing more is begun
    assert (second.finished, second.interrupted) == ([], True)


@pytest.mark.slow
def test_the_command_knows_slurms_limit_and_says_that_it_can_be_resumed(checkout, monkeypatch, tmp_path):
    squeue_says(monkeypatch, tmp_path, "0:00")
    study = checkout.folder / "studies" / "limit.yaml"
    study.write_text("name: limit\nfamilies: {mlp: }\ngrid: {params: [13000], images: [300]}\n")
    run: subprocess.CompletedProcess = checkout.scaling("tune", "studies/limit.yaml", "mlp")
    assert run.returncode == 75, run.stdout + run.stderr
    assert "time limit is near" in run.stderr
    assert "the next run goes on" in run.stdout + run.stderr
