"""How many cores a process may use."""

from __future__ import annotations

import os

from scaling.cores import usable_cores


def test_cores_are_those_of_the_affinity_and_of_the_slurm_job(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    here = usable_cores()
    assert 1 <= here <= (os.cpu_count() or 1)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert usable_cores() == 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4096")
    assert usable_cores() == here
