"""One run on two GPUs, simulated: two processes train on the CPU, each a slice of the batch, and speak over gloo."""

import os
import signal
import time
from types import SimpleNamespace

import psutil
import pytest
import torch

from scaling.jobs.gpus_per_run import check_gpus
from scaling.jobs.job_errors import JobError
from scaling.jobs.runner import PackRunner
from scaling.models.family import ImageSpec
from scaling.runs.store import Store
from scaling.training.attempt import CellTraining
from scaling.training.captured_step import CapturedStep
from scaling.training.computation import Computation
from scaling.training.device import Device, Gpu
from scaling.training.loop import Trainer
from scaling.training.ranks import Ranks, SharedComputation

GB = 10**9


@pytest.fixture
def runner(tmp_path, prepared, monkeypatch):
    """A runner that gives each run two GPUs, and writes a checkpoint after each step."""
    monkeypatch.setattr("scaling.jobs.slots.ledger_path", lambda: tmp_path / "ledger" / "ledger.json")
    device = Device("cuda", "fp32", 2, "simulated", tuple(Gpu(f"gpu-{i}", 2 * GB, 2 * GB, "A100") for i in range(2)))
    settings = {"label": "pack", "cores": 1, "checkpoint_seconds": 0.0, "gpus_per_run": 2}
    return PackRunner(Store(tmp_path / "store"), prepared, device, **settings)


def alone(cell, images, store, micro_batch):
    """The record of ``cell`` trained by this process, so many images at a time."""
    training = CellTraining(cell, images, store, "here", 1e9, alone=True, stop=lambda: False)
    training._attempt(micro_batch)
    return store.read(cell.key)


def result(record):
    measured = ("seconds", "peak_memory", "machine", "start_seconds", "evaluation_seconds")
    return {name: value for name, value in record.row.items() if name not in measured}, record.curve


def in_rank(rank, action):
    """Let ``action`` be called with the trainer's computation before each gradient of the process that is ``rank``."""
    whole = Computation.gradients

    def gradients(self, inputs, drawn, micro_batch):
        if self._ranks.rank == rank:
            action(micro_batch)
        return whole(self, inputs, drawn, micro_batch)

    return gradients


@pytest.mark.parametrize("changes", [{}, {"optimizer": "schedule-free-adamw"}])
def test_two_ranks_are_bit_identical_to_two_micro_batches(runner, small_cell, images, tmp_path, changes):
    """Sums of two numbers have one order, and a share of 1/2 is exact: there is nothing to tolerate."""
    cell = small_cell(**changes)
    outcome = runner.run([cell])
    assert outcome.failed == {}
    found, expected = runner.store.read(cell.key), alone(cell, images, Store(tmp_path / "alone"), 32)
    assert result(found) == result(expected)
    assert found.row["machine"] == "2 x A100"
    with runner.slots.ledger.open() as reservations:
        assert reservations == []


@pytest.mark.slow
def test_killed_and_resumed(runner, small_cell, images, tmp_path, monkeypatch):
    cell, steps, whole, follower = small_cell(), [], Computation.gradients, tmp_path / "follower"

    def gradients(self, inputs, drawn, micro_batch):
        steps.append(1)
        if self._ranks.rank:
            follower.write_text(str(os.getpid()))
        elif len(steps) == 12:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, inputs, drawn, micro_batch)

    with monkeypatch.context() as patch:
        patch.setattr(Computation, "gradients", gradients)
        assert "killed by SIGKILL" in runner.run([cell]).failed[cell.key]
    until = time.monotonic() + 20
    while psutil.pid_exists(int(follower.read_text())):
        assert time.monotonic() < until  # the other process ends by itself
        time.sleep(0.05)
    assert runner.run([cell]).finished == [cell.key]
    assert "goes on from step 11" in runner.store.log_path(cell.key).read_text()
    assert result(runner.store.read(cell.key)) == result(alone(cell, images, Store(tmp_path / "alone"), 32))


@pytest.mark.slow
def test_memory_that_runs_out_on_one_gpu_makes_all_slices_smaller(runner, small_cell, images, tmp_path, monkeypatch):
    def full(micro_batch):
        if micro_batch > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")

    cell = small_cell()
    with monkeypatch.context() as patch:
        patch.setattr(Computation, "gradients", in_rank(1, full))
        assert runner.run([cell]).failed == {}
    found = runner.store.read(cell.key)
    assert found.row["micro_batch"] == 16
    whole = alone(cell, images, Store(tmp_path / "alone"), 64)
    losses = [[point["validation_loss"] for point in record.curve] for record in (found, whole)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)  # as with micro-batches of one process (test_micro_batches.py)


def test_a_process_that_dies_is_the_reason(runner, small_cell, monkeypatch):
    def die(micro_batch):
        os._exit(3)

    cell = small_cell()
    monkeypatch.setattr(Computation, "gradients", in_rank(1, die))
    assert "the process on GPU 2 of 2 ended with exit code 3" in runner.run([cell]).failed[cell.key]


def test_batch_norm_is_refused(small_cell):
    image, device = ImageSpec(28, 1, 10), SimpleNamespace(kind="cuda", count=2)
    assert check_gpus(2, device, [small_cell()], image) is None
    with pytest.raises(JobError, match=r"gpus_per_run: received 2, but resnet has batch norm: .*allowed: 1"):
        check_gpus(2, device, [small_cell("resnet", 5_000)], image)


@pytest.mark.parametrize(
    ("kind", "count", "message"),
    [("cpu", 0, "received 2, but runs are trained on cpu here"), ("cuda", 1, "received 2, but this job sees 1 GPU:")],
)
def test_gpus_that_are_not_there_are_refused(kind, count, message):
    with pytest.raises(JobError, match=message):
        check_gpus(2, SimpleNamespace(kind=kind, count=count), [], ImageSpec(28, 1, 10))


def test_a_trainer_that_joins_is_not_captured(small_cell, images):
    trainer, ranks = Trainer(small_cell(), images), object.__new__(Ranks)
    ranks.rank, ranks.count, trainer.captured = 0, 2, CapturedStep(trainer._update, "cpu")
    ranks.join(trainer)
    assert (trainer.captured, trainer.micro_batch, type(trainer.computation)) == (None, 32, SharedComputation)
    ranks.count = 3
    with pytest.raises(ValueError, match="batch of 64 cannot be cut into 3 equal slices"):
        ranks.join(trainer)
