import shutil

import pytest

from scaling.data import prepared_path
from scaling.jobs.foreseen import foresee
from scaling.runs.store import Record, Store
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import data_settings, image_spec, look_at_images
from scaling.training.tuning import candidate

ANCHORS = {"params": [13000], "rates": [0.01, 0.02, 0.04], "images": 300, "widen": 1}
CPU = ("cpu", "fp32")


def study(**recipe) -> Study:
    grid = {"params": [13000], "images": [500]}
    return Study.model_validate({"name": "a", "families": {"mlp": None}, "grid": grid, "recipe": {"anchors": ANCHORS} | recipe})


@pytest.fixture
def layout(tmp_path, prepared):
    layout = Layout("a", tmp_path / "results", tmp_path / "reports")
    path = prepared_path(data_settings(study()), layout.data)
    path.parent.mkdir(parents=True)
    shutil.copyfile(prepared, path)
    return layout


@pytest.fixture
def look(layout, ladders):
    def foreseen(one=None, devices=(CPU,), warn=print):
        one = one or study()
        return foresee(one, layout, "mlp", list(devices), ladders, image_spec(one), look_at_images(one, layout), warn)

    return foreseen


@pytest.fixture
def put(layout, images, ladders):
    """Puts the candidate of a rate into the store, as if it had been trained; returns its record's path."""

    def write(rate: float, loss: float, device=CPU):
        one, store = study(), Store(layout.store)
        key = candidate(one, "mlp", (13000, ANCHORS["images"]), rate, *device, images.checksum, ladders, image_spec(one)).key
        store.write(key, Record({"status": "done", "validation_loss": loss}, {}, []))
        return store.record_path(key)

    return write


def test_nothing_is_stored(look):
    assert (look().tuning, look().candidates) == (None, 3)


def test_some_candidates_are_stored(look, put):
    put(0.01, 0.5)
    assert (look().tuning, look().candidates) == (None, 2)


def test_all_candidates_are_stored_and_nothing_is_written(look, put, layout):
    for rate, loss in ((0.01, 0.6), (0.02, 0.5), (0.04, 0.6)):
        put(rate, loss)
    before = sorted(layout.results.rglob("*"))
    found = look()
    assert found.candidates == 0
    assert found.tuning.rule.rate(16.0, 800) == pytest.approx(0.02, rel=1e-3)
    assert sorted(layout.results.rglob("*")) == before


def test_an_optimum_at_the_edge_asks_for_a_candidate_more(look, put):
    for rate, loss in ((0.01, 0.6), (0.02, 0.5), (0.04, 0.4)):
        put(rate, loss)
    assert (look().tuning, look().candidates) == (None, 1)
    put(0.08, 0.5)
    assert look().tuning.anchors[0]["widened"]


def test_a_damaged_candidate_is_one_to_train_and_stays_where_it_is(look, put):
    paths = [put(rate, 0.5) for rate in (0.01, 0.02, 0.04)]
    paths[1].write_bytes(paths[1].read_bytes()[:-5])
    said = []
    assert look(warn=said.append).candidates == 1
    assert "not a whole record" in said[0]
    assert paths[1].exists()


def test_a_fixed_rate_has_no_candidates(look):
    found = look(study(learning_rate=0.01))
    assert (found.candidates, found.tuning.rule.rate(100.0, 800)) == (0, 0.01)


def test_the_device_whose_candidates_are_stored_counts(look, put):
    for rate, loss in ((0.01, 0.6), (0.02, 0.5), (0.04, 0.6)):
        put(rate, loss, ("cuda", "bf16"))
    assert look().candidates == 3
    assert look(devices=[CPU, ("cuda", "bf16")]).tuning.device == "cuda"


def test_without_prepared_images_nothing_is_known(look, layout):
    shutil.rmtree(layout.data)
    assert (look().tuning, look().candidates) == (None, 3)
