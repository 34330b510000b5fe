"""Plain values are read out of pickles; calls stay notes."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from scaling.data.symbols import Symbol, array_bytes, read_symbols


@pytest.mark.parametrize("protocol", [1, 2, 3, 4])
def test_values_come_back_and_arrays_are_told_by_their_bytes(protocol):
    data = np.random.default_rng(0).integers(0, 256, (3, 5), np.uint8)
    value = {"labels": [1, 2, 300, 70_000, -1], "names": ["a", "ü"], b"key": b"\0\xff", "none": None, "pair": (True, "x")}
    found = read_symbols(pickle.dumps(value | {"data": data}, protocol))
    assert array_bytes(found.pop("data")) == ((3, 5), data.tobytes())
    assert found == value


def test_arrays_as_newer_protocols_write_them_are_refused():
    with pytest.raises(ValueError, match="opcode BYTEARRAY8 is of no plain value"):
        read_symbols(pickle.dumps({"data": np.zeros((3, 5), np.uint8)}, 5))


class Poison:
    """When it is unpickled a folder appears."""

    def __init__(self, folder) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", [1, 2, 4])
def test_nothing_is_called(tmp_path, protocol):
    found = read_symbols(pickle.dumps(Poison(tmp_path / "executed"), protocol))
    assert isinstance(found, Symbol)
    assert found.name.endswith("mkdir")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", b"\x80\x02}", b"\x80\x02.", b"(K\x01.", b"}K\x01s.", b"\x82\x01.", b"h\x05."]
)
def test_other_bytes_are_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011
        array_bytes(read_symbols(content))
