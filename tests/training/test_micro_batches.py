"""Running out of memory, simulated: a smaller micro-batch at the same effective batch, and what the record says of it."""

import pytest
import torch

from scaling.runs.store import Store
from scaling.training.attempt import CellTraining
from scaling.training.loop import Interrupted, Trainer
from scaling.training.memory import is_out_of_memory

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def limit(monkeypatch):
    """A device that holds the activations of so many images and no more."""
    whole = Trainer.backward

    def set_limit(images: int) -> list[int]:
        tried = []

        def backward(self, step):
            tried.append(self.micro_batch)
            if self.micro_batch > images:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return whole(self, step)

        monkeypatch.setattr(Trainer, "backward", backward)
        return tried

    return set_limit


def train(cell, images, store, alone=True, stop=lambda: False):
    CellTraining(cell, images, store, "here", 1e9, alone=alone, stop=stop, beat=lambda _: None).run()
    return store.read(cell.key)


def losses(entry):
    return [value for point in entry.curve for value in (point["train_loss"], point["validation_loss"])]


@pytest.mark.parametrize(("family", "target"), [("mlp", 13_000), ("alexnet", 8_500), ("vit", 4_000), ("swin", 6_500)])
@pytest.mark.parametrize("micro_batch", [32, 24, 1])
def test_accumulated_gradients_are_those_of_the_whole_batch(family, target, micro_batch, small_cell, images):
    cell = small_cell(family, target, dropout=0.0)
    whole, parts = Trainer(cell, images), Trainer(cell, images)
    parts.shrink(micro_batch)
    assert parts.backward(0).item() == pytest.approx(whole.backward(0).item(), abs=1e-6)
    for (name, mine), theirs in zip(parts.model.named_parameters(), whole.model.parameters(), strict=True):
        scale = theirs.grad.abs().max().item()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-5 * scale + 1e-9, msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_loss_curve_is_that_of_the_whole_batch(optimizer, small_cell, images, tmp_path, limit):
    cell = small_cell("mlp", optimizer=optimizer, rate=0.01)
    expected = train(cell, images, Store(tmp_path / "whole"))
    tried = limit(16)
    found = train(cell, images, Store(tmp_path / "parts"))
    assert tried == [64, 32, *[16] * 20]
    assert losses(found) == pytest.approx(losses(expected), abs=1e-6)
    assert found.row["key"] == expected.row["key"] == cell.key
    assert (expected.row["micro_batch"], found.row["micro_batch"]) == (64, 16)
    assert (expected.row["ghost_batch_norm"], found.row["ghost_batch_norm"]) == (False, False)
    assert found.row["batch"] == 64
    assert found.row["steps"] == expected.row["steps"]


def test_batch_norm_over_micro_batches_is_marked(small_cell, images, tmp_path, limit):
    cell = small_cell("resnet", 5_000)
    whole = train(cell, images, Store(tmp_path / "whole"))
    limit(32)
    parts = train(cell, images, Store(tmp_path / "parts"))
    assert (whole.row["ghost_batch_norm"], parts.row["ghost_batch_norm"]) == (False, True)
    assert losses(parts) != pytest.approx(losses(whole), abs=1e-4)  # the statistics are others: it would be wrong not to say


@pytest.mark.slow
@pytest.mark.parametrize(("family", "target"), [("mlp", 13_000), ("plain", 5_000)])
def test_down_to_one_image_at_a_time(family, target, small_cell, images, tmp_path, limit):
    tried = limit(1)
    entry = train(small_cell(family, target, images_floor=64 * 2, evaluations=1), images, Store(tmp_path))
    assert list(dict.fromkeys(tried)) == [64, 32, 16, 8, 4, 2, 1]
    assert entry.row["micro_batch"] == 1
    assert entry.row["status"] == "done"


@pytest.mark.slow
def test_one_image_too_many_fails(small_cell, images, tmp_path, limit):
    limit(0)
    with pytest.raises(torch.OutOfMemoryError):
        train(small_cell(), images, Store(tmp_path))


def test_beside_others_nothing_is_computed_differently(small_cell, images, tmp_path, limit):
    tried = limit(16)
    with pytest.raises(torch.OutOfMemoryError):
        train(small_cell(), images, Store(tmp_path), alone=False)
    assert tried == [64]


def test_other_errors_are_not_taken_for_it(small_cell, images, tmp_path, monkeypatch):
    def fail(self, step):
        raise RuntimeError("a matrix is singular")

    monkeypatch.setattr(Trainer, "backward", fail)
    with pytest.raises(RuntimeError, match="singular"):
        train(small_cell(), images, Store(tmp_path))


@pytest.mark.slow
def test_a_resumed_cell_keeps_its_micro_batch(small_cell, images, tmp_path, limit):
    """So that a cell with batch norm that is interrupted ends as one that is not."""
    cell = small_cell("resnet", 5_000)
    limit(16)
    expected = train(cell, images, Store(tmp_path / "unbroken"))
    store, asked = Store(tmp_path / "broken"), []

    def stop():
        asked.append(1)
        return len(asked) == 7

    with pytest.raises(Interrupted):
        train(cell, images, store, stop=stop)
    tried = limit(64)
    found = train(cell, images, store)
    assert set(tried) == {16}
    assert losses(found) == losses(expected)
    assert found.row["ghost_batch_norm"]


def test_memory_that_runs_out_later_goes_on_from_the_checkpoint(small_cell, images, tmp_path, monkeypatch, capsys):
    cell = small_cell()
    whole, steps = Trainer.backward, []

    def backward(self, step):
        steps.append(step)
        if step == 12 and self.micro_batch == 64:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, step)

    monkeypatch.setattr(Trainer, "backward", backward)
    store = Store(tmp_path)
    CellTraining(cell, images, store, "here", 0.0, alone=True, stop=lambda: False, beat=lambda _: None).run()
    assert steps == [*range(13), *range(12, 20)]
    assert store.read(cell.key).row["micro_batch"] == 32
    assert "out of memory with 64 images at a time; goes on with 32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_counts_as_out_of_memory(error, expected):
    assert is_out_of_memory(error) is expected


def test_torch_itself_running_out_counts():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
