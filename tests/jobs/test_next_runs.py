"""What to train next for a study: candidates, costs, rows, and what is said where it cannot be told."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console
from synthetic_runs import SIZES, synthetic_runs

from scaling.jobs.calibration import Calibration, Line, Speed, write_calibration
from scaling.jobs.candidate_runs import MOST_STEP, NEW_SEEDS, candidate_cells, candidate_sizes
from scaling.jobs.job_errors import JobError
from scaling.jobs.next_runs import BUDGET_SHARE, Budget, next_runs
from scaling.jobs.run_speeds import speeds_of_runs
from scaling.models.family import ImageSpec
from scaling.report.next_table import next_section, print_next
from scaling.runs.grid import cells
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_file import parse, read_tree

IMAGE = ImageSpec(28, 1, 10)
FAMILIES = ("vgg", "resnet")
RUNS = synthetic_runs(FAMILIES, seeds=2, noise=0.03)


def study(**changes) -> Study:
    sizes = {name: np.round(np.geomspace(*SIZES[name], 4)).astype(int).tolist() for name in FAMILIES}
    base = {
        "name": "a",
        "families": {name: {"params": sizes[name]} for name in FAMILIES},
        "grid": {"params": [5000], "images": sorted(RUNS["images"].unique()), "seeds": [0, 1]},
    }
    return Study.model_validate(base | changes)


@pytest.fixture
def layout(tmp_path, ladders, monkeypatch) -> Layout:
    """A layout that knows the ladders of all tests, so that each size is laid out once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Layout, "ladders", property(lambda self: ladders.cache))
    return Layout("a", tmp_path / "results", tmp_path / "reports")


def test_candidates_are_new_and_within_what_can_be_made(ladders):
    one = study()
    sizes = candidate_sizes(one, "resnet", ladders, IMAGE)
    least, largest = ladders.range("resnet", IMAGE)
    assert set(one.sizes("resnet")) < set(sizes)
    assert least <= sizes[0]
    assert one.sizes("resnet")[-1] < sizes[-1] <= min(largest, MOST_STEP * one.sizes("resnet")[-1])
    candidates = candidate_cells(one, "resnet", ladders, IMAGE, 18_000)
    assert not set(candidates) & set(cells(one, "resnet"))
    assert len(set(candidates)) == len(candidates)
    assert max(cell.images for cell in candidates) == 18_000  # all that there are, less than a step beyond 8,000
    assert max(cell.images for cell in candidate_cells(one, "resnet", ladders, IMAGE, 8000)) == 8000
    assert {cell.seed for cell in candidates if (cell.target, cell.images) == (one.sizes("resnet")[0], 300)} == set(
        range(2, 2 + NEW_SEEDS)
    )


@pytest.mark.slow
@pytest.mark.parametrize("goal", ["exponents", "prediction", "contrast", "skill"])
def test_rows_keep_the_budget_and_narrow_what_is_asked(layout, goal):
    found = next_runs(study(), layout, RUNS, goal, Budget(20.0))
    assert sum(row.minutes for row in found.rows) == pytest.approx(found.minutes)
    assert 0 < found.minutes <= 20.0
    assert (found.without, found.missing) == ({}, 0)
    for family, (now, after) in found.widths.items():
        own = [row for row in found.rows if row.family == family]
        assert all(row.gain > 0 for row in own)
        if goal != "contrast":
            assert all(row.width_after < row.width_before for row in own)
            assert [row.width_before for row in own] == pytest.approx([now, *(row.width_after for row in own[:-1])])
            assert after == pytest.approx(own[-1].width_after if own else now)
        assert after < now or not own
    gains = [row.gain for row in found.rows]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(gains))
    # At places that the study does not have, seeds count from the first of its own: families share them, and their images.
    new = [row for row in found.rows if (row.params, row.images) not in set(RUNS.select("target_params", "images").iter_rows())]
    assert all(row.seeds == list(range(len(row.seeds))) for row in new)
    places = [(row.family, row.params, row.images) for row in found.rows]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("continued", [False, True])
