"""What a job was given."""

from __future__ import annotations

from scaling.jobs.given import Given


def test_what_was_not_said_follows_from_the_cores(monkeypatch):
    monkeypatch.setattr("scaling.jobs.given.usable_cores", lambda: 4)
    assert (Given().at_a_time, Given().on_the_machine) == (4, 4)
    assert (Given(cores=2).at_a_time, Given(cores=2).on_the_machine) == (2, 4)


def test_gpus_train_no_more_runs_than_cores_can_feed(monkeypatch):
    monkeypatch.setattr("scaling.jobs.given.usable_cores", lambda: 4)
    assert Given(machine_cores=3).on_the_machine == 3
    assert Given(machine_cores=64).on_the_machine == 4
