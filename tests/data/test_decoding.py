"""What preparing costs and keeps: a killed one goes on, the disk is looked at before, huge images are refused."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zlib
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from scaling.data import DataError, DataSettings, decoding, load, prepare, prepared_path
from scaling.data.meter import Meter, duration
from scaling.data.pixels import decode


@pytest.fixture
def settings(image_folder, monkeypatch) -> DataSettings:
    """Twenty images in chunks of three, by one process, each written down at once."""
    monkeypatch.setattr("scaling.data.listing.FILES_AT_A_TIME", 3)
    monkeypatch.setattr("scaling.data.decoding.usable_cores", lambda: 1)
    monkeypatch.setattr("scaling.data.decoding.SECONDS_TO_DISK", -1.0)
    return DataSettings("image-folder", side=8, folder=image_folder)


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the images that are decoded; ``decoded.stop_after`` ends the process's work as a kill does."""

    class Names(list):
        stop_after = 10**6

    found, chunk = Names(), decoding._decode_chunk

    def watch(task):
        if len(found) >= found.stop_after:
            raise KeyboardInterrupt
        found.extend(place.name for place in task[0].places)
        return chunk(task)

    monkeypatch.setattr("scaling.data.decoding._decode_chunk", watch)
    return found


def interrupt(settings, root, decoded, after: int) -> None:
    decoded.stop_after = after
    with pytest.raises(KeyboardInterrupt):
        prepare(settings, root, progress=False)
    decoded.stop_after = 10**6
    decoded.clear()


def test_one_that_was_stopped_goes_on(settings, tmp_path, decoded):
    whole = load(prepare(settings, tmp_path / "whole", progress=False))
    decoded.clear()
    interrupt(settings, tmp_path / "data", decoded, 9)
    path = prepare(settings, tmp_path / "data", progress=False)
    assert len(decoded) == 11
    assert load(path).checksum == whole.checksum
    assert {file.suffix for file in (tmp_path / "data").iterdir()} == {".safetensors", ".json", ".lock"}


def test_images_that_were_changed_meanwhile_are_decoded_again(settings, tmp_path, decoded, image_folder, write_image):
    interrupt(settings, tmp_path / "data", decoded, 9)
    write_image(image_folder / "blaue Bälle" / "0.png", 999)
    data = load(prepare(settings, tmp_path / "data", progress=False))
    assert len(decoded) == 14
    assert any(
        np.array_equal(image, decode(image_folder / "blaue Bälle" / "0.png", 8))
        for image in (*data.train_images, *data.test_images)
    )


@pytest.mark.parametrize("damage", ["cut", "gone", "other", "file"])
def test_what_is_not_as_it_was_left_is_begun_anew(settings, tmp_path, decoded, damage):
    interrupt(settings, tmp_path / "data", decoded, 9)
    partial = prepared_path(settings, tmp_path / "data").with_suffix(".partial")
    journal = partial.with_suffix(".journal")
    text = journal.read_text()
    if damage == "cut":
        journal.write_text(text[: text.rindex("[") - 9])  # within the last line
    elif damage == "gone":
        journal.unlink()
    elif damage == "other":
        journal.write_text(text.replace("Pillow", "another"))
    else:
        partial.write_bytes(b"short")
    data = load(prepare(settings, tmp_path / "data", progress=False))
    assert len(decoded) == (14 if damage == "cut" else 20)
    assert data.train_images.any(axis=(1, 2, 3)).all()


def test_a_disk_that_is_too_small_is_found_before_anything_is_decoded(settings, tmp_path, decoded, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 3000))
    with pytest.raises(DataError, match=r"needs 4,000 bytes of disk, 3,000 bytes are free in '.*data'; make room"):
        prepare(settings, tmp_path / "data", progress=False)
    assert decoded == []
    twice = DataSettings("image-folder", side=8, folder=settings.folder, unreadable="skip")
    with pytest.raises(DataError, match="needs 8,000 bytes"):
        prepare(twice, tmp_path / "data", progress=False)


def test_what_it_needs_and_how_far_it_is_are_said_where_there_is_no_terminal(settings, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("scaling.data.meter.SECONDS_BETWEEN_LINES", -1.0)
    prepare(settings, tmp_path / "data")
    said = capsys.readouterr().err
    assert "20 images to 3 x 8 x 8 pixels need 4,000 bytes of disk" in said
    assert ": 3 of 20 images, " in said
    assert " per second, 0 s left" in said


def test_times_in_words():
    assert [duration(seconds) for seconds in (3, 700, 7200 * 3)] == ["3 s", "12 min", "6.0 h"]
    with Meter(False) as meter:
        meter.steps("nothing", 3)(1)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_huge_image_is_refused_in_our_words(tmp_path, settings, image_folder):
    header = struct.pack(">IIBBBBB", 40_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    (image_folder / "zebra" / "5.png").write_bytes(bomb)
    with pytest.raises(
        DataError, match=r"40000 x 30000 pixels, at most 100 million are decoded: make it smaller\); unreadable"
    ):
        prepare(settings, tmp_path / "data", progress=False)


def test_a_large_jpeg_is_shrunk_as_it_is_decoded():
    file = io.BytesIO()
    Image.new("L", (12_000, 9_000), 90).save(file, "jpeg")
    assert np.unique(decode(file, 8, 1)).tolist() == [90]


def test_the_journal_keeps_what_could_not_be_read(settings, tmp_path, decoded, image_folder):
    (image_folder / "blaue Bälle" / "1.png").write_text("no image")
    interrupt(settings, tmp_path / "data", decoded, 9)
    (journal,) = (tmp_path / "data").glob("*.journal")
    lines = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    assert [one["name"] for _, _, unreadable in lines for one in unreadable] == ["blaue Bälle/1.png"]
    with pytest.raises(DataError, match=r"1 of 20 images .*'blaue Bälle/1.png' \(no image of a known format\)"):
        prepare(settings, tmp_path / "data", progress=False)
