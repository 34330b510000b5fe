import itertools
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from scaling.jobs.benchmarks.speed import peak_bytes, prediction_step, time_rounds, training_step


def test_rounds_time_what_a_step_takes():
    calls = []
    steps = {
        "short": lambda: (calls.append("short"), time.sleep(0.002)),
        "long": lambda: (calls.append("long"), time.sleep(0.02)),
    }
    found = time_rounds(steps, rounds=3, least=0.01)
    assert [len(values) for values in found.values()] == [3, 3]
    assert all(0.002 <= value < 0.01 for value in found["short"])
    assert all(value >= 0.02 for value in found["long"])
    assert calls.count("long") == 1 + 3 * 3
    assert calls[:2] == ["short", "long"]  # warmed up
    order = [name for name, before in zip(calls, [None, *calls], strict=False) if name != before]
    assert order == ["short", "long"] * 4  # round by round, so that drift touches all alike


def test_what_disturbs_a_step_now_and_then_is_not_timed():
    pauses = itertools.cycle([0.002, 0.03, 0.002])
    (values,) = time_rounds({"disturbed": lambda: time.sleep(next(pauses))}, rounds=4).values()
    assert max(values) < 0.01


def test_steps_leave_the_weights_as_they_are():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    before = [p.clone() for p in model.parameters()]
    images, labels = torch.randn(2, 1, 4, 4), torch.tensor([0, 3])
    training_step(model, images, labels)()
    prediction_step(model, images)()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of a CPU are read where Linux keeps them")
def test_the_peak_of_memory_is_what_was_held():
    def holding(megabytes: int):
        def step() -> None:
            torch.ones(megabytes * 2**20 // 4).sum()

        return lambda: step

    # Both beyond 32 MB, below which the allocator may give what the parent had freed.
    small, large = peak_bytes(holding(64)), peak_bytes(holding(192))
    if small is None:
        pytest.skip("this system refuses to reset its peaks")
    assert large - small == pytest.approx(128 * 2**20, rel=0.1)


def test_what_cannot_be_measured_is_unknown():
    assert peak_bytes(lambda: lambda: None, device="mps") is None
