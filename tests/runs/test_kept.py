from dataclasses import dataclass

import pytest

from scaling.runs.deciding_code import probe_code
from scaling.runs.kept import is_complete, is_kept, missing_probes
from scaling.runs.records import DIVERGED, DONE
from scaling.runs.store import Record, Store


@dataclass
class Backbone:
    key: str


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(tmp_path)
    for key, status in (("done", DONE), ("diverged", DIVERGED)):
        made.folder(key).mkdir()
        made.write(key, Record({"key": key, "status": status}, {}, []))
    return made


def test_a_run_is_complete_with_its_record_and_all_probes(store):
    assert is_complete(store, "done", [])
    assert not is_complete(store, "another", [])
    assert not is_complete(store, "done", ["shift"])
    store.write_probe("done", "shift", probe_code("shift"), [])
    assert is_complete(store, "done", ["shift"])
    assert missing_probes(store, "done", ["shift", "gradients"]) == ["gradients"]


def test_a_probe_of_other_code_is_missing(store):
    store.write_probe("done", "shift", "an older one", [])
    assert missing_probes(store, "done", ["shift"]) == ["shift"]


def test_a_backbone_is_kept_with_its_weights_unless_it_diverged(store):
    assert not is_kept(store, Backbone("another"))
    assert not is_kept(store, Backbone("done"))
    store.weights_path("done").write_bytes(b"weights")
    assert is_kept(store, Backbone("done"))
    assert is_kept(store, Backbone("diverged"))
