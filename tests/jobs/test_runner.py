import dataclasses
import os
import signal
import time

import pytest

from scaling.data import DataError
from scaling.jobs.runner import PackRunner
from scaling.runs.progress import read_progress
from scaling.runs.store import Store
from scaling.training.device import Device


@pytest.fixture
def runner(tmp_path, prepared):
    def make(cores=2, checkpoint_seconds=60.0):
        store = Store(tmp_path / "store")
        device = Device("cpu", "fp32", 0, "here")
        return PackRunner(store, prepared, device, label="pack", cores=cores, checkpoint_seconds=checkpoint_seconds)

    return make


def test_every_cell_gets_a_record_and_nothing_is_trained_twice(runner, small_cell):
    cells = [small_cell(seed=seed) for seed in range(3)]
    one = runner()
    outcome = one.run(cells)
    assert sorted(outcome.finished) == sorted(cell.key for cell in cells)
    assert outcome.failed == {}
    stamps = {cell.key: one.store.record_path(cell.key).stat().st_mtime_ns for cell in cells}
    again = runner()
    assert sorted(again.run(cells).finished) == sorted(stamps)
    assert not again.imported
    assert stamps == {cell.key: one.store.record_path(cell.key).stat().st_mtime_ns for cell in cells}
    assert not any(one.store.root.glob("*/lease*"))
    assert not any(one.store.root.glob("*/checkpoint*"))
    assert not any(one.store.root.glob("*/progress*"))


def test_a_failing_cell_leaves_its_neighbours_alone(runner, small_cell, capfd):
    good, bad = small_cell(), dataclasses.replace(small_cell(), width=-1.0)
    one = runner()
    outcome = one.run([bad, good])
    assert outcome.finished == [good.key]
    assert "must be positive" in outcome.failed[bad.key]
    assert "Traceback" in one.store.log_path(bad.key).read_text()
    assert "1 failed" in capfd.readouterr().err


OWN = """
from torch import nn

class mine(nn.Sequential):
    def __init__(self, width, depth, image):
        super().__init__(nn.Flatten(), nn.Linear(image.channels * image.side**2, image.classes))

    def forward(self, images):
        if self.training:
            raise KeyError("no such feature")
        return super().forward(images)
"""


def test_a_model_of_ones_own_that_fails_is_told_with_its_file_and_line(runner, small_cell, tmp_path):
    (tmp_path / "nets.py").write_text(OWN)
    cell = dataclasses.replace(small_cell(), family=f"{tmp_path / 'nets.py'}:mine", width=4.0, depth=1)
    one = runner()
    outcome = one.run([cell])
    assert outcome.failed[cell.key] == f"{tmp_path / 'nets.py'}: line 10: KeyError: 'no such feature'"
    log = one.store.log_path(cell.key).read_text()
    assert "Traceback" in log
    assert log.splitlines()[-1] == outcome.failed[cell.key]


@pytest.mark.slow
def test_a_killed_cell_is_a_hole_and_resumes(runner, small_cell):
    cell = small_cell(images_floor=64 * 600)
    one = runner(cores=1, checkpoint_seconds=0.05)

    original = one._beat

    def kill(running):
        original(running)
        if running and one.store.checkpoint_path(cell.key).exists():
            os.kill(running[0].process.pid, signal.SIGKILL)
            one._beat = original

    one._beat = kill
    outcome = one.run([cell])
    assert outcome.failed == {cell.key: "killed by SIGKILL"}
    assert one.store.checkpoint_path(cell.key).exists()
    resumed = runner()
    assert resumed.run([cell]).finished == [cell.key]
    assert "goes on from step" in resumed.store.log_path(cell.key).read_text()


def test_a_damaged_checkpoint_is_named_and_training_starts_again(runner, small_cell):
    cell = small_cell()
    one = runner()
    path = one.store.checkpoint_path(cell.key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a checkpoint")
    assert one.run([cell]).finished == [cell.key]
    log = one.store.log_path(cell.key).read_text()
    assert str(path) in log
    assert "trained from its start" in log


def test_a_signal_writes_checkpoints_and_ends_resumable(runner, small_cell):
    cell = small_cell(images_floor=64 * 100_000)
    one = runner(cores=1)

    def send(_):
        if one.store.log_path(cell.key).exists() and time.monotonic() - began > 2:
            os.kill(os.getpid(), signal.SIGTERM)

    began = time.monotonic()
    one._beat = send
    outcome = one.run([cell])
    assert outcome.interrupted
    assert one.store.checkpoint_path(cell.key).exists()
    assert "stopped before its end" in outcome.failed[cell.key]
    progress = read_progress(one.store.progress_path(cell.key))
    assert progress.stopped
    assert 0 < progress.step < progress.steps
    assert 0 < progress.loss < 3


def test_a_cell_that_a_twin_trains_is_waited_for(runner, small_cell, tmp_path, images):
    cell = small_cell()
    one = runner()
    twin = one.store.lease(cell.key)
    twin.owner = twin.owner | {"host": "another-node"}
    assert twin.acquire()
    reference = runner()
    reference.store = Store(tmp_path / "elsewhere")
    reference.run([cell])
    waited = []

    def finish(_):
        waited.append(1)
        if len(waited) == 5:  # the twin ends: its record appears and its lease goes
            one.store.write(cell.key, reference.store.read(cell.key))
            twin.path.unlink()

    one._beat = finish
    assert one.run([cell]).finished == [cell.key]
    assert len(waited) >= 5
    assert not one.store.log_path(cell.key).exists()  # it trained nothing itself


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint_seconds", [0.01, 60.0])
def test_a_trainer_whose_lease_is_anothers_now_writes_nothing_and_reads_its_successors_result(
    runner, small_cell, tmp_path, capfd, checkpoint_seconds
):
    cell = small_cell(images_floor=64 * 300)
    reference = runner()
    reference.store = Store(tmp_path / "elsewhere")
    reference.run([cell])
    one = runner(cores=1, checkpoint_seconds=checkpoint_seconds)
    folder = one.store.folder(cell.key)
    twin = one.store.lease(cell.key)
    twin.owner |= {"host": "another-node"}
    files, looks = [], []

    def succeed(running):
        if running and not files:  # while the first trainer starts, its lease becomes the twin's
            files.append(None)
            os.kill(running[0].process.pid, signal.SIGSTOP)
            running[0].lease.path.unlink()
            assert twin.acquire()
            (folder / "checkpoint.safetensors").write_bytes(b"the twin's")
            files.append({path: path.stat().st_mtime_ns for path in folder.iterdir()})
            os.kill(running[0].process.pid, signal.SIGCONT)
        if files and not running:
            looks.append({path: path.stat().st_mtime_ns for path in folder.iterdir()})
            if len(looks) == 3:
                one.store.write(cell.key, reference.store.read(cell.key))
                twin.release()

    one._beat = succeed
    outcome = one.run([cell])
    assert (outcome.finished, outcome.trained, outcome.failed) == ([cell.key], [], {})
    assert "taken over" in capfd.readouterr().err
    log = one.store.log_path(cell.key)  # of the trainer that left: it may say so, and a successor puts its own in its place
    assert [{**look, log: 0} for look in looks[:2]] == [{**files[1], log: 0}] * 2


def test_runs_of_other_images_than_were_loaded_are_refused(runner, small_cell):
    one, cell = runner(), small_cell()
    with pytest.raises(DataError, match=r"pack: the runs are of images with sha256 0000, those prepared have .*run again"):
        one.run([cell, dataclasses.replace(cell, seed=1, checksum="0000")])
    assert not one.store.root.exists()