def test_what_is_printed_can_be_pasted_and_asks_for_those_runs(layout, tmp_path, continued):
    found = next_runs(study(), layout, RUNS, "prediction", Budget(5.0))
    text = "name: a\nfamilies: {vgg: , resnet: }\ngrid:\n  params: [5000]\n  images: [300]\n"
    first = "  added:\n    - {family: vgg, params: 5000, images: 300, seeds: [9]}\n"
    text += first + replace(found, continued=True).pasted() if continued else found.pasted()
    (tmp_path / "study.yaml").write_text(text)
    pasted, problems = parse(read_tree(tmp_path / "study.yaml"))
    assert problems == []
    asked = {(c.family, c.target, c.images, c.seed) for family in FAMILIES for c in cells(pasted, family)}
    assert {(row.family, row.params, row.images, seed) for row in found.rows for seed in row.seeds} < asked


def test_minutes_are_those_of_the_calibration_if_there_is_one(layout):
    by_runs = next_runs(study(), layout, RUNS, "prediction", Budget(20.0))
    names = [f"{family} 28x28x1 batch 64" for family in FAMILIES]
    speeds = {name: Speed(Line(1.0, 0.0)) for name in names}
    write_calibration(Calibration("cpu", "fp32", "a machine", speeds), layout.speed)
    slow = next_runs(study(), layout, RUNS, "prediction", Budget(20.0))
    assert by_runs.rows
    assert slow.rows == []
    assert slow.notes() == ["no run narrows anything within this budget"]
    with pytest.raises(JobError, match="--gpu-hours: the speeds known are of cpu, fp32, a machine"):
        next_runs(study(), layout, RUNS, "prediction", Budget(1.0, "gpu-hours"))


def test_speeds_are_read_off_the_runs(layout):
    flat = RUNS.with_columns(seconds=1e-3 * RUNS["images_seen"])
    speeds = speeds_of_runs(study(), flat, IMAGE)
    line = speeds.speed(study(), "resnet", IMAGE).seconds
    assert 0.5e-3 < line.at(1e6) < 1e-3
    assert speeds_of_runs(study(), RUNS.clear(), IMAGE) is None


@pytest.mark.slow
def test_a_budget_in_flop_and_the_usual_one(layout):
    flop = next_runs(study(), layout, RUNS, "prediction", Budget(1e12, "flop"))
    assert flop.rows
    assert flop.budget is None
    usual = next_runs(study(), layout, RUNS, "prediction", Budget())
    assert usual.minutes <= usual.budget
    more = study(
        grid=study().grid.model_dump() | {"added": [{"family": "resnet", "params": 60_000, "images": 8000, "seeds": [7]}]}
    )
    assert next_runs(more, layout, RUNS, "prediction", Budget()).budget > usual.budget
    assert 0 < BUDGET_SHARE < 1


@pytest.mark.slow
def test_a_family_without_a_law_is_named_and_so_is_one_that_is_not_determined(layout):
    few = RUNS.filter((RUNS["family"] == "vgg") | (RUNS["params"] < 10_000))
    found = next_runs(study(), layout, few, "prediction", Budget(5.0))
    assert (set(found.without), set(found.widths)) == ({"resnet"}, {"vgg"})
    assert found.notes()[0].startswith("resnet has no law: ")
    assert "distinct N" in found.notes()[0]
    assert next_runs(study(), layout, few.filter(few["family"] == "resnet"), "prediction", Budget(5.0)).widths == {}
    noisy = synthetic_runs(FAMILIES, noise=0.2, seed=3)
    unsure = next_runs(study(), layout, noisy, "prediction", Budget(5.0)).unsure
    assert unsure
    assert all("not identifiable" in why for why in unsure.values())


def test_the_terminal_and_the_page_show_the_same_rows(layout):
    found = next_runs(study(), layout, RUNS, "exponents", Budget(5.0))
    console = Console(file=io.StringIO(), width=200)
    print_next(found, console)
    text, section = console.file.getvalue(), next_section(found)
    assert f"Paste into the study's file, under `grid:`:\n{found.pasted()}" in text
    assert "exponents alpha and beta" in text
    assert section["rows"] == found.as_rows()
    assert section["paste_where"] == "under `grid:`"
    more = replace(found, continued=True)
    assert more.paste_where == "below the lines of `added:` that are there, under `grid:`"
    assert "  added:\n" + more.pasted() == found.pasted()
    assert [row["family"] for row in section["widths"]] == list(FAMILIES)
    assert next_section(None) is None
