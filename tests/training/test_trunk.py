"""Runs of several lengths share their trunk, and end as runs that trained alone, bit for bit."""

import dataclasses

import pytest
import torch

from scaling.runs.records import MEASURED
from scaling.runs.store import Store
from scaling.training.attempt import CellTraining
from scaling.training.loop import Interrupted
from scaling.training.schedule import rate_factor
from scaling.training.trunk import trunks_among

pytestmark = pytest.mark.usefixtures("one_thread")

SCHEDULE = {
    "schedule": "warmup-stable-decay",
    "warmup_images": 320,
    "cooldown": 0.25,
    "first_evaluation": 0.8,
    "evaluations": 3,
}


@pytest.fixture(scope="module")
def lengths(small_cell):
    """Runs of 40, 20 and 20 steps; the last two differ in their seed."""

    def make(steps, seed=0, **changes):
        said = {"images_floor": 1, "images_factor": steps * 64 / 200}
        cell = small_cell(seed=seed, **(SCHEDULE | said | changes))
        assert cell.recipe.steps(cell.images) == steps
        return cell

    return make


@pytest.fixture
def train(images, tmp_path):
    """A function that trains a run into the store of the given name, with the trunk that it has among ``runs``."""

    def go(cell, runs=(), name="store", stop=lambda: False, warn=print):
        store = Store(tmp_path / name)
        trunk = next((t for t in trunks_among(runs) if cell.key in t.leaves), None)
        CellTraining(cell, images, store, "here", 1e9, True, stop, trunk=trunk, warn=warn).run()
        return store

    return go


def result(store, cell):
    entry = store.read(cell.key)
    return {name: value for name, value in entry.row.items() if name not in MEASURED} | {"curve": entry.curve}


def test_the_trunk_ends_where_the_rate_falls_or_before_the_first_evaluation(lengths):
    long, short = lengths(40), lengths(20)
    early = lengths(40, first_evaluation=0.25)
    (trunk,) = trunks_among([long, short])
    assert trunk.leaves == {long.key: 30, short.key: 15}
    assert trunk.saves(long.key) == trunk.saves(short.key) == {15}
    assert [trunks_among([early])[0].leaves[early.key]] == [9]
    rates = [[rate_factor(cell.recipe, step, steps) for step in range(15)] for cell, steps in ((long, 40), (short, 20))]
    assert rates[0] == rates[1]


def test_only_runs_that_differ_in_nothing_but_their_length_share(lengths):
    long, short = lengths(40), lengths(20)
    others = [lengths(20, seed=1), lengths(20, shift=2), dataclasses.replace(short, learning_rate=0.02)]
    assert sorted(len(trunk.leaves) for trunk in trunks_among([long, short, *others])) == [1, 1, 1, 2]
    by_share = {"warmup": 0.1, "warmup_images": None}
    assert trunks_among([lengths(40, **by_share), lengths(20, schedule="cosine")]) == []
    assert len(trunks_among([lengths(40, warmup_images=None, warmup=0.0)])) == 1


@pytest.mark.parametrize("order", [(40, 20, 28), (28, 20, 40)], ids=str)
def test_whichever_comes_first_all_end_as_if_alone(order, lengths, train, capsys):
    runs = [lengths(steps) for steps in order]
    for run in runs:
        shared = train(run, runs)
    begun = [line for line in capsys.readouterr().out.splitlines() if "another length" in line]
    # The states after 15 and 21 steps are where the runs of 20 and 28 leave the longer ones.
    assert len(begun) == 2
    for run in runs:
        assert result(shared, run) == result(train(run, name="alone"), run)
    assert [path.name for path in shared.root.glob("*/trunk-*")] == []
    assert {path.name for path in shared.root.iterdir()} == {run.key for run in runs}


def test_killed_and_resumed_they_end_the_same(lengths, train, capsys):
    long, short = runs = [lengths(40), lengths(20)]
    for steps in (10, 8, 12):  # killed before the state is left, and after
        asked = iter(range(steps))
        with pytest.raises(Interrupted):
            train(long, runs, stop=lambda asked=asked: next(asked, None) is None)
    store = train(short, runs)
    assert "goes on from step 15, which another" in capsys.readouterr().out
    train(long, runs)
    for run in runs:
        assert result(store, run) == result(train(run, name="alone"), run)


def test_a_damaged_state_is_named_removed_and_done_without(lengths, train, tmp_path):
    long, short = runs = [lengths(40), lengths(20)]
    store = train(long, runs)
    (trunk,) = trunks_among(runs)
    path = store.trunk_path(trunk.key, 15)
    whole = bytearray(path.read_bytes())
    whole[-5] ^= 1
    path.write_bytes(whole)
    said = []
    train(short, runs, warn=said.append)
    assert "its checksum does not match" in said[0]
    assert "removed" in said[0]
    assert result(store, short) == result(train(short, name="alone"), short)
    assert not path.exists()


def test_a_state_that_cannot_be_written_costs_nothing_but_time(lengths, train, monkeypatch):
    runs = long, _ = lengths(40), lengths(20)
    monkeypatch.setattr(Store, "trunk_path", lambda self, key, step: self.root / "a file" / str(step))
    said = []
    store = Store(train(lengths(20, seed=1)).root)
    (store.root / "a file").touch()
    train(long, runs, warn=said.append)
    assert "is not kept for other lengths of this run" in said[0]
    assert torch.isfinite(torch.tensor(store.read(long.key).row["loss"]))
