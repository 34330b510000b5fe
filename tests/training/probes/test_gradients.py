import pytest
import torch
from torch import nn

from scaling.training.loop import Trainer
from scaling.training.optimizer import forget_gradients
from scaling.training.probes.gradients import gradient_norms, gradient_rows


def test_norms_are_those_of_the_weights_in_order_and_of_nothing_else():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 26 * 26, 3))
    net(torch.randn(4, 1, 28, 28)).square().sum().backward()
    norms = gradient_norms(net)
    assert [name for name, _ in norms] == ["0", "3"]
    assert norms[1][1] == pytest.approx(net[3].weight.grad.norm().item(), rel=1e-6)


def test_gradients_that_vanish_and_explode_are_seen():
    def chain(gain: float) -> list[float]:
        torch.manual_seed(0)
        net = nn.Sequential(*[nn.Linear(4, 4, bias=False) for _ in range(10)])
        for layer in net:
            nn.init.orthogonal_(layer.weight, gain)
        net(torch.randn(32, 4)).sum().backward()
        return [value for _, value in gradient_norms(net)]

    # Signal and gradient are scaled alike, so the norm is the same at every depth of a chain, and gain^9 overall.
    small, one, large = chain(0.5), chain(1.0), chain(2.0)
    assert small[0] == pytest.approx(one[0] / 2**9, rel=1e-4)
    assert large[0] == pytest.approx(one[0] * 2**9, rel=1e-4)


def test_gradients_are_those_of_the_cells_own_training(small_cell, images):
    cell = small_cell("plain", 5_000, images_floor=64 * 130)
    rows = gradient_rows(cell, images)
    assert {row["phase"] for row in rows} == {"start", "100 steps"}
    start = [row for row in rows if row["phase"] == "start"]
    assert [row["x"] for row in start] == list(range(len(start)))
    assert start[0]["label"] == "stem.0"
    trainer = Trainer(cell, images)
    trainer.model.train()
    total = 0.0
    for step in range(4):
        trainer.backward(step)
        total += trainer.model.stem[0].weight.grad.norm().item() ** 2 / 4
        forget_gradients(trainer.parameters)
    assert start[0]["value"] == pytest.approx(total**0.5, rel=1e-5)
