from scaling.runs.learning_curves import CURVE_SCHEMA, learning_curves
from scaling.runs.store import Record, Store


def test_evaluations_of_the_runs_that_have_a_record_in_order(tmp_path):
    store, told = Store(tmp_path), []
    points = [{"step": 5, "train_loss": 0.9, "validation_loss": 1.0}, {"step": 9, "train_loss": None, "validation_loss": 0.8}]
    store.write("a", Record({"loss": 0.5}, {}, points))
    store.write("b", Record({"loss": 0.5}, {}, [{"step": 3, "train_loss": 0.7, "validation_loss": 0.9}]))
    store.record_path("b").write_text("{")
    table = learning_curves(store, ["a", "b", "none"], told.append)
    assert table.rows() == [("a", 5, 0.9, 1.0), ("a", 9, None, 0.8)]
    assert dict(table.schema) == CURVE_SCHEMA
    assert len(told) == 1
