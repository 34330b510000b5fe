from __future__ import annotations

import json
import re

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from scaling.data import DataError, DataSettings, describe, load, look, prepare, watched
from scaling.data.pixels import decode

NAMES = ["ant", "bee", "wasp"]


def settings(folder, pattern="data/*.parquet", **changes) -> DataSettings:
    return DataSettings("parquet", side=8, files=str(folder / pattern), **changes)


@pytest.fixture
def write(tmp_path, encoded):
    """A function that writes a file as the Hugging Face hub has them: name, labels, first seed."""

    def write(name: str, labels: list, first: int = 0, names: list[str] | None = NAMES, rows: int = 3, **columns) -> None:
        images = [{"bytes": encoded(first + i), "path": f"{i}.png"} for i in range(len(labels))]
        table = pa.table({"image": images, "label": labels} | columns)
        features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
        if names:
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        (tmp_path / "data").mkdir(exist_ok=True)
        parquet.write_table(table, tmp_path / "data" / name, row_group_size=rows)

    return write


def test_splits_and_class_names_are_the_files_own(tmp_path, write, encoded):
    write("train-00000-of-00002.parquet", [2, 0, 1, 2, 0])
    write("train-00001-of-00002.parquet", [1, 1], first=10)
    write("test-00000-of-00001.parquet", [0, 1, 2, 0], first=20)
    data = load(prepare(settings(tmp_path), tmp_path / "out", progress=False))
    assert data.classes == ("ant", "bee", "wasp")
    assert data.train_labels.tolist() == [2, 0, 1, 2, 0, 1, 1]
    assert data.test_labels.tolist() == [0, 1, 2, 0]
    for found, first in ((data.train_images[:5], 0), (data.train_images[5:], 10), (data.test_images, 20)):
        for i, image in enumerate(found):
            (tmp_path / "one.png").write_bytes(encoded(first + i))
            assert np.array_equal(image, decode(tmp_path / "one.png", 8))


def test_a_test_split_without_labels_leaves_validation(tmp_path, write):
    write("train-0.parquet", [0, 1])
    write("validation-0.parquet", [1, 0], first=5)
    write("test-0.parquet", [-1, -1], first=9)
    data = load(prepare(settings(tmp_path), tmp_path / "out", progress=False))
    assert data.test_labels.tolist() == [1, 0]


def test_one_file_is_split_by_rows_and_grey_images_may_stay_grey(tmp_path, write):
    write("all.parquet", [7, 12] * 10, names=None, rows=6)
    data = load(prepare(settings(tmp_path, channels=1), tmp_path / "out", progress=False))
    assert data.classes == ("7", "12")
    assert (data.train_images.shape, data.test_images.shape) == ((16, 1, 8, 8), (4, 1, 8, 8))
    assert np.bincount(data.train_labels).tolist() == [8, 8]
    assert describe(settings(tmp_path, channels=1)).channels == 1


def test_several_processes_write_the_same_file(tmp_path, write, monkeypatch):
    write("all.parquet", [0, 1] * 10)
    one = load(prepare(settings(tmp_path), tmp_path / "one", progress=False))
    monkeypatch.setattr("scaling.data.decoding.usable_cores", lambda: 2)
    monkeypatch.setattr("scaling.data.decoding.FEW_IMAGES", 0)
    assert load(prepare(settings(tmp_path), tmp_path / "two", progress=False)).checksum == one.checksum


def test_a_changed_file_is_noticed_and_one_that_was_touched_is_not(tmp_path, write):
    write("train-0.parquet", [0, 1])
    write("test-0.parquet", [1, 0], first=5)
    path = prepare(settings(tmp_path), tmp_path / "out", progress=False)
    before = look(path, watched(settings(tmp_path)))
    assert not before.changed
    write("test-0.parquet", [1, 0], first=5)
    assert look(path, watched(settings(tmp_path))) == before
    write("test-0.parquet", [0, 1], first=5)
    changed = look(path, watched(settings(tmp_path))).changed
    assert re.fullmatch(r"1 file of '.*\*\.parquet' is not what was prepared: '.*test-0.parquet'", changed)


def test_unreadable_images_are_named_by_file_and_row(tmp_path, write):
    write("train-0.parquet", [0, 1, 0, 1])
    write("test-0.parquet", [1, 0], first=5)
    table = parquet.read_table(tmp_path / "data" / "train-0.parquet")
    images = table.column("image").to_pylist()
    images[2] = {"bytes": b"no image", "path": "2.png"}
    images[1] = {"bytes": None, "path": "1.png"}
    parquet.write_table(table.set_column(0, "image", pa.array(images)), tmp_path / "data" / "train-0.parquet")
    with pytest.raises(DataError, match=r"2 of 6 images .*train-0.parquet\[1\]' \(no bytes, only the path '1.png'\)") as caught:
        prepare(settings(tmp_path), tmp_path / "out", progress=False)
    assert "train-0.parquet[2]' (no image of a known format)" in str(caught.value)
    data = load(prepare(settings(tmp_path, unreadable="skip"), tmp_path / "out", progress=False))
    assert data.train_labels.tolist() == [0, 1]


def test_files_of_another_kind_are_refused_in_one_line(tmp_path, write):
    (tmp_path / "data").mkdir()
    cases = [
        (lambda: None, settings(tmp_path), r"no .parquet file matches$"),
        (lambda: None, settings(tmp_path, "nowhere/*.parquet"), "no .parquet file matches; there is no folder '.*nowhere'"),
        (lambda: (tmp_path / "data" / "x.txt").touch(), settings(tmp_path, "data/*"), r"'.*x.txt' does not end in .parquet"),
        (lambda: (tmp_path / "data" / "x.parquet").write_text("no"), settings(tmp_path), "x.parquet cannot be read as Parquet"),
        (
            lambda: parquet.write_table(pa.table({"text": ["a"], "label": [1]}), tmp_path / "data" / "x.parquet"),
            settings(tmp_path),
            r"x.parquet holds no encoded images, its columns are text \(string\), label \(int64\)",
        ),
        (lambda: write("x.parquet", [[1], [2]], names=None), settings(tmp_path), "labels 'label' are list<.*>; allowed: whole"),
        (lambda: write("x.parquet", [0, 1, 3]), settings(tmp_path), "label 3 has no name; the file names 3 classes"),
        (
            lambda: write("x.parquet", [0, 1]),
            settings(tmp_path, label_column="y"),
            "label_column 'y' is no column; allowed: label",
        ),
    ]
    for make, asked, message in cases:
        make()
        with pytest.raises(DataError, match=message) as caught:
            describe(asked)
        assert "\n" not in str(caught.value)
