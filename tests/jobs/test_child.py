"""What a run's process does before it trains."""

import torch

from scaling.jobs.child import seed_the_cpu_alone


def test_random_numbers_are_the_same_where_the_cpu_alone_is_seeded(monkeypatch):
    torch.manual_seed(5)
    expected, drop = torch.rand(7), torch.nn.Dropout(0.5)(torch.ones(50))
    calls = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", calls.append)
    monkeypatch.setattr(torch, "manual_seed", torch.manual_seed)  # put back when the test ends
    seed_the_cpu_alone()
    torch.manual_seed(5)
    assert torch.equal(torch.rand(7), expected)
    assert torch.equal(torch.nn.Dropout(0.5)(torch.ones(50)), drop)
    assert torch.initial_seed() == 5
    assert calls == []
