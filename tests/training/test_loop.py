import math
from itertools import pairwise

import pytest
import torch

from scaling.runs.records import DIVERGED, DONE, MEASURED, SCHEMA
from scaling.training.loop import Interrupted, Trainer

pytestmark = pytest.mark.usefixtures("one_thread")


def never() -> bool:
    return False


def ignore(*_) -> None:
    pass


def finished(cell, images, tmp_path):
    trainer = Trainer(cell, images)
    trainer.run(tmp_path / "checkpoint", 1e9, never, ignore)
    return trainer, trainer.entry("here")


def comparable(entry):
    return {k: v for k, v in entry.row.items() if k not in MEASURED}, entry.curve


@pytest.mark.parametrize(("family", "target"), [("mlp", 13_000), ("resnet", 5_000), ("vit", 4_000), ("alexnet", 8_500)])
@pytest.mark.parametrize("stop_at", [3, 11])
def test_resumed_is_bit_identical_to_unbroken(family, target, stop_at, small_cell, images, tmp_path):
    changes = {"dropout": 0.2} if family == "alexnet" else {"stochastic_depth": 0.2} if family in ("vit", "resnet") else {}
    cell = small_cell(family, target, **changes)
    whole, expected = finished(cell, images, tmp_path)
    broken = Trainer(cell, images)
    with pytest.raises(Interrupted, match=f"step {stop_at} of 20"):
        broken.run(tmp_path / "c", 1e9, lambda: broken.progress.step >= stop_at, ignore)
    resumed = Trainer(cell, images)
    assert resumed.restore(tmp_path / "c")
    assert resumed.progress.step == stop_at
    resumed.run(tmp_path / "c", 1e9, never, ignore)
    assert comparable(resumed.entry("here")) == comparable(expected)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_the_record_says_what_was_trained(small_cell, images, tmp_path):
    cell = small_cell()
    trainer, entry = finished(cell, images, tmp_path)
    row = entry.row
    assert row["status"] == DONE
    assert set(row) <= set(SCHEMA)
    assert row["steps"] == 20
    assert row["images_seen"] == 20 * 64
    hidden = round(cell.width)
    assert row["flop_forward"] == 2 * (784 * hidden + hidden * hidden + hidden * 10)
    assert row["flop"] == 3 * row["flop_forward"] * row["images_seen"]
    assert row["flop_to_best"] == 3 * row["flop_forward"] * row["best_step"] * 64
    assert row["params"] == sum(p.numel() for p in trainer.model.parameters())
    assert row["validation_loss"] == min(point["validation_loss"] for point in entry.curve)
    assert 0 < row["loss"] < math.log(10)
    assert 0 < row["error"] < 0.9
    assert row["error_se"] == pytest.approx(math.sqrt(row["error"] * (1 - row["error"]) / len(images.test_labels)))


def test_it_learns(small_cell, images, tmp_path):
    _, entry = finished(small_cell("vgg", 5_000, images_=1000, images_floor=6400), images, tmp_path)
    assert entry.row["error"] < 0.45


@pytest.mark.parametrize("rate", [1e6, float("1e30")])
def test_a_rate_that_is_too_high_is_recorded_as_diverged(rate, small_cell, images, tmp_path):
    cell = small_cell("mlp", rate=rate, optimizer="sgd", clip=0.0, images_floor=64 * 60)
    _, entry = finished(cell, images, tmp_path)
    assert entry.row["status"] == DIVERGED
    assert "step" in entry.row["reason"]
    assert "loss" not in entry.row


def test_patience_ends_a_run(small_cell, images, tmp_path):
    cell = small_cell(rate=1e-12, average=0, patience=1, evaluations=8, images_floor=64 * 40, dropout=0.0)
    _, entry = finished(cell, images, tmp_path)
    full = small_cell(rate=0.05, patience=0, evaluations=8, images_floor=64 * 40)
    _, other = finished(full, images, tmp_path)
    assert other.row["steps"] == 40
    assert not other.row["stopped_early"]
    assert entry.row["steps"] <= 40


def test_seeds_differ_and_repeat(small_cell, images, tmp_path):
    _, first = finished(small_cell(seed=1), images, tmp_path)
    _, again = finished(small_cell(seed=1), images, tmp_path)
    _, other = finished(small_cell(seed=2), images, tmp_path)
    assert comparable(first) == comparable(again)
    assert first.row["loss"] != other.row["loss"]


def test_auxiliary_losses_train_their_heads(small_cell, images):
    trainer = Trainer(small_cell("googlenet", 5_000), images)
    before = {n: p.clone() for n, p in trainer.model.named_parameters() if n.startswith("auxiliary.")}
    assert before
    trainer.model.train()
    trainer.train_step()
    after = dict(trainer.model.named_parameters())
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_training_loss_of_an_evaluation_is_the_mean_of_the_steps_since_the_last(small_cell, images, monkeypatch):
    losses, whole = [], Trainer.backward

    def backward(self, step):
        loss = whole(self, step)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(Trainer, "backward", backward)
    trainer = Trainer(small_cell("mlp", 13_000, images_floor=64 * 80, evaluations=6), images)
    trainer.run(None, 1e9, never, ignore)
    steps = [0, *(point["step"] for point in trainer.progress.curve)]
    assert any(step % 25 for step in steps)
    assert steps[-1] > 50
    expected = [sum(losses[a:b]) / (b - a) for a, b in pairwise(steps)]
    assert [point["train_loss"] for point in trainer.progress.curve] == pytest.approx(expected, rel=1e-4)
