from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from scaling.data import DataError, DataSettings, describe, load, prepare
from scaling.data.class_folders import list_images
from scaling.data.pixels import decode


def settings_of(folder: Path, **changes) -> DataSettings:
    return DataSettings("image-folder", side=8, folder=folder, **changes)


def test_class_folders_alone_are_split_by_name_and_stratified(image_folder):
    listing = list_images(image_folder)
    assert listing.classes == ("blaue Bälle", "zebra")
    assert np.bincount([label for _, label in listing.train]).tolist() == [8, 8]
    assert np.bincount([label for _, label in listing.test]).tolist() == [2, 2]
    assert not set(listing.train) & set(listing.test)
    assert list_images(image_folder) == listing


def test_train_and_test_folders_are_taken_as_they_are(tmp_path, write_image):
    for split, count in (("train", 3), ("test", 2)):
        for name in ("a", "b"):
            for i in range(count):
                write_image(tmp_path / split / name / f"{i}.jpg", i)
    listing = list_images(tmp_path)
    assert listing.train == tuple((f"train/{name}/{i}.jpg", label) for label, name in enumerate("ab") for i in range(3))
    assert listing.test == tuple((f"test/{name}/{i}.jpg", label) for label, name in enumerate("ab") for i in range(2))


def test_hidden_files_and_files_that_are_no_images_are_passed_over(image_folder):
    (image_folder / "zebra" / "notes.txt").write_text("striped")
    (image_folder / "zebra" / ".0.png").write_bytes(b"")
    (image_folder / ".cache").mkdir()
    assert describe(settings_of(image_folder)).train_images == 16


