from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from scaling.data import DamagedData, DataError, DataSettings, load, prepare
from scaling.data.sources import cifar
from scaling.data.sources.cifar import CIFAR10, CIFAR100, Archive


def random_images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 32, 32), np.uint8)


def records(images: np.ndarray, *labels: list[int]) -> bytes:
    """Images [n, 3, 32, 32] as CIFAR writes them: the labels of an image, a byte each, and its pixels."""
    return b"".join(bytes(row) + image.tobytes() for *row, image in zip(*labels, images, strict=True))


def pack(archive: Archive, folder: Path, members: dict[str, bytes]) -> Archive:
    """A small archive of the layout of ``archive`` in ``folder``, and what it is then known by."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / archive.filename
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return dataclasses.replace(archive, md5=hashlib.md5(path.read_bytes()).hexdigest())


@pytest.fixture
def small_cifar10(tmp_path, monkeypatch) -> Path:
    """Five training files of four images and a test file of six."""
    members = {name: records(random_images(4, i), [i % 2, 1, 0, 1]) for i, name in enumerate(CIFAR10.train, start=1)} | {
        CIFAR10.test: records(random_images(6, 9), [0, 1] * 3),
        CIFAR10.names: b"airplane\nautomobile\n\n",
    }
    monkeypatch.setattr(cifar, "CIFAR10", pack(CIFAR10, tmp_path / "data" / "downloads", members))
    return tmp_path / "data"


def test_cifar10_files_are_read_in_order(small_cifar10):
    data = load(prepare(DataSettings("cifar10"), small_cifar10, progress=False))
    assert (data.channels, data.side, data.classes) == (3, 32, ("airplane", "automobile"))
    assert np.array_equal(data.train_images, np.concatenate([random_images(4, i) for i in range(1, 6)]))
    assert data.train_labels[:8].tolist() == [1, 1, 0, 1, 0, 1, 0, 1]
    assert np.array_equal(data.test_images, random_images(6, 9))
    assert data.test_labels.tolist() == [0, 1] * 3


def test_cifar100_has_its_fine_classes(tmp_path, monkeypatch):
    names = [f"fine_{i}" for i in range(8)]
    members = {
        CIFAR100.train[0]: records(random_images(8, 8), [0] * 8, list(range(8))),
        CIFAR100.test: records(random_images(4, 4), [0] * 4, list(range(4))),
        CIFAR100.names: "\n".join(names).encode(),
    }
    monkeypatch.setattr(cifar, "CIFAR100", pack(CIFAR100, tmp_path / "data" / "downloads", members))
    data = load(prepare(DataSettings("cifar100"), tmp_path / "data", progress=False))
    assert data.classes == tuple(names)
    assert data.train_labels.tolist() == list(range(8))
    assert np.array_equal(data.test_images, random_images(4, 4))


def test_another_archive_than_the_published_one_is_not_opened(small_cifar10):
    path = small_cifar10 / "downloads" / CIFAR10.filename
    path.write_bytes(b"something else")
    with pytest.raises(DamagedData, match=r"cifar-10-binary\.tar\.gz: has md5 .* remove it"):
        prepare(DataSettings("cifar10"), small_cifar10, progress=False)


def test_it_is_fetched_once(small_cifar10, tmp_path, monkeypatch):
    there = small_cifar10 / "downloads" / CIFAR10.filename
    elsewhere = tmp_path / "elsewhere" / CIFAR10.filename
    elsewhere.parent.mkdir()
    there.rename(elsewhere)
    monkeypatch.setattr(cifar, "CIFAR10", dataclasses.replace(cifar.CIFAR10, url=elsewhere.as_uri()))
    prepare(DataSettings("cifar10"), small_cifar10, progress=False)
    assert [path.name for path in there.parent.iterdir()] == [CIFAR10.filename]
    elsewhere.unlink()
    for file in small_cifar10.glob("*.safetensors"):
        file.unlink()
    prepare(DataSettings("cifar10"), small_cifar10, progress=False)


def test_no_network_names_the_way_out(tmp_path, monkeypatch):
    url = f"file:///nowhere/{CIFAR10.filename}"
    monkeypatch.setattr(cifar, "CIFAR10", dataclasses.replace(CIFAR10, url=url))
    with pytest.raises(DataError, match=r"cannot download .* put cifar-10-binary\.tar\.gz into"):
        prepare(DataSettings("cifar10"), tmp_path, progress=False)
    assert list((tmp_path / "downloads").iterdir()) == []
