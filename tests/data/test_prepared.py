from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from scaling.data import DamagedData, DataError, load
from scaling.data.prepared import Draft, channel_statistics


def write(path: Path, *, channels: int = 3, train: int = 6, test: int = 4, classes: tuple[str, ...] = ("a", "ü b")):
    draft = Draft(
        path,
        name="tiny",
        classes=classes,
        shape=(channels, 5, 5),
        train_images=train,
        test_images=test,
        skipped=("x/y.png",),
    )
    random = np.random.default_rng(0)
    for tensor, array in draft.arrays.items():
        array[:] = random.integers(0, 2 if "labels" in tensor else 256, array.shape)
    written = {tensor: np.array(array) for tensor, array in draft.arrays.items()}
    draft.finish()
    return written


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read(tmp_path, channels):
    path = tmp_path / "tiny.safetensors"
    written = write(path, channels=channels)
    data = load(path)
    assert (data.name, data.side, data.channels, data.classes) == ("tiny", 5, channels, ("a", "ü b"))
    assert data.skipped == ("x/y.png",)
    for tensor, array in written.items():
        assert np.array_equal(getattr(data, tensor), array)
        assert not getattr(data, tensor).flags.writeable
    assert data.train_labels.dtype == np.int64
    scaled = written["train_images"].astype(np.float64) / 255
    assert np.allclose(data.mean, scaled.mean((0, 2, 3)), rtol=1e-6)
    assert np.allclose(data.std, scaled.std((0, 2, 3)), rtol=1e-6)


def test_the_safetensors_library_reads_the_same(tmp_path):
    written = write(tmp_path / "tiny.safetensors")
    read = load_file(tmp_path / "tiny.safetensors")
    assert set(read) == set(written)
    assert all(np.array_equal(read[tensor], written[tensor]) for tensor in written)


def test_the_checksum_is_of_the_contents_and_not_of_the_name_or_place(tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write(first)
    write(second)
    assert load(first).checksum == load(second).checksum
    write(second, classes=("a", "c"))
    assert load(first).checksum != load(second).checksum


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_changed_byte_is_found_and_the_file_named(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "tiny.safetensors"
    write(path)
    good = load(path)
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    message, read = "", None
    try:
        read = load(path)
    except DamagedData as error:
        message = str(error)
    if read is None:
        assert str(path) in message
        assert "\n" not in message
    else:
        # A change that no result depends on (the source's name, a space of padding) may pass.
        assert (read.checksum, read.classes) == (good.checksum, good.classes)
        for field in ("train_images", "train_labels", "test_images", "test_labels", "mean", "std"):
            assert np.array_equal(getattr(read, field), getattr(good, field))


@pytest.mark.parametrize("length", [0, 4, 40, -1, -150])
def test_a_truncated_file_is_named_without_reading_its_contents(tmp_path, length):
    path = tmp_path / "tiny.safetensors"
    write(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedData, match=r"tiny\.safetensors"):
        load(path, verify=False)


def test_a_file_of_another_format_version_is_named(tmp_path):
    path = tmp_path / "tiny.safetensors"
    write(path)
    path.write_bytes(path.read_bytes().replace(b"scaling-images-1", b"scaling-images-0"))
    with pytest.raises(DamagedData, match="format 'scaling-images-0'"):
        load(path)


def test_a_missing_file_is_not_called_damaged(tmp_path):
    with pytest.raises(DataError, match="no such file") as caught:
        load(tmp_path / "none.safetensors")
    assert not isinstance(caught.value, DamagedData)


def test_empty_splits_and_constant_channels_are_refused(tmp_path):
    with pytest.raises(DataError, match="0 test images"):
        write(tmp_path / "tiny.safetensors", test=0)
    draft = Draft(tmp_path / "t", name="flat", classes=("a",), shape=(2, 4, 4), train_images=2, test_images=1)
    draft.arrays["train_images"][:, 0] = np.arange(16).reshape(4, 4)
    with pytest.raises(DataError, match="flat: channel 1 is the same"):
        draft.finish()


def test_a_full_disk_is_found_before_anything_is_written(tmp_path, monkeypatch):
    def full(descriptor, start, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(DataError, match=r"tiny\.safetensors: cannot allocate \d+ bytes \(No space left on device\)"):
        write(tmp_path / "tiny.safetensors")
    assert not list(tmp_path.iterdir())


def test_statistics_do_not_depend_on_the_block_size(monkeypatch):
    images = np.random.default_rng(1).integers(0, 256, (50, 3, 8, 8), np.uint8)
    whole = channel_statistics(images)
    monkeypatch.setattr("scaling.data.prepared._CHUNK_BYTES", 7 * images[0].nbytes)
    assert all(np.array_equal(a, b) for a, b in zip(whole, channel_statistics(images), strict=True))


def test_the_header_is_plain_json(tmp_path):
    path = tmp_path / "tiny.safetensors"
    write(path)
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(header["__metadata__"]["classes"]) == ["a", "ü b"]
    assert header["__metadata__"]["checksum"] == load(path).checksum
