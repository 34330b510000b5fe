from __future__ import annotations

import hashlib
import os
import threading

import pytest

from scaling.files import canonical, json_sha256, replacing, write_atomic


def test_a_file_is_written_whole_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "new" / "deeper" / "file"
    write_atomic(path, b"first")
    write_atomic(path, b"second", durable=False)
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_what_stood_there_and_no_draft(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail():
        with replacing(path) as draft:
            draft.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"before"


def test_a_durable_file_is_flushed_before_it_takes_its_place_and_another_one_is_not(tmp_path, monkeypatch):
    path, seen = tmp_path / "file", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(path.exists()))
    write_atomic(path, b"a", durable=False)
    assert seen == []
    path.unlink()
    write_atomic(path, b"a")
    assert seen == [False]


def test_a_failed_write_leaves_what_stood_there(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomic(path, b"before")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device while writing .*a\.json"):
        write_atomic(path, b"after")
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "below"
    with pytest.raises(OSError, match=f"while writing {path}"):
        write_atomic(path, b"a")


def test_a_reader_beside_writers_sees_one_of_the_contents(tmp_path):
    path, contents = tmp_path / "file", {bytes([letter]) * 100_000 for letter in b"ab"}
    write_atomic(path, next(iter(contents)))
    writers = [
        threading.Thread(target=lambda content=content: [write_atomic(path, content, durable=False) for _ in range(50)])
        for content in contents
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_equal_values_have_equal_bytes_and_checksums():
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert json_sha256({"b": 1, "a": 2}) == json_sha256({"a": 2, "b": 1}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()
    assert json_sha256([1]) != json_sha256([2])
