from __future__ import annotations

import gzip
import io
import json
import tarfile

import numpy as np
import pytest

from scaling.data import DataError, DataSettings, describe, load, look, prepare, watched
from scaling.data.pixels import decode


def settings(folder, pattern="shards/*.tar", **changes) -> DataSettings:
    return DataSettings("webdataset", side=8, shards=str(folder / pattern), **changes)


@pytest.fixture
def write(tmp_path):
    """A function that writes a shard: name, then its members by name."""

    def write(name: str, members: dict[str, bytes]) -> None:
        (tmp_path / "shards").mkdir(exist_ok=True)
        with tarfile.open(tmp_path / "shards" / name, "w") as shard:
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                shard.addfile(info, io.BytesIO(content))

    return write


@pytest.mark.parametrize("label", ["cls", "json", "both"])
def test_images_and_labels_of_a_key_belong_together(tmp_path, write, encoded, label):
    def members(first: int, labels: list[int]) -> dict[str, bytes]:
        found = {"info.txt": b"no sample"}
        for i, number in enumerate(labels, first):
            found[f"a/{i}.png"] = encoded(i)
            if label in ("json", "both"):
                found[f"a/{i}.json"] = json.dumps({"label": number if label == "json" else 99, "caption": "x"}).encode()
            if label in ("cls", "both"):
                found[f"a/{i}.cls"] = f"{number}\n".encode()
        return found

    write("train-000.tar", members(0, [3, 10]))
    write("train-001.tar", members(5, [10, 3, 3]))
    write("val-000.tar", members(20, [10, 3]))
    data = load(prepare(settings(tmp_path), tmp_path / "out", progress=False))
    assert data.classes == ("3", "10")
    assert data.train_labels.tolist() == [0, 1, 1, 0, 0]
    assert data.test_labels.tolist() == [1, 0]
    for found, seeds in ((data.train_images, [0, 1, 5, 6, 7]), (data.test_images, [20, 21])):
        for image, seed in zip(found, seeds, strict=True):
            assert np.array_equal(image, decode(io.BytesIO(encoded(seed)), 8))


def test_shards_without_splits_hold_a_fifth_of_each_class_out(tmp_path, write, encoded, monkeypatch):
    for shard in range(3):
        samples = {f"{shard}{i}": i for i in range(10)}
        members = {}
        for key, i in samples.items():
            members |= {f"{key}.png": encoded(i), f"{key}.json": json.dumps({"species": "cat" if i % 2 else "dog"}).encode()}
        write(f"{shard}.tar", members)
    asked = settings(tmp_path, label_column="species")
    one = load(prepare(asked, tmp_path / "one", progress=False))
    assert one.classes == ("cat", "dog")
    assert (np.bincount(one.train_labels).tolist(), np.bincount(one.test_labels).tolist()) == ([12, 12], [3, 3])
    monkeypatch.setattr("scaling.data.decoding.usable_cores", lambda: 2)
    monkeypatch.setattr("scaling.data.decoding.FEW_IMAGES", 0)
    assert load(prepare(asked, tmp_path / "two", progress=False)).checksum == one.checksum
    path = prepare(asked, tmp_path / "two", progress=False)
    write("1.tar", {"1.png": encoded(1), "1.json": b'{"species": "cat"}'})
    assert look(path, watched(asked)).changed.startswith("1 file of ")


def test_shards_that_cannot_be_used_are_refused_in_one_line(tmp_path, write, encoded):
    (tmp_path / "shards").mkdir()
    path = tmp_path / "shards" / "0.tar"

    def cut() -> None:
        write("0.tar", {"1.png": encoded(1), "1.cls": b"0", "2.png": encoded(2), "2.cls": b"1"})
        path.write_bytes(path.read_bytes()[:900])

    cases = [
        (lambda: None, "no .tar file matches"),
        (lambda: path.write_bytes(gzip.compress(b"x" * 2000)), r"0.tar is no whole tar file"),
        (cut, r"0.tar is no whole tar file \(unexpected end of data\)"),
        (lambda: write("0.tar", {"1.txt": b"x"}), r"holds no image; allowed: KEY.jpg .* with KEY.cls or KEY.json"),
        (lambda: write("0.tar", {"1.png": encoded(1)}), "1 of 1 training images have no label, first '.*0.tar:1'"),
        (lambda: write("0.tar", {"1.png": encoded(1), "1.json": b"{"}), "0.tar cannot be read"),
        (lambda: write("0.tar", {"1.png": encoded(1), "1.json": b'{"label": [1]}'}), r"\[1\] is no label"),
    ]
    for make, message in cases:
        make()
        with pytest.raises(DataError, match=message) as caught:
            describe(settings(tmp_path))
        assert "\n" not in str(caught.value)
    (tmp_path / "shards" / "1.tar.gz").touch()
    with pytest.raises(DataError, match="must not be compressed: unpack them"):
        describe(settings(tmp_path, "shards/*"))
