from __future__ import annotations

import logging

import pytest

from scaling.data import DataError
from scaling.data.class_folders import list_images


def fill(folder, write_image, *names: str, count: int = 2) -> None:
    for name in names:
        for i in range(count):
            write_image(folder / name / f"{i}.png", i)


@pytest.mark.parametrize("test", ["val", "validation", "valid"])
def test_imagenet_tests_on_its_validation_folder(tmp_path, write_image, test):
    fill(tmp_path, write_image, "train/n01", "train/n02", f"{test}/n01", f"{test}/n02")
    listing = list_images(tmp_path)
    assert listing.classes == ("n01", "n02")
    assert [name for name, _ in listing.test] == [f"{test}/n0{i}/{k}.png" for i in (1, 2) for k in (0, 1)]


def test_a_test_folder_with_classes_comes_before_val_and_one_without_does_not(tmp_path, write_image):
    fill(tmp_path, write_image, "train/a", "train/b", "val/a", "val/b", "test")
    assert {name.split("/")[0] for name, _ in list_images(tmp_path).test} == {"val"}  # ImageNet's test images have no labels
    fill(tmp_path, write_image, "test/a", "test/b")
    assert {name.split("/")[0] for name, _ in list_images(tmp_path).test} == {"test"}


def test_a_class_is_the_path_below_the_split(tmp_path, write_image):
    fill(
        tmp_path,
        write_image,
        *(f"{split}/{name}" for split in ("train", "test") for name in ("dogs/poodle", "dogs", "cats/x/y")),
    )
    listing = list_images(tmp_path)
    assert listing.classes == ("cats/x/y", "dogs", "dogs/poodle")
    assert ("train/dogs/poodle/1.png", 2) in listing.train


def test_nested_folders_without_splits_hold_a_fifth_out(tmp_path, write_image):
    fill(tmp_path, write_image, "dogs/poodle", "dogs/pug", count=5)
    listing = list_images(tmp_path)
    assert listing.classes == ("dogs/poodle", "dogs/pug")
    assert (len(listing.train), len(listing.test)) == (8, 2)


def test_folders_that_link_to_each_other_end(tmp_path, write_image):
    fill(tmp_path, write_image, "a", "b")
    (tmp_path / "a" / "x").symlink_to("../b")
    (tmp_path / "b" / "y").symlink_to("../a")
    listing = list_images(tmp_path)
    assert {one.reason for one in listing.irregular} == {"a link to a folder that holds it"}
    assert set(listing.classes) == {"a", "b", "a/x", "b/y"}


def test_images_without_classes_name_both_ways_out(tmp_path, write_image):
    fill(tmp_path, write_image, "train/a", "train/b", "val")
    with pytest.raises(
        DataError, match=r"val/ holds images but no class folders; put each image .* or name a table .* by labels"
    ):
        list_images(tmp_path)


def test_what_lies_there_instead_is_named_with_what_would_read_it(tmp_path, write_image):
    def refusal(name: str, *files: str) -> str:
        for file in files:
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_bytes(b"")
        with pytest.raises(DataError) as caught:
            list_images(tmp_path / name)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "source: cifar10 with this folder" in refusal("py", "data_batch_1", "batches.meta")
    assert "source: cifar100 with this folder" in refusal("bin", "train.bin", "fine_label_names.txt")
    assert "it holds 1 .parquet files: source: parquet with files: '" in refusal("hub", "data/train-0.parquet")
    assert "it holds 2 .tar files: source: webdataset with shards: '" in refusal("web", "0.tar", "1.tar")
    assert "it holds 1 images and a table: labels: " in refusal("flat", "a.png", "labels.csv")
    assert "it holds 1 images: put each into its class's folder" in refusal("bare", "a.png")
    fill(tmp_path / "outer", write_image, "inner/train/a")
    assert "did you mean folder: " in refusal("outer")


def test_splits_that_are_passed_over_are_said(caplog):
    from scaling.data.labelling import Labelled, rows_of

    images = [
        Labelled(f"{split}{label}{i}", None if split == "test" else label, split)
        for split in ("train", "validation", "test")
        for label in "ab"
        for i in range(2)
    ]
    with caplog.at_level(logging.WARNING):
        rows = rows_of(images, "here")
    assert {name[:10] for name, _ in rows.test} == {"validation"}
    assert "here: split 'test' is not used, its images have no labels" in caplog.text
