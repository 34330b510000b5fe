"""Looks at an image folder: cheap where nothing differs, by contents where something does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scaling.data import DataSettings, Look, load, look, prepare, watched
from scaling.data.seen import seen_path


@pytest.fixture
def prepared_folder(image_folder, tmp_path) -> tuple[Path, Path]:
    """The prepared file and its image folder."""
    settings = DataSettings("image-folder", side=8, folder=image_folder)
    return prepare(settings, tmp_path / "data", progress=False), image_folder


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The images whose contents are read."""
    from scaling.data import seen

    found, read = [], seen.content_digest
    monkeypatch.setattr(seen, "content_digest", lambda path: found.append(path) or read(path))
    return found


def look_at(path: Path, folder: Path) -> Look:
    return look(path, watched(DataSettings("image-folder", side=8, folder=folder)))


def touch(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


def test_no_image_is_read_where_names_sizes_and_times_are_the_same(prepared_folder, reads):
    path, folder = prepared_folder
    found = look_at(path, folder)
    assert (found.checksum, found.changed) == (load(path).checksum, "")
    assert found.fits(load(path).checksum)
    assert not found.fits("another")
    assert reads == []


def test_touched_images_are_read_once_and_are_the_same(prepared_folder, reads):
    path, folder = prepared_folder
    before = look_at(path, folder)
    touch(folder)
    assert look_at(path, folder) == before
    assert len(reads) == 20
    assert look_at(path, folder) == before
    assert len(reads) == 20


@pytest.mark.parametrize("how", ["changed", "added", "removed", "renamed", "time kept"])
def test_a_change_is_named_and_alone_is_read(prepared_folder, write_image, reads, how):
    path, folder = prepared_folder
    before, image = look_at(path, folder), folder / "zebra" / "5.png"
    status = image.stat()
    if how == "changed":
        write_image(image, 999)
    elif how == "added":
        write_image(folder / "zebra" / "new.png", 999)
    elif how == "removed":
        image.unlink()
    elif how == "renamed":
        image.rename(folder / "zebra" / "other.png")
    else:
        content = image.read_bytes()
        image.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = look_at(path, folder)
    assert found.origin != before.origin
    assert not found.fits(before.checksum)
    named = {"added": ["zebra/new.png"], "renamed": ["zebra/5.png", "zebra/other.png"]}.get(how, ["zebra/5.png"])
    count, are = (f"{len(named)} image{'s' * (len(named) > 1)}", "is" if len(named) == 1 else "are")
    assert found.changed == f"{count} of {str(folder)!r} {are} not what was prepared: {', '.join(map(repr, named))}"
    assert reads == ([image] if how in ("changed", "time kept") else [])


def test_an_image_that_is_put_back_is_no_change(prepared_folder, write_image):
    path, folder = prepared_folder
    before, image = look_at(path, folder), folder / "zebra" / "5.png"
    content = image.read_bytes()
    write_image(image, 999)
    assert look_at(path, folder).changed
    image.write_bytes(content)
    assert look_at(path, folder) == before


def test_what_was_seen_outlives_the_prepared_file(prepared_folder, tmp_path, write_image):
    path, folder = prepared_folder
    before = look_at(path, folder)
    path.unlink()
    touch(folder)
    assert look_at(path, folder) == before
    prepare(DataSettings("image-folder", side=8, folder=folder), tmp_path / "data", progress=False)
    assert look_at(path, folder) == before
    path.unlink()
    write_image(folder / "zebra" / "5.png", 999)
    assert "'zebra/5.png'" in look_at(path, folder).changed


@pytest.mark.parametrize("content", [b"", b"[]", b'{"origin": 1}', b"\x80\x04pickle", None])
def test_without_what_was_seen_a_touched_folder_is_prepared_anew(prepared_folder, content):
    path, folder = prepared_folder
    seen = seen_path(path)
    seen.unlink() if content is None else seen.write_bytes(content)
    assert not look_at(path, folder).changed
    touch(folder)
    assert look_at(path, folder).changed == f"the images in {str(folder)!r} are not those that were prepared"


def test_what_was_seen_of_another_file_is_not_believed(prepared_folder):
    path, folder = prepared_folder
    body = json.loads(seen_path(path).read_text())
    seen_path(path).write_text(json.dumps(body | {"checksum": "0" * 64}))
    touch(folder)
    assert look_at(path, folder).changed


def test_an_image_that_becomes_a_pipe_after_the_listing_is_not_waited_for(image_folder):
    from scaling.data.listing import content_digest

    path = image_folder / "zebra" / "5.png"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="not a file"):
        content_digest(path)


def test_a_source_without_a_folder_is_what_is_prepared(tmp_path):
    path = tmp_path / "fashion-mnist-28.safetensors"
    assert look(path, None).checksum is None
    prepare(DataSettings("fashion-mnist"), tmp_path, progress=False)
    assert look(path, None).checksum == load(path).checksum
