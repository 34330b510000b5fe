import polars as pl
import pytest

from scaling.jobs.calibration import Calibration, Line, Speed, write_calibration
from scaling.jobs.estimates import CELL_SECONDS, JOB_SECONDS
from scaling.jobs.made_from import Origins
from scaling.jobs.plan import make_plan
from scaling.runs.derived import write_table
from scaling.study.layout import Layout
from scaling.study.schema import Study


@pytest.fixture
def layout(tmp_path, ladders, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a calibration of whoever runs the tests is none of theirs
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
    assert part.rate == "not yet tuned"
    forward = [rung["flop"] for rung in part.rungs]
    assert part.flop == 3 * sum(forward) * (16_000 + 24 * 4000)
    assert plan.core_seconds is None


def speed(layout, seconds: float, memory: float = 0.0) -> None:
    speeds = {"mlp 28x28x1 batch 64": Speed(Line(seconds, 0.0), Line(memory, 0.0))}
    write_calibration(Calibration("cpu", "fp32", "a machine", speeds), layout.speed)


def test_seconds_follow_the_measured_speed(layout):
    speed(layout, 1e-3)
    plan = make_plan(study(recipe={"learning_rate": 0.01, "evaluations": 3}), layout)
    evaluated = 4 * (3 * 2000 + 10_000) / 3
    trained = 1e-3 * (2 * (16_000 + 96_000) + evaluated) + 4 * CELL_SECONDS
    assert plan.core_seconds == pytest.approx(trained)
    assert plan.families[0].job_seconds == pytest.approx(JOB_SECONDS + trained)
    tuned = make_plan(study(recipe={"evaluations": 3}), layout)
    anchors = 2 * 4 * (24 * 800 + (3 * 2000 + 10_000) / 3)
    assert tuned.core_seconds - plan.core_seconds == pytest.approx(1e-3 * anchors + 8 * CELL_SECONDS)


def test_a_pinned_calibration_goes_before_what_this_machine_measured(layout, tmp_path):
    speed(layout, 1e-3)
    pinned = Layout("pinned", tmp_path).speed
    speed(Layout("pinned", tmp_path), 2e-3)
    one = study(jobs={"calibration": str(pinned)}, recipe={"learning_rate": 0.01})
    seconds = [make_plan(each, layout).core_seconds - 4 * CELL_SECONDS for each in (study(recipe={"learning_rate": 0.01}), one)]
    assert seconds[1] == pytest.approx(2 * seconds[0])


def test_jobs_and_their_memory(layout):
    plan = make_plan(study(jobs={"pack": "size"}), layout)
    assert (plan.jobs, plan.families[0].packs, plan.families[0].job_seconds) == (3, 2, None)
    assert plan.families[0].job_memory_mb == 4000  # it might be on a GPU
    speed(layout, 1e-3, memory=4e9)
    more = make_plan(study(jobs={"pack": "size", "cores": 2}), layout)
    assert more.families[0].job_memory_mb == 13_000  # 1.25 x (1,500 + 2 x (300 + 4,000)), to whole 500


def test_benchmarks_have_a_time_of_their_own(layout):
    benchmarks = {"names": ["families"], "rounds": 4}
    assert make_plan(study(benchmarks=benchmarks), layout).benchmark_seconds is None
    speed(layout, 1e-3)
    found = make_plan(study(benchmarks=benchmarks), layout).benchmark_seconds
    step = 64e-3
    assert found == pytest.approx(JOB_SECONDS + 5 * 2 * (3 * step + step))
    assert make_plan(study(), layout).benchmark_seconds == 0
    asked = study(benchmarks=benchmarks)
    write_table(pl.DataFrame({"value": [1.0]}), layout.benchmarks, Origins(asked, layout, {}).benchmarks)
    assert make_plan(asked, layout).benchmark_seconds == 0
    other = study(benchmarks=benchmarks | {"rounds": 5})
    assert make_plan(other, layout).benchmark_seconds > 0


def test_ten_thousand_cells_are_planned_without_training_anything(layout):
    seeds = list(range(2500))
    plan = make_plan(study(grid={"params": [13000, 28000], "images": [500, 4000], "seeds": seeds}), layout)
    assert plan.new == 10_000
