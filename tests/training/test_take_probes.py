import dataclasses

import pytest

from scaling.jobs.runner import PackRunner
from scaling.runs.deciding_code import probe_code
from scaling.runs.kept import missing_probes
from scaling.runs.records import DIVERGED
from scaling.runs.store import Store
from scaling.study.declared import PROBES
from scaling.training.device import Device
from scaling.training.loop import Trainer
from scaling.training.take_probes import restore_weights


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def run(store, prepared):
    def train(cell, probes=()):
        device = Device("cpu", "fp32", 0, "here")
        runner = PackRunner(store, prepared, device, label="pack", cores=1, checkpoint_seconds=60.0, probes=probes)
        return runner.run([cell])

    return train


def stamp(path):
    return path.stat().st_mtime_ns


def test_weights_are_kept_where_something_is_read_and_only_there(run, store, small_cell):
    read, unread = small_cell(), small_cell(seed=1)
    run(unread)
    assert not store.weights_path(unread.key).exists()
    outcome = run(read, ["shift"])
    assert outcome.finished == [read.key]
    rows = store.probe_rows(read.key, "shift", probe_code("shift"))
    unmoved = next(row for row in rows if row["quantity"] == "accuracy" and row["x"] == 0)
    error = store.read(read.key).row["error"]
    assert unmoved["value"] == pytest.approx(1 - error, abs=0.06)  # of the first 500 of 10,000 test images
    assert "shift" not in store.read(read.key).settings


def test_an_added_probe_trains_nothing(run, store, small_cell):
    cell = small_cell("vgg", 5_000)
    run(cell, ["shift"])
    before = [stamp(path) for path in (store.record_path(cell.key), store.weights_path(cell.key))]
    first = stamp(store.probe_path(cell.key, "shift"))
    run(cell, ["shift", "receptive-field"])
    assert missing_probes(store, cell.key, ["shift", "receptive-field", "gradients"]) == ["gradients"]
    assert before == [stamp(path) for path in (store.record_path(cell.key), store.weights_path(cell.key))]
    assert stamp(store.probe_path(cell.key, "shift")) == first
    assert {row["quantity"] for row in store.probe_rows(cell.key, "receptive-field", probe_code("receptive-field"))} == {
        "reach",
        "effective",
    }
    assert store.probe_rows(cell.key, "shift", "of other code") is None


def test_a_cell_stored_before_it_was_to_be_read_is_trained_again_to_the_same_weights(run, store, small_cell):
    cell = small_cell()
    run(cell, ["shift"])
    weights, rows = store.weights_path(cell.key).read_bytes(), store.probe_rows(cell.key, "shift", probe_code("shift"))
    record = stamp(store.record_path(cell.key))
    store.weights_path(cell.key).unlink()
    store.probe_path(cell.key, "shift").unlink()
    run(cell, ["shift"])
    assert store.weights_path(cell.key).read_bytes() == weights
    assert store.probe_rows(cell.key, "shift", probe_code("shift")) == rows
    assert stamp(store.record_path(cell.key)) == record


@pytest.mark.parametrize("damaged", ["weights.safetensors", "shift.json"])
def test_what_is_damaged_is_made_again(run, store, small_cell, damaged):
    cell = small_cell()
    run(cell, ["shift"])
    rows = store.probe_rows(cell.key, "shift", probe_code("shift"))
    store.probe_path(cell.key, "shift").unlink()
    run(cell, ["shift"])
    path = store.folder(cell.key) / damaged
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if damaged != "shift.json":
        store.probe_path(cell.key, "shift").unlink()
    run(cell, ["shift"])
    assert store.probe_rows(cell.key, "shift", probe_code("shift")) == rows


def test_a_diverged_cell_has_gradients_but_no_weights_to_read(run, store, small_cell):
    cell = small_cell(rate=1e6, optimizer="sgd", clip=0.0, images_floor=64 * 60)
    outcome = run(cell, [name for name in PROBES if name != "reconstruction"])
    assert outcome.finished == [cell.key]
    assert store.read(cell.key).row["status"] == DIVERGED
    assert store.probe_rows(cell.key, "shift", probe_code("shift")) == []
    rows = store.probe_rows(cell.key, "gradients", probe_code("gradients"))
    assert all(row["value"] > 0 for row in rows if row["phase"] == "start")
    assert any(row["value"] is None for row in rows if row["phase"] != "start")  # not finite


def test_a_probe_that_fails_is_a_hole_with_its_reason(run, store, small_cell, monkeypatch):
    cell = small_cell()
    monkeypatch.setattr("scaling.training.probes.shift.shift_rows", lambda *_: 1 / 0)
    outcome = run(cell, ["shift"])
    assert "division by zero" in outcome.failed[cell.key]
    assert store.record_path(cell.key).exists()
    monkeypatch.undo()
    assert run(cell, ["shift"]).finished == [cell.key]


def test_kept_weights_of_other_settings_are_refused(run, store, small_cell, images, capfd):
    cell = small_cell()
    run(cell, ["shift"])
    other = Trainer(dataclasses.replace(cell, learning_rate=0.02), images)
    store.weights_path(other.cell.key).parent.mkdir(parents=True)
    store.weights_path(cell.key).rename(store.weights_path(other.cell.key))
    assert not restore_weights(store, other)
    assert "made with other settings: learning_rate" in capfd.readouterr().out
