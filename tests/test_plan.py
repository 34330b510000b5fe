import json

import pytest

from scaling.layout import Layout
from scaling.plan import make_plan
from scaling.study import Study


@pytest.fixture
def layout(tmp_path, ladders):
    layout = Layout("a", tmp_path / "results", tmp_path / "reports")
    layout.ladders.parent.mkdir(parents=True)
    ladders.cache.parent.mkdir(exist_ok=True)
    if ladders.cache.exists():
        layout.ladders.write_bytes(ladders.cache.read_bytes())
    return layout


def study(**changes) -> Study:
    base = {"name": "a", "families": {"mlp": None}, "grid": {"params": [13000, 28000], "images": [500, 4000]}}
    return Study.model_validate(base | changes)


def test_counts_and_flop(layout):
    plan = make_plan(study(), layout)
    (part,) = plan.families
    assert (part.cells, part.stored, plan.new) == (4, 0, 4)
    assert part.rate == "unknown until tuned"
    forward = [rung["flop"] for rung in part.rungs]
    assert part.flop == 3 * sum(forward) * (16_000 + 24 * 4000)
    assert plan.core_seconds is None


def test_seconds_follow_the_measured_speed(layout):
    layout.speed.write_text(json.dumps({"families": {"mlp": {"overhead": 1e-3, "slope": 0.0}}}))
    plan = make_plan(study(recipe={"learning_rate": 0.01, "evaluations": 3}), layout)
    evaluated = 4 * (3 * 2000 + 10_000) / 3
    assert plan.core_seconds == pytest.approx(1e-3 * (2 * (16_000 + 96_000) + evaluated))
    tuned = make_plan(study(recipe={"evaluations": 3}), layout)
    anchors = 2 * 4 * (24 * 800 + (3 * 2000 + 10_000) / 3)
    assert tuned.core_seconds - plan.core_seconds == pytest.approx(1e-3 * anchors)


def test_ten_thousand_cells_are_planned_without_training_anything(layout):
    seeds = list(range(2500))
    plan = make_plan(study(grid={"params": [13000, 28000], "images": [500, 4000], "seeds": seeds}), layout)
    assert plan.new == 10_000
