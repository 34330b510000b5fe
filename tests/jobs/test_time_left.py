"""The time left: by the estimate at first, then by the pace of what was done."""

from dataclasses import replace

import pytest

from scaling.jobs.calibration import Calibration, Line, Speed
from scaling.jobs.estimates import Estimates
from scaling.jobs.status import RUNNING, UNTUNED, CellStatus, PackStatus, StudyStatus
from scaling.jobs.time_left import TimeLeft, share_left
from scaling.models.family import ImageSpec
from scaling.runs.progress import ProgressReport
from scaling.runs.records import DIVERGED, DONE, FAILED
from scaling.study.schema import Study

STUDY = Study.model_validate(
    {"name": "s", "families": {"mlp": None}, "grid": {"params": [13000], "images": [500, 600, 650, 660]}}
)
CELLS = [CellStatus("mlp", 13000, images, 0) for images in (500, 600, 650, 660)]
"""Runs of equal length: these D are all below the floor of images seen."""
HALF = ProgressReport(50, 100, 1.0, 1000.0, 10.0, 1e9)


def status(*cells: CellStatus, tuning: tuple[PackStatus, ...] = ()) -> StudyStatus:
    return StudyStatus("s", (PackStatus("mlp", "mlp", cells),), tuning)


@pytest.fixture
def estimates(ladders):
    def make(known: bool) -> Estimates:
        speed = Calibration("cpu", "fp32", "m", {"mlp 28x28x1 batch 64": Speed(Line(1e-3, 0.0))}) if known else None
        return Estimates(STUDY, speed, ladders, ImageSpec(28, 1, 10))

    return make


def test_at_first_it_is_the_estimate_over_the_cores(estimates):
    known = estimates(True)
    left = TimeLeft(known, 2).seconds(status(*CELLS), 0.0)
    assert left == pytest.approx(4 * known.known_seconds("mlp", 13000, 500) / 2)
    assert TimeLeft(known, None).seconds(status(*CELLS), 0.0) is None
    assert TimeLeft(estimates(False), 2).seconds(status(*CELLS), 0.0) is None


@pytest.mark.parametrize("known", [True, False])
def test_then_the_rest_goes_on_at_the_pace_so_far(estimates, known):
    clock = TimeLeft(estimates(known), 2)
    clock.seconds(status(*CELLS), 100.0)
    first, *others = CELLS
    assert clock.seconds(status(replace(first, state=DONE), *others), 130.0) == pytest.approx(90.0)
    half = replace(others[0], state=RUNNING, progress=HALF)
    assert clock.seconds(status(replace(first, state=DONE), half, *others[1:]), 145.0) == pytest.approx(75.0)
    assert clock.seconds(status(*(replace(cell, state=DONE) for cell in CELLS)), 200.0) == 0.0


def test_what_was_done_before_counts_for_nothing(estimates):
    clock = TimeLeft(estimates(False), 2)
    done = [replace(cell, state=DONE) for cell in CELLS]
    clock.seconds(status(*done[:2], *CELLS[2:]), 0.0)
    assert clock.seconds(status(*done[:3], CELLS[3]), 60.0) == pytest.approx(60.0)


def test_tuning_that_is_still_to_come_is_work_too(estimates):
    known = estimates(True)
    waiting = [replace(cell, reason=UNTUNED) for cell in CELLS]
    runs = 4 * known.known_seconds("mlp", 13000, 500)
    tuning = known.tuning_core_seconds("mlp")
    assert TimeLeft(known, 1).seconds(status(*waiting), 0.0) == pytest.approx(runs + tuning)
    anchors = STUDY.family_recipe("mlp").anchors
    tried = [CellStatus("mlp", *place, 0, state=DONE) for place in anchors.places for _ in anchors.rates]
    job = PackStatus("tune mlp", "mlp", tuple(tried))
    assert TimeLeft(known, 1).seconds(status(*waiting, tuning=(job,)), 0.0) == pytest.approx(runs)


def test_runs_that_ended_in_any_way_are_no_work():
    cell = CELLS[0]
    assert [share_left(replace(cell, state=state)) for state in (DONE, DIVERGED, FAILED)] == [0.0, 0.0, 0.0]
    assert share_left(cell) == 1.0
    assert share_left(replace(cell, state=RUNNING, progress=HALF)) == 0.5
