from __future__ import annotations

import dataclasses
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from scaling.data import SOURCES, DataError, DataSettings, describe, load, prepare, prepared_path
from scaling.data.arrays import Arrays


def tiny_arrays(downloads: Path) -> Arrays:
    """A source of 6 training and 4 test images, 28 x 28, in place of a download."""
    random = np.random.default_rng(0)
    return Arrays(
        ("a", "b"),
        random.integers(0, 256, (6, 1, 28, 28), np.uint8),
        np.array([0, 1] * 3),
        random.integers(0, 256, (4, 1, 28, 28), np.uint8),
        np.array([0, 1] * 2),
    )


@pytest.fixture
def tiny_source(monkeypatch):
    """Let ``fashion-mnist`` be a tiny source, and count how often it is read."""
    reads = []

    def read(downloads):
        reads.append(downloads)
        return tiny_arrays(downloads)

    monkeypatch.setitem(SOURCES, "fashion-mnist", dataclasses.replace(SOURCES["fashion-mnist"], read=read))
    return reads


def test_a_source_is_built_once_and_found_afterwards(tmp_path, tiny_source):
    settings = DataSettings("fashion-mnist")
    path = prepare(settings, tmp_path, progress=False)
    assert path == prepared_path(settings, tmp_path) == tmp_path / "fashion-mnist-28.safetensors"
    before = path.stat().st_mtime_ns
    assert prepare(settings, tmp_path, progress=False) == path
    assert path.stat().st_mtime_ns == before
    assert tiny_source == [tmp_path / "downloads"]
    assert np.array_equal(load(path).train_images, tiny_arrays(tmp_path).train_images)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_file_is_named_and_rebuilt(tmp_path, tiny_source, caplog, damage):
    settings = DataSettings("fashion-mnist")
    path = prepare(settings, tmp_path, progress=False)
    whole = path.read_bytes()
    flipped = whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:]
    path.write_bytes({"flip": flipped, "truncate": whole[:-1000], "empty": b""}[damage])
    prepare(settings, tmp_path, progress=False)
    assert path.read_bytes() == whole
    assert str(path) in caplog.text
    assert len(tiny_source) == 2


def test_a_build_that_fails_leaves_nothing_and_the_next_one_succeeds(tmp_path, tiny_source, monkeypatch):
    settings = DataSettings("fashion-mnist")
    with monkeypatch.context() as broken:
        broken.setattr("scaling.data.prepared.channel_statistics", lambda images: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare(settings, tmp_path, progress=False)
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]
    assert load(prepare(settings, tmp_path, progress=False)).classes == ("a", "b")


def test_images_are_scaled_to_another_side(tmp_path, tiny_source):
    data = load(prepare(DataSettings("fashion-mnist", side=14), tmp_path, progress=False))
    assert data.train_images.shape == (6, 1, 14, 14)
    # Scaling by one half is near the mean of each 2 x 2 block, and keeps the mean of an image.
    original = tiny_arrays(tmp_path).train_images
    assert np.allclose(data.train_images.mean((1, 2, 3)), original.mean((1, 2, 3)), atol=3)
    blocks = original.reshape(6, 1, 14, 2, 14, 2).mean((3, 5))
    assert np.corrcoef(blocks.ravel(), data.train_images.ravel())[0, 1] > 0.9


def build_slowly(root: Path, barrier, log: Path) -> None:
    """In a process of its own: prepare a source whose building is noted in ``log`` and takes a while."""

    def read(downloads):
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.5)
        return tiny_arrays(downloads)

    SOURCES["fashion-mnist"] = dataclasses.replace(SOURCES["fashion-mnist"], read=read)
    barrier.wait()
    load(prepare(DataSettings("fashion-mnist"), root, progress=False))


def test_two_processes_that_race_build_once(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, log = context.Barrier(2), tmp_path / "log"
    racers = [context.Process(target=build_slowly, args=(tmp_path / "data", barrier, log)) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert [racer.exitcode for racer in racers] == [0, 0]
    assert len(log.read_text().split()) == 1


def build_and_die(root: Path) -> None:
    """In a process of its own: die in the middle of building."""
    SOURCES["fashion-mnist"] = dataclasses.replace(SOURCES["fashion-mnist"], read=lambda downloads: os._exit(9))
    prepare(DataSettings("fashion-mnist"), root, progress=False)


def test_a_builder_that_died_blocks_nobody(tmp_path, tiny_source):
    context = multiprocessing.get_context("fork")
    victim = context.Process(target=build_and_die, args=(tmp_path,))
    victim.start()
    victim.join(30)
    assert victim.exitcode == 9
    (tmp_path / "fashion-mnist-28.partial").write_bytes(b"half")
    assert load(prepare(DataSettings("fashion-mnist"), tmp_path, progress=False)).classes == ("a", "b")


def test_settings_that_differ_have_files_that_differ(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("images")
    variants = [
        DataSettings("fashion-mnist"),
        DataSettings("fashion-mnist", side=32),
        DataSettings("fashion-mnist-full"),
        DataSettings("image-folder", side=32, folder=folder),
        DataSettings("image-folder", side=32, folder=Path("other")),
        DataSettings("image-folder", side=32, folder=folder, unreadable="skip"),
    ]
    assert len({prepared_path(settings, tmp_path) for settings in variants}) == len(variants)
    same = DataSettings("image-folder", side=32, folder=folder.resolve())
    assert prepared_path(same, tmp_path) == prepared_path(variants[3], tmp_path)
    assert prepared_path(DataSettings("fashion-mnist", side=28), tmp_path) == prepared_path(variants[0], tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "fashon-mnist"}, "source 'fashon-mnist' is unknown, .* did you mean 'fashion-mnist'"),
        ({"source": "cifar10", "side": 0}, "side 0"),
        ({"source": "cifar10", "side": 32.0}, r"side 32\.0"),
        ({"source": "fashion-mnist", "folder": Path("x")}, "folder 'x' is for source 'cifar10' or .*'image-folder', not for"),
        ({"source": "cifar10", "labels": Path("x")}, r"labels 'x' is for source 'image-folder', not .*\(it takes folder\)"),
        ({"source": "cifar10", "unreadable": "skip"}, "unreadable 'skip' is for source 'image-folder' or 'parquet'"),
        ({"source": "parquet", "side": 8}, "source 'parquet' needs side and files, got side 8, files None"),
        ({"source": "parquet", "side": 8, "files": "x", "split_column": "s"}, "split_column 's' is for source 'image-folder'"),
        ({"source": "webdataset", "side": 8, "files": "x"}, "files 'x' is for source 'parquet', not for 'webdataset'"),
        ({"source": "image-folder", "side": 8, "folder": Path("x"), "label_column": "c"}, "and labels names none"),
        ({"source": "webdataset", "side": 8, "shards": "x", "channels": 2}, "channels 2 is not allowed"),
        ({"source": "image-folder", "folder": Path("x")}, "needs side and folder, got side None"),
        ({"source": "image-folder", "side": 8}, "needs side and folder"),
        ({"source": "cifar10", "unreadable": "ignore"}, "unreadable 'ignore' is not allowed: refuse or skip"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        DataSettings(**arguments)


def test_facts_are_known_before_anything_is_prepared(image_folder):
    facts = describe(DataSettings("cifar100", side=64))
    assert (facts.channels, facts.side, facts.classes, facts.train_images) == (3, 64, 100, 50_000)
    facts = describe(DataSettings("image-folder", side=16, folder=image_folder))
    assert (facts.channels, facts.side, facts.classes, facts.train_images) == (3, 16, 2, 16)
