"""The stamp of a prepared file: jobs read it instead of the file, and a file that it does not fit is read wholly."""

import os

import pytest

from scaling.data import DamagedData, DataError, DataSettings, is_verified, prepare, verify
from scaling.data import prepared as prepared_file


@pytest.fixture
def path(image_folder, tmp_path):
    return prepare(DataSettings("image-folder", side=8, folder=image_folder), tmp_path / "data", progress=False)


def flip(path):
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)

    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


def test_a_file_is_verified_when_it_is_built(path):
    assert is_verified(path)


def test_another_time_size_or_stamp_counts_as_unread(path):
    time = path.stat().st_mtime_ns
    os.utime(path, ns=(time, time + 1))
    assert not is_verified(path)
    verify(path)
    assert is_verified(path)
    with path.open("ab") as file:
        file.write(b"x")
    assert not is_verified(path)
    stamp = path.with_suffix(".verified.json")
    for content in (b"", b"[]", b"{}"):
        stamp.write_bytes(content)
        assert not is_verified(path)


def test_a_damaged_file_gets_no_stamp(path):
    flip(path)
    with pytest.raises(DamagedData, match="damaged, contents have sha256"):
        verify(path)
    assert not is_verified(path)


def test_a_file_that_is_missing_is_said(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        verify(tmp_path / "x.safetensors")
    assert not is_verified(tmp_path / "x.safetensors")


def test_a_trusted_file_is_not_read(path, image_folder, monkeypatch):
    settings = DataSettings("image-folder", side=8, folder=image_folder)
    monkeypatch.setattr(prepared_file, "_checksum", lambda *words: 1 / 0)
    assert prepare(settings, path.parent, progress=False, trust=True) == path
    with pytest.raises(ZeroDivisionError):
        prepare(settings, path.parent, progress=False)


def test_a_damaged_file_is_found_and_built_again_even_where_it_would_be_trusted(path, image_folder, caplog):
    whole = path.read_bytes()
    flip(path)
    prepare(DataSettings("image-folder", side=8, folder=image_folder), path.parent, progress=False, trust=True)
    assert path.read_bytes() == whole
    assert "prepare builds it anew" in caplog.text
    assert is_verified(path)
