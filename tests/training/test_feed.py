"""Images that stay in their file: the same batches, losses and weights, bit for bit, as from memory."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from scaling.runs.records import MEASURED
from scaling.training import feed
from scaling.training import images as cell
from scaling.training.feed import Feed
from scaling.training.file_rows import FileRows
from scaling.training.images import FileImages, Subset, gather
from scaling.training.loop import Trainer
from scaling.training.schedule import Order


@pytest.fixture
def from_file(monkeypatch):
    """A function after which nothing is held in memory, and three batches of 64 are read at a time."""

    def set_limits() -> None:
        monkeypatch.setattr(cell, "IN_MEMORY_BYTES", 0)
        monkeypatch.setattr(cell, "HELD_OUT_BYTES", 0)
        monkeypatch.setattr(feed, "WINDOW_BYTES", 3 * 64 * 28 * 28)

    return set_limits


@pytest.mark.usefixtures("one_thread")
def test_a_run_from_the_file_is_the_run_from_memory(small_cell, images, tmp_path, from_file):
    def run():
        trainer = Trainer(small_cell(), images)
        trainer.run(tmp_path / "checkpoint", 1e9, lambda: False, lambda *_: None)
        return trainer, trainer.entry("here")

    trainer, expected = run()
    assert trainer.images.train.in_memory
    from_file()
    other, found = run()
    assert not other.images.train.in_memory
    assert isinstance(other.images.validation_images, FileImages)
    assert isinstance(other.images.test_images, FileImages)
    assert found.curve == expected.curve
    for name, value in expected.row.items():
        assert name in MEASURED or found.row[name] == value, name
    for name, tensor in trainer.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name]), name


def test_steps_may_be_asked_for_in_any_order_and_again(images, from_file):
    positions, order = np.arange(5, 205), Order(200, 64, 3)
    expected = Feed(Subset(images.train_images, images.train_labels, positions, "cpu"), order, 20)
    from_file()
    found = Feed(Subset(images.train_images, images.train_labels, positions, "cpu"), order, 20)
    for step in (0, 0, 1, 2, 3, 7, 6, 2, 19, 20, 18):
        pixels, labels = found.batch(step)
        assert torch.equal(pixels, expected.batch(step)[0]), step
        assert torch.equal(labels, expected.batch(step)[1]), step
        pixels.zero_()  # a batch is the caller's own


@pytest.mark.parametrize("mapped", [True, False])
def test_rows_come_in_the_order_asked_for(images, mapped):
    array = images.train_images if mapped else np.array(images.train_images[:500])
    rows = np.array([400, 3, 3, 499, 0])
    assert np.array_equal(FileRows(array).read(rows).numpy(), array[rows])
    assert FileRows(array)._place is not None or not mapped


def test_a_file_that_ends_early_is_named(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(bytes(range(100)))
    rows = FileRows(np.memmap(path, np.uint8, "r", shape=(10, 10)))
    with path.open("r+b") as file:
        file.truncate(95)
    with pytest.raises(OSError, match="images: ends before image 9"):
        rows.read(np.array([1, 9]))


def test_held_out_images_are_split_like_tensors(images, from_file):
    whole = torch.from_numpy(np.array(images.test_images[:70]))
    parts = list(FileImages(images.test_images, np.arange(70), "cpu").split(32))
    assert [len(part) for part in parts] == [32, 32, 6]
    assert torch.equal(torch.cat(parts), whole)


def test_a_reading_of_held_out_images_may_be_left_early(images):
    whole = FileImages(images.test_images, np.arange(70), "cpu")
    assert torch.equal(next(whole.split(32)), whole[:32])


def test_images_that_come_late_are_the_same_images(images, from_file, monkeypatch):
    positions, order, read = np.arange(5, 205), Order(200, 64, 3), FileRows.read
    expected = Feed(Subset(images.train_images, images.train_labels, positions, "cpu"), order, 12)
    from_file()

    def slow(self, *args, **kwargs):
        time.sleep(0.02)
        return read(self, *args, **kwargs)

    monkeypatch.setattr(FileRows, "read", slow)
    found = Feed(Subset(images.train_images, images.train_labels, positions, "cpu"), order, 12)
    assert all(torch.equal(found.batch(step)[0], expected.batch(step)[0]) for step in range(12))


def test_images_gathered_in_parts_are_all_there(images, monkeypatch):
    monkeypatch.setattr(cell, "PART_BYTES", 7 * 28 * 28)
    positions = np.arange(100)[::-3].copy()
    found = gather(FileRows(images.train_images), positions, "cpu")
    assert np.array_equal(found.numpy(), images.train_images[positions])
