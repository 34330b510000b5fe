import json

import pytest

from scaling.files import json_sha256
from scaling.runs.store import DamagedRecord, ForeignRecord, Record, Store

ENTRY = Record({"loss": 0.5, "family": "vit"}, {"seed": 0}, [{"step": 1}])


def test_what_is_written_is_read(tmp_path):
    store = Store(tmp_path)
    assert store.read("k") is None
    store.write("k", ENTRY)
    assert store.read("k") == ENTRY


def test_a_stored_record_is_never_rewritten(tmp_path):
    store = Store(tmp_path)
    store.write("k", ENTRY)
    store.write("k", Record({"loss": 9.9}, {}, []))
    assert store.read("k") == ENTRY


@pytest.mark.parametrize("damage", ["truncate", "empty", "flip", "list"])
def test_damage_is_named_and_set_aside(tmp_path, damage):
    store = Store(tmp_path)
    store.write("k", ENTRY)
    path = store.record_path("k")
    content = path.read_bytes()
    spoilt = {"truncate": content[:-20], "empty": b"", "flip": content.replace(b"0.5", b"0.4"), "list": b"[1]"}
    path.write_bytes(spoilt[damage])
    with pytest.raises(DamagedRecord, match=r"record\.json"):
        store.read("k")
    said = []
    assert store.read_or_discard("k", said.append) is None
    assert str(path) in said[0]
    assert not path.exists()
    assert path.with_suffix(".damaged").exists()


def test_a_record_of_another_version_is_refused_by_name(tmp_path):
    store = Store(tmp_path)
    store.write("k", ENTRY)
    body = json.loads(store.record_path("k").read_text())
    del body["checksum"]
    body["version"] = 99
    body["checksum"] = json_sha256(body)
    store.record_path("k").write_text(json.dumps(body))
    with pytest.raises(ForeignRecord, match="version 99"):
        store.read("k")


def test_training_losses_of_version_2_are_those_of_the_steps_that_were_made(tmp_path):
    """Readings at 25 and 30, then at 50 and 60: 30 steps were counted for 30 made, then 35 for 30."""
    store = Store(tmp_path)
    store.write(
        "k",
        Record({"best_step": 60, "train_loss": 0.6}, {}, [{"step": 30, "train_loss": 0.9}, {"step": 60, "train_loss": 0.6}]),
    )
    path = store.record_path("k")
    body = json.loads(path.read_text())
    del body["checksum"]
    body["version"] = 2
    path.write_text(json.dumps(body | {"checksum": json_sha256(body)}))
    found = store.read("k")
    assert [point["train_loss"] for point in found.curve] == pytest.approx([0.9, 0.6 * 35 / 30])
    assert found.row["train_loss"] == pytest.approx(0.7)


def test_records_of_version_4_have_no_top_5_and_no_balanced_error(tmp_path):
    store = Store(tmp_path)
    store.write("k", Record({"error": 0.5}, {}, []))
    path = store.record_path("k")
    body = json.loads(path.read_text()) | {"version": 4}
    del body["checksum"]
    path.write_text(json.dumps(body | {"checksum": json_sha256(body)}))
    assert store.read("k").row == {"error": 0.5, "top5_error": None, "balanced_error": None}
