from __future__ import annotations

import gzip
import hashlib
import time

import numpy as np
import pytest
from embed_fashion_mnist import PER_CLASS, first_of_each_class, pack
from torchvision import datasets

from scaling.data import DamagedData, DataError, DataSettings, describe, load, prepare
from scaling.data.arrays import Arrays
from scaling.data.sources import fashion_mnist

whole_set = pytest.mark.skipif(
    not fashion_mnist.SYSTEM_FOLDER.is_dir(), reason="the system's package of Fashion-MNIST is not installed"
)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    return load(prepare(DataSettings("fashion-mnist"), tmp_path_factory.mktemp("data"), progress=False))


def test_embedded_counts_are_those_that_are_promised(embedded):
    assert embedded.train_images.shape == (20_000, 1, 28, 28)
    assert embedded.test_images.shape == (10_000, 1, 28, 28)
    assert np.bincount(embedded.train_labels).tolist() == [2_000] * 10
    assert np.bincount(embedded.test_labels).tolist() == [1_000] * 10
    facts = describe(DataSettings("fashion-mnist"))
    assert (facts.channels, facts.side, facts.classes) == (embedded.channels, embedded.side, len(embedded.classes))
    assert facts.train_images == len(embedded.train_images)
    assert embedded.checksum == "8d48315821c82424f473adf6eae18f8537134976aa0ce38e78e0c732816a1e9a"


def test_embedded_images_are_no_copies_of_test_images(embedded):
    train, test = ({image.tobytes() for image in images} for images in (embedded.train_images, embedded.test_images))
    assert not train & test


def test_the_embedded_set_is_decoded_in_two_seconds(tmp_path):
    start = time.process_time()
    fashion_mnist.read_embedded(tmp_path)
    assert time.process_time() - start < 2


@whole_set
def test_embedded_images_are_the_first_of_each_class_of_the_whole_set(embedded):
    full = fashion_mnist.read_idx_folder(fashion_mnist.SYSTEM_FOLDER)
    kept = first_of_each_class(full.train_labels, PER_CLASS)
    assert np.array_equal(embedded.train_images, full.train_images[kept])
    assert np.array_equal(embedded.train_labels, full.train_labels[kept])
    assert np.array_equal(embedded.test_images, full.test_images)
    assert np.array_equal(embedded.test_labels, full.test_labels)


@whole_set
def test_the_whole_set_is_read_from_the_system_without_a_download(tmp_path):
    full = fashion_mnist.read_full(tmp_path / "downloads")
    assert full.train_images.shape == (60_000, 1, 28, 28)
    assert np.bincount(full.train_labels).tolist() == [6_000] * 10
    assert not (tmp_path / "downloads").exists()


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    """No package of the system, and no network."""
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "none")
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["file:///nowhere/"])


def test_the_whole_set_is_read_from_a_download(tmp_path, nothing_installed):
    raw = tmp_path / "downloads" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    written = {}
    for split, count in (("train", 5), ("t10k", 3)):
        written[split] = random.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8)
        for part, array in zip(("images-idx3", "labels-idx1"), written[split], strict=True):
            (raw / f"{split}-{part}-ubyte").write_bytes(idx_bytes(array))
    full = fashion_mnist.read_full(tmp_path / "downloads")
    assert np.array_equal(full.train_images[:, 0], written["train"][0])
    assert np.array_equal(full.test_images[:, 0], written["t10k"][0])
    assert full.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert full.test_labels.dtype == np.int64


def test_without_a_download_the_way_out_is_named(tmp_path, nothing_installed):
    with pytest.raises(DataError, match=r"fashion-mnist-full is neither in .* fashion-mnist is embedded") as caught:
        fashion_mnist.read_full(tmp_path / "downloads")
    assert "\n" not in str(caught.value)


def some_arrays() -> Arrays:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (n, 1, 28, 28), np.uint8) for n in (30, 20)]
    labels = [random.integers(0, 10, n) for n in (30, 20)]
    return Arrays(fashion_mnist.CLASSES, images[0], labels[0], images[1], labels[1])


def test_packing_is_lossless_and_reproducible(tmp_path):
    arrays = some_arrays()
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    pack(arrays, first)
    pack(arrays, second)
    assert first.read_bytes() == second.read_bytes()
    read = fashion_mnist.unpack(first, hashlib.sha256(first.read_bytes()).hexdigest())
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        assert np.array_equal(getattr(read, name), getattr(arrays, name))


def test_a_damaged_embedded_file_is_named(tmp_path):
    path = tmp_path / "a.npz"
    pack(some_arrays(), path)
    with pytest.raises(DamagedData, match=r"a\.npz: embedded Fashion-MNIST has sha256"):
        fashion_mnist.unpack(path, "0" * 64)
    with pytest.raises(DamagedData, match="no file"):
        fashion_mnist.unpack(tmp_path / "none.npz", "0" * 64)


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def test_idx_files_are_read_and_damage_is_named(tmp_path):
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(idx_bytes(array)))
    assert np.array_equal(fashion_mnist.read_idx(path), array)
    for raw, message in (
        (gzip.compress(b"\0\0\x0d\x01\0\0\0\0"), "no header of an IDX file"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc"), r"shape \(5,\), the file holds 3 values"),
        (gzip.compress(b"\0\0\x08\x03\0\0"), "no header of an IDX file"),
        (path.read_bytes()[:20] + b"\xff" * 9, "no gzipped IDX file"),
        (path.read_bytes()[:20], "no gzipped IDX file"),
        (b"plain", "no gzipped IDX file"),
    ):
        path.write_bytes(raw)
        with pytest.raises(DamagedData, match=message):
            fashion_mnist.read_idx(path)
