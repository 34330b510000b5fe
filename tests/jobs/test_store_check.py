"""A look through the store: what does not hold what its place says is set aside, all else is left and counted."""

import json
import os

import pytest

from scaling.files import digest, json_sha256
from scaling.jobs.store_check import check_store
from scaling.runs.records import RECORD_VERSION
from scaling.runs.store import Record, Store

SETTINGS = {"family": "mlp", "width": 16.0, "seed": 0, "learning_rate": 0.01, "data": "abc", "recipe": {"batch": 64}}


def put(store: Store, **changes) -> str:
    """A record that is as it should be; returns its key."""
    settings = SETTINGS | changes
    key = digest(settings)
    row = {name: settings[name] for name in ("family", "width", "seed", "learning_rate")}
    store.write(key, Record(row | {"key": key, "loss": 0.5, "status": "done"}, settings, []))
    return key


def rewrite(store: Store, key: str, change) -> None:
    """Change a record and give it the checksum of what it holds then."""
    body = json.loads(store.record_path(key).read_bytes())
    del body["checksum"]
    change(body)
    body["checksum"] = json_sha256(body)
    store.record_path(key).write_text(json.dumps(body))


def contents(store: Store) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in store.root.rglob("*") if path.is_file()}


def test_a_store_in_order_is_left_as_it_is_and_counted(tmp_path):
    store = Store(tmp_path)
    for seed in range(3):
        store.write_probe(put(store, seed=seed), "shift", "v", [{"x": 1.0}])
    store.folder("failed").mkdir()
    before = contents(store)
    said = []
    found = check_store(store, said.append)
    assert (said, found.aside) == ([], [])
    assert (found.counts["record"], found.counts["probe"], found.counts["without"]) == (3, 3, 1)
    assert contents(store) == before
    assert "checked 3 records" in found.summary(tmp_path)
    assert "no files set aside" in found.summary(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body["settings"].update(data="other images"), "its settings are not those of its key"),
        (lambda body: body["row"].update(learning_rate=0.1), "its row and its settings differ in learning_rate"),
        (lambda body: body["row"].pop("key"), "its row and its settings differ in key"),
        (lambda body: body["row"].update(key="0" * 24), "the record of another run, 000000000000000000000000"),
        (lambda body: body.pop("version"), "not a whole record"),
    ],
)
def test_a_record_that_is_not_that_of_its_key_is_set_aside_with_what_came_of_it(tmp_path, change, message):
    store = Store(tmp_path)
    good, bad = put(store), put(store, seed=1)
    store.write_probe(bad, "shift", "v", [])
    rewrite(store, bad, change)
    kept = store.record_path(good).read_bytes()
    said = []
    found = check_store(store, said.append)
    assert said[0].startswith(f"{store.record_path(bad)}: ")
    assert message in said[0]
    assert said[0].endswith("; set aside as record.damaged")
    assert store.record_path(bad) in found.aside
    assert store.read(bad) is None
    assert (store.folder(bad) / "record.damaged").exists()
    assert not store.lease(bad).path.exists()
    assert store.record_path(good).read_bytes() == kept
    if "key" in message:
        assert store.probe_rows(bad, "shift", "v") is None
    assert check_store(store, said.append).aside == []


def test_damage_is_set_aside_and_what_a_newer_program_wrote_is_left(tmp_path):
    store = Store(tmp_path)
    flipped, newer, misread = put(store), put(store, seed=1), put(store, seed=2)
    store.record_path(flipped).write_bytes(store.record_path(flipped).read_bytes().replace(b"0.5", b"0.4"))
    rewrite(store, newer, lambda body: body.update(version=RECORD_VERSION + 1))
    store.write_probe(misread, "shift", "v", [{"x": 1.0}])
    probe = store.probe_path(misread, "shift")
    probe.write_bytes(probe.read_bytes().replace(b"1.0", b"2.0"))
    said = []
    found = check_store(store, said.append)
    assert set(found.aside) == {store.record_path(flipped), probe}
    assert store.record_path(newer).exists()
    assert store.record_path(misread).exists()
    assert "1 of a newer version, left as they are" in found.summary(tmp_path)
    assert any(f"a record of version {RECORD_VERSION + 1}" in line for line in said)


def test_weights_of_another_run_and_damaged_ones_are_set_aside(tmp_path):
    torch = pytest.importorskip("torch")
    from scaling.training.checkpoint import save_checkpoint

    store = Store(tmp_path)
    keys = [put(store, seed=seed) for seed in range(3)]
    for seed, key in enumerate(keys):
        save_checkpoint(store.weights_path(key), {"w": torch.ones(3)}, {}, SETTINGS | {"seed": min(seed, 1)})
    content = store.weights_path(keys[0]).read_bytes()
    store.weights_path(keys[0]).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = []
    found = check_store(store, said.append)
    assert found.aside == [store.weights_path(key) for key in sorted((keys[0], keys[2]))]
    assert found.counts["weights"] == 3
    assert all(store.record_path(key).exists() for key in keys)


def test_a_cell_in_training_is_left_alone(tmp_path):
    store = Store(tmp_path)
    bad = put(store)
    rewrite(store, bad, lambda body: body["settings"].update(data="other images"))
    lease = store.lease(bad)
    assert lease.acquire()
    before, said = contents(store), []
    found = check_store(store, said.append)
    assert (found.aside, said, found.counts["training"]) == ([], [], 1)
    assert contents(store) == before
    lease.release()
    assert check_store(store, said.append).aside == [store.record_path(bad)]


def test_a_pipe_in_the_place_of_a_record_is_not_waited_for(tmp_path):
    store = Store(tmp_path)
    key = put(store)
    store.record_path(key).unlink()
    os.mkfifo(store.record_path(key))
    said = []
    assert check_store(store, said.append).aside == [store.record_path(key)]
    assert "not a file" in said[0]


def test_no_store_is_no_fault(tmp_path):
    found = check_store(Store(tmp_path / "none"), print)
    assert "checked 0 records" in found.summary(tmp_path)
