"""A job on GPUs, simulated: real cells on the CPU at slots of two GPUs, whose memory runs out as the test says."""

from dataclasses import replace

import pytest
import torch

from scaling.data import load
from scaling.jobs.runner import PackRunner
from scaling.jobs.slots import USABLE_SHARE
from scaling.runs.store import Store
from scaling.training.attempt import CellTraining
from scaling.training.device import Device, Gpu
from scaling.training.loop import Trainer
from scaling.training.memory import MemoryEstimate


@pytest.fixture
def runner(tmp_path, prepared, small_cell, monkeypatch):
    """A function that makes a runner on ``count`` GPUs, of enough memory for two small cells each, not for three."""
    memory = int(2.5 * MemoryEstimate(load(prepared)).need(small_cell()) / USABLE_SHARE)
    monkeypatch.setattr("scaling.jobs.slots.ledger_path", lambda: tmp_path / "ledger" / "ledger.json")
    monkeypatch.setattr("scaling.jobs.slots.RETRY_SECONDS", 0.1)

    def make(count=2, machine_cores=16):
        device = Device("cuda", "fp32", count, "simulated", tuple(Gpu(f"gpu-{i}", memory, memory) for i in range(count)))
        return PackRunner(
            Store(tmp_path / "store"),
            prepared,
            device,
            label="pack",
            cores=1,
            checkpoint_seconds=60.0,
            machine_cores=machine_cores,
        )

    return make


class Watch:
    """Notes which slots of a runner are taken, and how many at a time."""

    def __init__(self, runner) -> None:
        self.gpus, self.now, self.most = [], 0, 0
        take, free = runner.slots.take, runner.slots.free

        def noted_take(cell, alone):
            slot = take(cell, alone)
            if slot is not None:
                self.gpus.append(slot.gpus[0])
                self.now += 1
                self.most = max(self.most, self.now)
            return slot

        def noted_free(slot):
            self.now -= 1
            free(slot)

        runner.slots.take, runner.slots.free = noted_take, noted_free


@pytest.mark.slow
def test_the_cells_of_one_job_fill_several_gpus(runner, small_cell):
    one = runner()
    watch = Watch(one)
    cells = [small_cell(seed=seed) for seed in range(7)]
    assert sorted(one.run(cells).finished) == sorted(cell.key for cell in cells)
    assert set(watch.gpus) == {0, 1}
    assert watch.most == 4  # two on each, by memory, though the job was given one core
    with one.slots.ledger.open() as reservations:
        assert reservations == []


@pytest.mark.slow
def test_cores_bound_the_cells(runner, small_cell):
    one = runner(machine_cores=3)
    watch = Watch(one)
    one.run([small_cell(seed=seed) for seed in range(5)])
    assert watch.most == 3


def test_stored_cells_take_no_place(runner, small_cell):
    cells = [small_cell(seed=seed) for seed in range(3)]
    runner().run(cells)
    again = runner()
    watch = Watch(again)
    assert len(again.run(cells).finished) == 3
    assert watch.gpus == []


NOT_STARTED = "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(NOT_STARTED)])
def test_an_error_of_the_gpu_beside_others_is_begun_again_alone(runner, small_cell, monkeypatch, capfd, error):
    cells = [small_cell(seed=seed) for seed in range(3)]
    whole = CellTraining.run

    def run(self):
        if self.cell.seed == 1 and not self.alone:
            raise error
        whole(self)

    monkeypatch.setattr(CellTraining, "run", run)
    one = runner()
    outcome = one.run(cells)
    assert sorted(outcome.finished) == sorted(cell.key for cell in cells)
    assert outcome.failed == {}
    said = capfd.readouterr().err
    assert said.count("started again with a GPU to itself") == 1
    assert "seed=1" in said
    assert str(error) in said
    assert [one.store.read(cell.key).row["micro_batch"] for cell in cells] == [64, 64, 64]


@pytest.mark.parametrize("again", [False, True])
def test_a_refused_capture_is_begun_again_without_one(runner, small_cell, monkeypatch, capfd, again):
    refused = "CUDA error: operation not permitted when stream is capturing"
    whole = CellTraining.run

    def run(self):
        if self.captured or again:
            raise RuntimeError(refused)
        assert self.new_trainer().captured is None
        whole(self)

    monkeypatch.setattr(CellTraining, "run", run)
    one, cell = runner(), small_cell()
    outcome = one.run([cell])
    assert list(outcome.failed.values()) == ([f"RuntimeError: {refused}"] if again else [])
    assert capfd.readouterr().err.count(f"({'RuntimeError: ' + refused}); it is started again without one") == 1


def test_an_error_of_cuda_that_comes_again_alone_is_a_failure_with_its_reason(runner, small_cell, monkeypatch):
    def run(self):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(CellTraining, "run", run)
    cell = small_cell()
    assert "device-side assert triggered" in runner().run([cell]).failed[cell.key]


def test_a_run_is_recorded_with_the_name_of_its_own_gpu(runner, small_cell):
    one = runner()
    gpus = (replace(one.device.gpus[0], name="A100"), replace(one.device.gpus[1], name="V100"))
    one.device = replace(one.device, machine="A100, V100", gpus=gpus)
    cells = [small_cell(seed=seed) for seed in range(2)]
    one.run(cells)
    assert [one.store.read(cell.key).row["machine"] for cell in cells] == ["A100", "V100"]


@pytest.mark.slow
def test_out_of_memory_alone_halves_the_micro_batch(runner, small_cell, monkeypatch):
    whole = Trainer.backward

    def backward(self, step):
        if self.cell.seed == 1 and self.micro_batch > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, step)

    monkeypatch.setattr(Trainer, "backward", backward)
    one = runner()
    cells = [small_cell(seed=seed) for seed in range(3)]
    assert one.run(cells).failed == {}
    assert [one.store.read(cell.key).row["micro_batch"] for cell in cells] == [64, 16, 64]
    assert "goes on with 16" in one.store.log_path(cells[1].key).read_text()


@pytest.mark.slow
def test_out_of_memory_in_the_end_is_a_failure_with_its_reason(runner, small_cell, monkeypatch):
    def backward(self, step):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB")

    monkeypatch.setattr(Trainer, "backward", backward)
    cell = small_cell()
    assert "Tried to allocate 8 GiB" in runner().run([cell]).failed[cell.key]
