"""Entries that differ in length alone have their runs' first parts in common; a job waits for one that is being trained."""

import time

import pytest

from scaling.jobs.runner import PackRunner
from scaling.jobs.shared_trunks import trunks_of
from scaling.runs.progress import ProgressReport, write_progress
from scaling.runs.resolve import RateRule, Tuning
from scaling.runs.store import Store
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.training.device import Device

RECIPE = {"schedule": "warmup-stable-decay", "warmup_images": 640, "first_evaluation": 0.8, "learning_rate": 0.01}
TUNING = Tuning("long", RateRule(1.0, 0.01, 0.0), "cpu", "fp32", "0" * 64, ())


@pytest.fixture
def trunks(tmp_path, monkeypatch):
    """A function that says what the runs of the entry `long` share; it is beside an entry with the recipe ``other``."""
    monkeypatch.chdir(tmp_path)

    def of(**other):
        families = {
            "long": {"model": "mlp", "recipe": {"images_seen": 64_000}},
            "other": {"model": "mlp", "recipe": other},
        }
        study = Study.model_validate(
            {"name": "a", "families": families, "recipe": RECIPE, "grid": {"params": [13000, 20000], "images": [500]}}
        )
        return trunks_of(study, Layout("a"), "long", TUNING)

    return of


def test_a_shorter_entry_shares_with_the_run_of_its_size(trunks):
    found = trunks(images_seen=32_000)
    assert [sorted(trunk.leaves.values()) for trunk in found] == [[399, 799], [399, 799]]
    assert len({run for trunk in found for run in trunk.leaves}) == 4


@pytest.mark.parametrize("change", [{"shift": 3}, {"learning_rate": 0.02}, {"warmup": 0.1}, {"schedule": "cosine"}], ids=str)
def test_an_entry_that_differs_in_more_shares_nothing(change, trunks):
    assert trunks(images_seen=32_000, **change) == []


def test_a_job_waits_while_a_state_for_its_run_is_on_its_way(trunks, tmp_path, prepared):
    trunk = trunks(images_seen=32_000)[0]
    long, short = sorted(trunk.leaves, key=lambda run: -trunk.leaves[run])
    store = Store(tmp_path / "store")
    device = Device("cpu", "fp32", 0, "here")
    shared = dict.fromkeys(trunk.leaves, trunk)
    runner = PackRunner(store, prepared, device, label="pack", cores=1, checkpoint_seconds=60.0, trunks=shared)
    assert not runner._trunk_grows(short)
    assert store.lease(long).acquire()
    write_progress(store.progress_path(long), ProgressReport(100, 1000, None, None, None, time.time()))
    assert runner._trunk_grows(short)
    assert not runner._trunk_grows(long)  # nobody is on the way to it
    store.trunk_path(trunk.key, 399).parent.mkdir()
    store.trunk_path(trunk.key, 399).touch()
    assert not runner._trunk_grows(short)
    store.trunk_path(trunk.key, 399).unlink()
    write_progress(store.progress_path(long), ProgressReport(500, 1000, None, None, None, time.time()))
    assert not runner._trunk_grows(short)  # it has passed the place
