"""A derived file is believed only with a seal that matches its contents, its kind and its study."""

import polars as pl
import pytest

from scaling.runs.derived import (
    Seal,
    WrongFile,
    read_json,
    read_seal,
    read_table,
    seal_path,
    set_aside,
    write_json,
    write_table,
)

ORIGIN = Seal("fits", "a", "settings", "inputs")


def test_what_was_written_is_read_with_where_it_came_from(tmp_path):
    table = pl.DataFrame({"n": [1, None], "loss": [0.1, 2.0]})
    seal = write_table(table, tmp_path / "t.parquet", ORIGIN)
    assert seal.same_origin(ORIGIN)
    found, sealed = read_table(tmp_path / "t.parquet", ORIGIN)
    assert found.equals(table)
    assert sealed == seal
    write_json({"a": [1.5]}, tmp_path / "t.json", ORIGIN)
    assert read_json(tmp_path / "t.json", ORIGIN)[0] == {"a": [1.5]}
    assert not read_seal(tmp_path / "t.json", ORIGIN).same_origin(Seal("fits", "a", "settings", "other inputs"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: path.write_text(path.read_text().replace("1.5", "2.5")), "its contents do not match its checksum"),
        (lambda path: path.write_bytes(b""), "empty, which does not match its checksum"),
        (lambda path: seal_path(path).unlink(), "its checksum, t.json.seal, is missing or damaged"),
        (lambda path: seal_path(path).write_text("[1"), "its checksum, t.json.seal, is missing or damaged"),
        (lambda path: seal_path(path).write_text('{"more": 1}'), "its checksum, t.json.seal, is missing or damaged"),
        (lambda path: write_json({}, path, Seal("fits", "b", "s")), "is the fits of study b, not the fits of study a"),
        (lambda path: write_json({}, path, Seal("claims", "a", "s")), "is the claims of study a, not the fits of study a"),
    ],
)
def test_what_is_wrong_is_named_and_set_aside(tmp_path, change, why):
    path = tmp_path / "t.json"
    write_json({"a": [1.5]}, path, ORIGIN)
    change(path)
    wrong = path.read_bytes()
    with pytest.raises(WrongFile) as caught:
        read_json(path, ORIGIN)
    assert str(caught.value) == f"{path}: {why}"
    said = []
    set_aside(path, caught.value, said.append)
    assert said == [f"{path}: {why}; set aside as t.damaged, it is made again"]
    assert (tmp_path / "t.damaged").read_bytes() == wrong
    with pytest.raises(FileNotFoundError):
        read_seal(path, ORIGIN)


def test_a_bit_of_a_table_that_flips_is_found(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(pl.DataFrame({"n": list(range(100))}), path, ORIGIN)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(WrongFile, match="do not match its checksum"):
        read_table(path, ORIGIN)
