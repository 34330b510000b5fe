from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from scaling.data import DataError, DataSettings, describe, load, look, prepare, prepared_path, watched
from scaling.data.pixels import decode

LABELS = ["cat", "dog"] * 5


@pytest.fixture
def flat(tmp_path, write_image):
    """Ten images in one folder."""
    for i in range(10):
        write_image(tmp_path / "flat" / f"{i}.png", i)
    return tmp_path / "flat"


def settings(flat, table="labels.csv", **changes) -> DataSettings:
    return DataSettings("image-folder", side=8, folder=flat, labels=flat.parent / table, **changes)


def write(flat, columns: dict, name: str = "labels.csv") -> None:
    table, path = pl.DataFrame(columns), flat.parent / name
    if name.endswith(".parquet"):
        table.write_parquet(path)
    else:
        table.write_csv(path, separator="\t" if name.endswith(".tsv") else ",")


@pytest.mark.parametrize("name", ["labels.csv", "labels.tsv", "labels.parquet"])
@pytest.mark.parametrize(
    ("image", "label", "ending"), [("filename", "label", ".png"), ("ID", "Category", ""), ("path", "class", ".png")]
)
def test_usual_columns_are_found(flat, tmp_path, name, image, label, ending):
    write(flat, {image: [f"{i}{ending}" for i in range(10)], "other": [1] * 10, label: LABELS}, name)
    data = load(prepare(settings(flat, name), tmp_path / "data", progress=False))
    assert data.classes == ("cat", "dog")
    assert (len(data.train_images), len(data.test_images)) == (8, 2)
    rows = [*zip(data.train_images, data.train_labels, strict=True), *zip(data.test_images, data.test_labels, strict=True)]
    for i in range(10):
        pixels = decode(flat / f"{i}.png", 8)
        assert [LABELS[i]] == [data.classes[label] for image, label in rows if np.array_equal(image, pixels)]


def test_named_columns_and_splits(flat, tmp_path):
    split = ["train"] * 6 + ["val"] * 4
    write(flat, {"a": [f"{i}.png" for i in range(10)], "b": [i % 3 for i in range(10)], "s": split, "label": [9] * 10})
    named = settings(flat, image_column="a", label_column="b", split_column="s")
    data = load(prepare(named, tmp_path / "data", progress=False))
    assert data.classes == ("0", "1", "2")
    assert data.train_labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.test_labels.tolist() == [0, 1, 2, 0]
    assert describe(named).train_images == 6


def test_a_changed_table_is_noticed(flat, tmp_path):
    write(flat, {"file": [f"{i}.png" for i in range(10)], "label": LABELS})
    path = prepare(settings(flat), tmp_path / "data", progress=False)
    assert not look(path, watched(settings(flat))).changed
    write(flat, {"file": [f"{i}.png" for i in range(10)], "label": LABELS[::-1]})
    assert "'../labels.csv'" in look(path, watched(settings(flat))).changed
    assert prepared_path(settings(flat), tmp_path) != prepared_path(settings(flat, "other.csv"), tmp_path)


def test_what_cannot_be_used_is_refused_in_one_line(flat):
    names = [f"{i}.png" for i in range(10)]
    cases = [
        (
            {"name": names, "x": LABELS},
            r"no column called label, labels, class, target \.\.\.; its columns are x: say label_column",
        ),
        ({"file": ["a.png", *names[1:]], "label": LABELS}, r"1 of 10 images in .* cannot be read: 'a.png' \(no such file\)"),
        ({"file": [f"x{name}" for name in names], "label": LABELS}, "none of its 10 images is in .*, first 'x0.png'"),
        ({"file": [names[0]] * 10, "label": LABELS}, "9 rows name an image of an earlier row"),
        ({"file": names, "label": LABELS, "split": ["lost"] * 10}, "split 'lost' is unknown; allowed: train"),
        ({"file": names, "label": LABELS, "split": ["test"] * 10}, "no training images, only test"),
        ({"file": names, "label": ["cat"] * 10}, r"1 class \(cat\), at least 2 are needed"),
        ({"file": names, "label": [*LABELS[:9], ""]}, "1 of 10 training images have no label, first '9.png'"),
    ]
    for columns, message in cases:
        write(flat, columns)
        with pytest.raises(DataError, match=message) as caught:
            describe(settings(flat))
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"none.csv': no such file"):
        describe(settings(flat, "none.csv"))
    with pytest.raises(DataError, match=r"ends in '.xlsx'; allowed: .csv, .tsv, .parquet"):
        describe(settings(flat, "labels.xlsx"))
    with pytest.raises(DataError, match="label_column 'species' is no column; allowed: label"):
        describe(settings(flat, label_column="species"))