def test_folders_of_another_shape_are_refused_in_one_line(tmp_path, write_image):
    cases = {"nowhere": "is not a folder"}
    (tmp_path / "empty").mkdir()
    cases["empty"] = "has 0 class folders"
    (tmp_path / "half" / "train").mkdir(parents=True)
    cases["half"] = "has train/ alone"
    for name, classes in (("more", {"train": "ab", "test": "abc"}), ("none", {"train": "ab", "test": ""})):
        for split, letters in classes.items():
            (tmp_path / name / split).mkdir(parents=True)
            for letter in letters:
                write_image(tmp_path / name / split / letter / "0.png", 0)
    cases |= {"more": "test class 'c'", "none": "no test image"}
    write_image(tmp_path / "few" / "a" / "0.png", 0)
    write_image(tmp_path / "few" / "b" / "0.png", 0)
    cases["few"] = "class 'a' has no training image"
    for name, message in cases.items():
        with pytest.raises(DataError, match=message) as caught:
            describe(settings_of(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_images_land_in_their_rows(image_folder, tmp_path):
    data = load(prepare(settings_of(image_folder), tmp_path / "data", progress=False))
    listing = list_images(image_folder)
    assert (data.classes, data.channels, data.side) == (listing.classes, 3, 8)
    for split in ("train", "test"):
        for row, (name, label) in enumerate(getattr(listing, split)):
            assert np.array_equal(getattr(data, f"{split}_images")[row], decode(image_folder / name, 8))
            assert getattr(data, f"{split}_labels")[row] == label


def test_many_images_are_decoded_by_several_processes_into_the_same_file(image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("scaling.data.listing.FILES_AT_A_TIME", 5)
    monkeypatch.setattr("scaling.data.decoding.usable_cores", lambda: 2)
    monkeypatch.setattr("scaling.data.decoding.FEW_IMAGES", 0)
    parallel = load(prepare(settings_of(image_folder), tmp_path / "two", progress=False))
    monkeypatch.setattr("scaling.data.decoding.usable_cores", lambda: 1)
    serial = load(prepare(settings_of(image_folder), tmp_path / "one", progress=False))
    assert parallel.checksum == serial.checksum


def be_killed(chunk) -> None:
    """Take the place of decoding in a worker process."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_ends_in_one_line(image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("scaling.data.listing.FILES_AT_A_TIME", 5)
    monkeypatch.setattr("scaling.data.decoding.usable_cores", lambda: 2)
    monkeypatch.setattr("scaling.data.decoding.FEW_IMAGES", 0)
    monkeypatch.setattr("scaling.data.decoding._decode_chunk", be_killed)
    with pytest.raises(DataError, match=r"images here'.* a decoding process was killed"):
        prepare(settings_of(image_folder), tmp_path / "data", progress=False)


def test_workers_end_with_a_parent_that_is_killed():
    code = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from scaling.data.decoding import _end_with_parent
pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
print(pool.submit(os.getpid).result(), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    try:
        worker.wait(10)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        worker.kill()
        pytest.fail("the worker outlived its parent")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("size", [(30, 10), (10, 30), (12, 12), (3, 7)])
def test_the_shorter_side_is_scaled_and_the_centre_kept_in_every_mode(tmp_path, mode, size):
    image = Image.effect_noise(size, 80).convert("RGB").convert(mode)
    image.save(tmp_path / "image.tiff")
    scale = 5 / min(size)
    whole = image.convert("RGB").resize((round(size[0] * scale), round(size[1] * scale)), Image.Resampling.BICUBIC)
    left, top = (whole.width - 5) // 2, (whole.height - 5) // 2
    expected = np.asarray(whole).transpose(2, 0, 1)[:, top : top + 5, left : left + 5]
    decoded = decode(tmp_path / "image.tiff", 5)
    assert decoded.shape == (3, 5, 5)
    assert decoded.dtype == np.uint8
    if (whole.width - 5) % 2 == (whole.height - 5) % 2 == 0 and size != (3, 7):
        assert np.abs(decoded.astype(int) - expected).max() <= 1


def test_a_large_jpeg_keeps_its_look_when_it_is_decoded_at_a_fraction(tmp_path):
    ramp = np.add.outer(np.arange(640), np.arange(640)) / 1278 * 255
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "ramp.jpg", quality=95)
    expected = ramp.reshape(16, 40, 16, 40).mean((1, 3))
    assert np.abs(decode(tmp_path / "ramp.jpg", 16) - expected).max() < 4


@pytest.fixture
def spoilt_folder(image_folder):
    """One truncated image, one that is no image, one of 16 bits: three that cannot be read."""
    listing = list_images(image_folder)
    truncated, text = image_folder / listing.train[0][0], image_folder / listing.test[-1][0]
    truncated.write_bytes(truncated.read_bytes()[:100])
    text.write_text("no image")
    deep = image_folder / listing.train[-1][0]
    Image.fromarray(np.full((9, 9), 4000, np.uint16)).save(deep)
    return image_folder, {path.relative_to(image_folder).as_posix() for path in (truncated, text, deep)}


def test_unreadable_images_are_refused_by_name_and_nothing_is_left_behind(spoilt_folder, tmp_path):
    folder, bad = spoilt_folder
    with pytest.raises(DataError, match=r"3 of 20 images .* cannot be read") as caught:
        prepare(settings_of(folder), tmp_path / "data", progress=False)
    assert all(repr(name) in str(caught.value) for name in bad)
    assert "I;16" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [file for file in os.listdir(tmp_path / "data") if not file.endswith(".lock")]


def test_unreadable_images_are_left_out_named_and_counted(spoilt_folder, tmp_path, caplog):
    folder, bad = spoilt_folder
    with caplog.at_level(logging.WARNING):
        data = load(prepare(settings_of(folder, unreadable="skip"), tmp_path / "data", progress=False))
    assert set(data.skipped) == bad
    assert "3 of 20 images" in caplog.text
    assert (len(data.train_images), len(data.test_images)) == (14, 3)
    listing = list_images(folder)
    kept = [(name, label) for name, label in listing.train if name not in bad]
    for row, (name, label) in enumerate(kept):
        assert np.array_equal(data.train_images[row], decode(folder / name, 8))
        assert data.train_labels[row] == label
    assert {file.suffix for file in (tmp_path / "data").iterdir()} == {".safetensors", ".json", ".lock"}


def test_a_class_without_a_readable_image_is_refused_even_when_skipping(image_folder, tmp_path):
    for file in (image_folder / "zebra").iterdir():
        file.write_text("no image")
    with pytest.raises(DataError, match="class 'zebra' has no readable training image"):
        prepare(settings_of(image_folder, unreadable="skip"), tmp_path / "data", progress=False)


def test_a_changed_folder_is_prepared_anew_and_one_that_is_gone_is_not_missed(image_folder, tmp_path, write_image):
    settings = settings_of(image_folder)
    path = prepare(settings, tmp_path / "data", progress=False)
    before = load(path)
    assert len(before.train_images) + len(before.test_images) == 20
    write_image(image_folder / "zebra" / "new.png", 999)
    assert prepare(settings, tmp_path / "data", progress=False) == path
    after = load(path)
    assert len(after.train_images) + len(after.test_images) == 21
    image_folder.rename(tmp_path / "elsewhere")
    assert prepare(settings, tmp_path / "data", progress=False) == path
    assert load(path).checksum == after.checksum


def test_what_is_named_like_an_image_and_is_none_is_counted_and_named(image_folder, tmp_path, caplog):
    zebra = image_folder / "zebra"
    os.mkfifo(zebra / "pipe.png")
    (zebra / "folder.png").mkdir()
    (zebra / "loop.png").symlink_to("loop.png")
    (zebra / "gone.jpg").symlink_to("nowhere")
    (image_folder / "all").symlink_to(".")
    os.mkfifo(zebra / "pipe")  # nothing says that this is an image
    irregular = {
        "all": "a link to a folder that holds it",
        "zebra/folder.png": "a folder",
        "zebra/gone.jpg": "a link to nothing",
        "zebra/loop.png": "a link that loops",
        "zebra/pipe.png": "a pipe (FIFO)",
    }
    listing = list_images(image_folder)
    assert {one.name: one.reason for one in listing.irregular} == irregular
    assert len(listing) == 25
    for ask in (describe, lambda settings: prepare(settings, tmp_path / "data", progress=False)):
        with pytest.raises(DataError, match=r"5 of 25 images .* cannot be read: 'all' \(a link to a folder that holds it\), "):
            ask(settings_of(image_folder))
    skipping = settings_of(image_folder, unreadable="skip")
    assert describe(skipping).train_images == 16
    with caplog.at_level(logging.WARNING):
        data = load(prepare(skipping, tmp_path / "data", progress=False))
    assert "5 of 25 images" in caplog.text
    assert set(data.skipped) == irregular.keys()
    assert (len(data.train_images), len(data.test_images)) == (16, 4)


def test_a_link_to_an_image_is_an_image(image_folder, tmp_path):
    (image_folder / "zebra" / "5.png").rename(tmp_path / "far.png")
    (image_folder / "zebra" / "5.png").symlink_to(tmp_path / "far.png")
    listing = list_images(image_folder)
    assert (len(listing), listing.irregular) == (20, ())
