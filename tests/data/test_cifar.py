from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from scaling.data import DataError, DataSettings, load, prepare


def write_batch(path: Path, images: np.ndarray, **entries) -> str:
    """Write images [n, 3, 32, 32] as CIFAR does (a pickled dictionary, one row an image); returns the md5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"data": images.reshape(len(images), -1), **entries}))
    return hashlib.md5(path.read_bytes()).hexdigest()


def random_images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 32, 32), np.uint8)


def write_names(path: Path, **names) -> str:
    path.write_bytes(pickle.dumps(names))
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def small_cifar10(tmp_path, monkeypatch) -> Path:
    """Five training files of four images and a test file of six, with torchvision told their md5."""
    root = tmp_path / "data"
    folder = root / "downloads" / "cifar-10-batches-py"
    train = [
        [f"data_batch_{i}", write_batch(folder / f"data_batch_{i}", random_images(4, i), labels=[i % 2, 1, 0, 1])]
        for i in range(1, 6)
    ]
    test = [["test_batch", write_batch(folder / "test_batch", random_images(6, 9), labels=[0, 1] * 3)]]
    md5 = write_names(folder / "batches.meta", label_names=["airplane", "automobile"])
    monkeypatch.setattr(datasets.CIFAR10, "train_list", train)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", test)
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": md5})
    return root


def test_cifar10_files_are_read_in_order(small_cifar10):
    data = load(prepare(DataSettings("cifar10"), small_cifar10, progress=False))
    assert (data.channels, data.side, data.classes) == (3, 32, ("airplane", "automobile"))
    assert np.array_equal(data.train_images, np.concatenate([random_images(4, i) for i in range(1, 6)]))
    assert data.train_labels[:8].tolist() == [1, 1, 0, 1, 0, 1, 0, 1]
    assert np.array_equal(data.test_images, random_images(6, 9))
    assert data.test_labels.tolist() == [0, 1] * 3


def test_cifar100_has_its_fine_classes(tmp_path, monkeypatch):
    root = tmp_path / "data"
    folder = root / "downloads" / "cifar-100-python"
    lists = {}
    for split, count in (("train", 8), ("test", 4)):
        labels = {"fine_labels": list(range(count)), "coarse_labels": [0] * count}
        lists[split] = [[split, write_batch(folder / split, random_images(count, count), **labels)]]
    names = [f"fine {i}" for i in range(8)]
    md5 = write_names(folder / "meta", fine_label_names=names, coarse_label_names=["coarse"])
    monkeypatch.setattr(datasets.CIFAR100, "train_list", lists["train"])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", lists["test"])
    monkeypatch.setattr(datasets.CIFAR100, "meta", {"filename": "meta", "key": "fine_label_names", "md5": md5})
    data = load(prepare(DataSettings("cifar100"), root, progress=False))
    assert data.classes == tuple(names)
    assert data.train_labels.tolist() == list(range(8))
    assert np.array_equal(data.test_images, random_images(4, 4))


def test_a_pickle_whose_md5_is_not_the_published_one_is_never_opened(small_cifar10, monkeypatch):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (small_cifar10 / "exploded",)

    (small_cifar10 / "downloads" / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps(Bomb()))
    monkeypatch.setattr(datasets.CIFAR10, "url", "file:///nowhere/cifar-10-python.tar.gz")
    with pytest.raises(DataError, match=r"cannot download .* put cifar-10-python\.tar\.gz into"):
        prepare(DataSettings("cifar10"), small_cifar10, progress=False)
    assert not (small_cifar10 / "exploded").exists()
