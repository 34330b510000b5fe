"""What only a GPU can show. Run them by: uv run pytest -m gpu (docs/gpu.md says what they need and how long they take).

CUDA is never touched in the process of the tests: what it is touched by runs in a forked child, as in a job.
"""

import dataclasses
import math
import multiprocessing
import time
import traceback
from pathlib import Path

import pytest
import torch

from scaling.jobs.doctor import gpu_checks
from scaling.jobs.doctor.finding import make
from scaling.jobs.doctor.on_device import in_process
from scaling.jobs.runner import PackRunner
from scaling.runs.store import Store
from scaling.training.attempt import CellTraining
from scaling.training.device import DeviceError, detect, see_only
from scaling.training.loop import Interrupted, Trainer
from scaling.training.memory import MemoryEstimate

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1200)]

FAMILIES = ["mlp", "alexnet", "vgg", "googlenet", "plain", "resnet", "vit", "swin", "mixer", "convnext"]


@pytest.fixture(scope="module")
def device():
    try:
        return detect("cuda")
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.fixture
def cell(device, small_cell):
    """A function that makes a cell for the GPU; keywords as those of ``small_cell``, and its precision."""

    def make(*args, precision="fp32", **changes):
        return dataclasses.replace(small_cell(*args, **changes), device="cuda", precision=precision)

    return make


@pytest.fixture
def runner(device, tmp_path, prepared):
    def make(machine_cores=4, name="store", gpus_per_run=1):
        return PackRunner(
            Store(tmp_path / name),
            prepared,
            device,
            label="gpu",
            cores=1,
            checkpoint_seconds=60.0,
            machine_cores=machine_cores,
            gpus_per_run=gpus_per_run,
        )

    return make


def in_child(function, gpu=0):
    """What ``function`` returns in a forked process that sees one GPU."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def run():
        try:
            see_only(gpu)
            queue.put((True, function()))
        except BaseException:
            queue.put((False, traceback.format_exc()))

    child = context.Process(target=run)
    child.start()
    worked, found = queue.get()
    child.join()
    assert worked, found
    return found


def train(cell, images, store, stop=lambda: False):
    """Train ``cell`` in this process, alone; its record's row and curve."""
    CellTraining(cell, images, store, "gpu", 1e9, alone=True, stop=stop, beat=lambda _: None).run()
    entry = store.read(cell.key)
    return entry.row, entry.curve


def losses(curve):
    return [point["validation_loss"] for point in curve]


def precisions(device):
    return ["fp32", "bf16"] if device.precision == "bf16" else ["fp32"]


def test_every_family_trains_in_every_precision(device, cell, runner):
    cells = [cell(family, 30_000, precision=precision) for family in FAMILIES for precision in precisions(device)]
    one = runner()
    outcome = one.run(cells)
    assert outcome.failed == {}
    for each in cells:
        row = one.store.read(each.key).row
        assert (row["device"], row["precision"], row["machine"]) == ("cuda", each.precision, device.machine)
        assert 0 < row["loss"] < 1.5 * math.log(10)
        assert 0 < row["peak_memory"] < device.gpus[0].total
    assert not torch.cuda.is_initialized()  # or the next fork could not use CUDA


@pytest.mark.parametrize("family", FAMILIES)
def test_fp32_computes_what_a_cpu_computes(family, cell, small_cell, images):
    changes = {"dropout": 0.0}
    # A backward pass here, even on the CPU, would start autograd's threads and spoil the forks of the tests that follow.
    on_cpu, on_gpu = (
        in_child(lambda c=one: Trainer(c, images).backward(0).item())
        for one in (small_cell(family, 30_000, **changes), cell(family, 30_000, **changes))
    )
    assert on_gpu == pytest.approx(on_cpu, rel=1e-4)


@pytest.mark.parametrize("family", ["vgg", "resnet", "vit"])
def test_bf16_comes_near_fp32(family, device, cell, images, tmp_path):
    if device.precision != "bf16":
        pytest.skip(f"{device.machine} has no bf16 units")
    found = {
        precision: in_child(
            lambda p=precision: train(
                cell(family, 30_000, images_=1000, images_floor=64 * 200, precision=p), images, Store(tmp_path / p)
            )[0]["loss"]
        )
        for precision in ("fp32", "bf16")
    }
    assert found["bf16"] == pytest.approx(found["fp32"], rel=0.15)


@pytest.mark.parametrize("family", ["vgg", "resnet", "vit", "swin"])
def test_the_memory_estimate_is_within_a_factor_of_three(family, device, cell, images, tmp_path):
    for precision in precisions(device):
        large = cell(family, 1_000_000, batch=512, images_floor=512 * 3, evaluations=1, precision=precision)
        row, _ = in_child(lambda c=large, p=precision: train(c, images, Store(tmp_path / p)))
        ratio = MemoryEstimate(images).tensors(large) / row["peak_memory"]
        assert 1 / 3 < ratio < 3, f"{precision}: {ratio:.2f} times the measured {row['peak_memory']:,} bytes"


def test_cells_at_once_beat_cells_in_a_row(cell, runner):
    cells = [cell("vit", 30_000, seed=seed, images_floor=64 * 3000, evaluations=1) for seed in range(4)]
    seconds = {}
    for at_a_time in (1, 4):
        began = time.monotonic()
        assert runner(at_a_time, f"store-{at_a_time}").run(cells).failed == {}
        seconds[at_a_time] = time.monotonic() - began
    assert seconds[4] < 0.8 * seconds[1], seconds


