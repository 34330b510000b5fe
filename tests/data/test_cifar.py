from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from scaling.data import DamagedData, DataError, DataSettings, describe, load, look, prepare, watched
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


def put(*values: object) -> bytes:
    """Opcodes of protocol 2 for plain values, as Python 2 wrote the published files: texts are byte strings."""
    found = b""
    for value in values:
        if isinstance(value, bytes):
            found += b"T" + len(value).to_bytes(4, "little") + value
        elif isinstance(value, int):
            found += b"J" + value.to_bytes(4, "little", signed=True)
        else:
            found += b"](" + put(*value) + b"e"
    return found


def python_file(**values: bytes) -> bytes:
    """A pickle of protocol 2 of a dictionary, its values as opcodes."""
    return b"\x80\x02}(" + b"".join(put(key.encode()) + value for key, value in values.items()) + b"u."


def python_batch(images: np.ndarray, labels: list[int], key: str = "labels") -> bytes:
    """A batch of the Python version, its array as numpy 1 wrote it."""
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01" + b"(" + put(len(images), 3072)
    array += b"tcnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNN" + put(-1, -1, 0)
    array += b"tb\x89" + put(images.tobytes()) + b"tb"
    return python_file(batch_label=put(b"of 5"), **{key: put(labels)}, data=array, filenames=put([b"a.png"] * len(images)))


def unpacked(folder: Path, kind: str) -> Path:
    """A folder of four images in each batch, of the binary or the Python version."""
    folder.mkdir()
    for i, (binary, python) in enumerate(
        zip((*CIFAR10.train, CIFAR10.test), (*CIFAR10.python_train, "test_batch"), strict=True)
    ):
        images, labels = random_images(4, i), [i % 2, 1, 0, 1]
        if kind == "bin":
            (folder / Path(binary).name).write_bytes(records(images, labels))
        else:
            (folder / python).write_bytes(python_batch(images, labels))
    if kind == "bin":
        (folder / "batches.meta.txt").write_text("airplane\nautomobile\n")
    else:
        (folder / "batches.meta").write_bytes(python_file(label_names=put([b"airplane", b"automobile"])))
    return folder


@pytest.mark.parametrize("kind", ["bin", "py"])
def test_a_folder_is_read_where_it_lies(tmp_path, kind):
    settings = DataSettings("cifar10", folder=unpacked(tmp_path / "cifar", kind))
    assert (describe(settings).train_images, describe(settings).classes) == (20, 2)
    path = prepare(settings, tmp_path / "data", progress=False)
    data = load(path)
    assert data.classes == ("airplane", "automobile")
    assert np.array_equal(data.train_images, np.concatenate([random_images(4, i) for i in range(5)]))
    assert data.train_labels[:8].tolist() == [0, 1, 0, 1, 1, 1, 0, 1]
    assert np.array_equal(data.test_images, random_images(4, 5))
    assert not look(path, watched(settings)).changed
    name = "test_batch.bin" if kind == "bin" else "test_batch"
    batch = settings.folder / name
    content = bytearray(batch.read_bytes())
    content[-2000 if kind == "bin" else 400] ^= 1
    batch.write_bytes(content)
    assert look(path, watched(settings)).changed == f"1 file of {str(settings.folder)!r} is not what was prepared: {name!r}"


def test_the_fine_labels_of_cifar100_are_read(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name in ("train", "test"):
        (folder / name).write_bytes(python_batch(random_images(2, 3), [0, 1], "fine_labels"))
    (folder / "meta").write_bytes(python_file(fine_label_names=put([b"apple", b"bear"]), coarse_label_names=put([b"x"])))
    data = load(prepare(DataSettings("cifar100", folder=folder), tmp_path / "data", progress=False))
    assert (data.classes, data.train_labels.tolist()) == (("apple", "bear"), [0, 1])


def test_folders_that_are_not_whole_or_not_cifar_are_refused_in_one_line(tmp_path):
    binary, python = (unpacked(tmp_path / kind, kind) for kind in ("bin", "py"))
    executed = tmp_path / "executed"
    poison = f"cos\nmkdir\n(V{executed}\ntR.".encode()
    cases = [
        (
            lambda: (binary / "test_batch.bin").write_bytes(b"x" * 100),
            binary,
            "test_batch.bin has 100 bytes, no multiple of 3073",
        ),
        (lambda: (binary / "data_batch_2.bin").unlink(), binary, "holds data_batch_1.bin but not data_batch_2.bin; all of"),
        (lambda: (python / "data_batch_3").write_bytes(poison), python, "data_batch_3 is no batch of CIFAR's Python"),
        (
            lambda: (python / "data_batch_3").write_bytes(b"\x80\x02}."),
            python,
            "its data are no array.*cifar-10-binary.tar.gz would",
        ),
        (lambda: None, tmp_path, "holds neither data_batch_1.bin nor data_batch_1; the unpacked"),
        (lambda: None, tmp_path / "nowhere", "is not a folder"),
    ]
    for change, folder, message in cases:
        change()
        with pytest.raises(DataError, match=message) as caught:
            describe(DataSettings("cifar10", folder=folder))
        assert "\n" not in str(caught.value)
    assert not executed.exists()