def test_memory_that_runs_out_halves_the_micro_batch(device, cell, images, tmp_path):
    one = cell("vit", 300_000, batch=2048, images_floor=2048 * 5, evaluations=1, dropout=0.0)
    whole, curve = in_child(lambda: train(one, images, Store(tmp_path / "whole")))
    assert whole["micro_batch"] == 2048

    def limited():
        torch.cuda.set_per_process_memory_fraction(0.7 * whole["peak_memory"] / device.gpus[0].total)
        return train(one, images, Store(tmp_path / "parts"))

    parts, halved = in_child(limited)
    assert parts["micro_batch"] < 2048
    assert parts["peak_memory"] < 0.7 * whole["peak_memory"]
    assert losses(halved) == pytest.approx(losses(curve), rel=1e-3)


@pytest.mark.parametrize("family", ["mlp", "resnet", "vit"])
def test_a_run_resumes(family, cell, images, tmp_path):
    one = cell(family, 30_000)
    _, expected = in_child(lambda: train(one, images, Store(tmp_path / "whole")))

    def broken():
        asked = []

        def stop():
            asked.append(1)
            return len(asked) == 7

        store = Store(tmp_path / "broken")
        with pytest.raises(Interrupted):
            train(one, images, store, stop)
        trainer = Trainer(one, images)
        assert trainer.restore(store.checkpoint_path(one.key))
        assert trainer.progress.step == 7
        return train(one, images, store)

    _, found = in_child(broken)
    # Sums on a GPU come in no fixed order, so near, not bit for bit.
    assert losses(found) == pytest.approx(losses(expected), rel=1e-3)


@pytest.mark.parametrize("family", ["vgg", "resnet"])
def test_channels_last_is_used_and_changes_no_loss(family, cell, images):
    one = cell(family, 300_000)

    def both():
        trainer = Trainer(one, images)
        weights = [p for p in trainer.model.parameters() if p.ndim == 4 and min(p.shape[:2]) > 1 and p.shape[2] > 1]
        formats = {p.is_contiguous(memory_format=torch.channels_last) for p in weights}
        plain = Trainer(one, images)
        plain.channels_last = plain.computation.channels_last = False
        plain.model.to(memory_format=torch.contiguous_format)
        return trainer.channels_last, formats, trainer.backward(0).item(), plain.backward(0).item()

    used, formats, loss, plain = in_child(both)
    assert used
    assert formats == {True}
    assert loss == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize(
    ("family", "changes"),
    [(family, {"dropout": 0.1}) for family in FAMILIES] + [("vit", {"optimizer": "sgd"}), ("mlp", {"mixup": 0.2})],
)
def test_a_captured_step_computes_what_an_eager_one_does(family, changes, cell, images):
    one = cell(family, 30_000, images_=1000, images_floor=64 * 60, **changes)

    def both():
        curves = []
        for eager in (False, True):
            trainer = Trainer(one, images)
            if eager:
                trainer.captured = None
            trainer.run(Path("unused"), 1e9, lambda: False, lambda *_: None)
            curves.append(losses(trainer.progress.curve))
            assert eager or trainer.captured._graph is not None
        return curves

    captured, eager = in_child(both)
    assert captured == pytest.approx(eager, rel=0.02)


def test_a_child_sees_the_gpu_that_it_was_given(device):
    def seen():
        assert torch.cuda.device_count() == 1
        return str(torch.cuda.get_device_properties(0).uuid)

    for index, gpu in enumerate(device.gpus):
        assert in_child(seen, index) == gpu.uuid


def test_the_cells_of_one_job_fill_all_gpus(device, cell, runner):
    if len(device.gpus) < 2:
        pytest.skip("one GPU is here")
    one, used = runner(2 * len(device.gpus)), []
    take = one.slots.take

    def noted(*args):
        slot = take(*args)
        if slot is not None:
            used.append(slot.gpus[0])
        return slot

    one.slots.take = noted
    assert one.run([cell(seed=seed) for seed in range(2 * len(device.gpus))]).failed == {}
    assert set(used) == set(range(len(device.gpus)))


def test_one_run_on_two_gpus_learns_what_it_learns_on_one(device, cell, runner):
    if len(device.gpus) < 2:
        pytest.skip("one GPU is here")
    one, alone, both = cell("vit", 30_000, dropout=0.0), runner(name="alone"), runner(name="both", gpus_per_run=2)
    assert {**alone.run([one]).failed, **both.run([one]).failed} == {}
    expected, found = (each.store.read(one.key) for each in (alone, both))
    assert losses(found.curve) == pytest.approx(losses(expected.curve), abs=0.02)  # sums in another order, over 20 steps
    assert (found.row["micro_batch"], found.row["machine"]) == (32, f"2 x {device.gpus[0].name}")


def test_the_doctor_finds_nothing_wrong(device):
    made = make(gpu_checks.checks())
    assert [(one.name, one.found) for one in made if one.status == "fail"] == []


def test_a_child_sees_each_gpu_by_its_uuid(device):
    for gpu in device.gpus:
        assert in_process("context_bytes", gpu, "cuda") >= 0  # its first tensor lies there, or this raises
