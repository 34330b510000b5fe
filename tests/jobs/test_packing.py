from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.jobs.calibration import Calibration, CalibrationError, Line, Speed, write_calibration
from scaling.jobs.estimates import JOB_SECONDS, Load
from scaling.jobs.opening import open_study
from scaling.jobs.packing import packs_by_minutes, packs_of
from scaling.runs.grid import cells
from scaling.runs.job_hashes import pack_hash
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_file import StudyError

COUNTS = st.lists(st.integers(1, 200_000), min_size=1, max_size=6, unique=True)
SEEDS = st.lists(st.integers(0, 40), min_size=1, max_size=6, unique=True)
GRIDS = st.fixed_dictionaries({"params": COUNTS, "images": COUNTS, "seeds": SEEDS})


def study(grid: dict, minutes: float = 10, cores: int = 1, families=("vit", "mlp"), **jobs) -> Study:
    jobs = {"minutes": minutes, "cores": cores} | jobs
    return Study.model_validate({"name": "a", "families": dict.fromkeys(families), "grid": grid, "jobs": jobs})


def seconds(family: str, target: int, images: int) -> float:
    return (1 + 3 * (family == "vit")) * (target + 2000) * (images + 50) / 2e6


def expected(one: Study, pack) -> float:
    return Load.of(seconds(c.family, c.target, c.images) for c in pack.cells).seconds(one.jobs.cores)


@settings(deadline=None)
@given(GRIDS, st.sampled_from([1, 5, 60, 100_000]), st.sampled_from([1, 3]))
def test_every_cell_is_in_one_pack_and_none_is_too_long_unless_it_is_one_cell(grid, minutes, cores):
    one = study(grid, minutes, cores)
    found = packs_by_minutes(one, seconds)
    members = [cell for pack in found.values() for cell in pack.cells]
    assert sorted(members, key=str) == sorted((cell for family in one.families for cell in cells(one, family)), key=str)
    for name, pack in found.items():
        assert pack.name == name
        assert {cell.family for cell in pack.cells} == {pack.family}
        assert len(pack.cells) == 1 or expected(one, pack) <= 60 * minutes


@settings(deadline=None)
@given(GRIDS, GRIDS, st.sampled_from([1, 5, 60]))
def test_what_is_added_to_a_grid_leaves_the_packs_that_it_does_not_fall_into(grid, more, minutes):
    wider = {axis: sorted({*grid[axis], *more[axis]}) for axis in grid}
    before, after = (packs_by_minutes(study(each, minutes), seconds) for each in (grid, wider))
    old = {cell for pack in before.values() for cell in pack.cells}
    home = {cell: pack for pack in after.values() for cell in pack.cells}
    for name, pack in before.items():
        now = {home[cell].name for cell in pack.cells}
        if name in after and after[name].cells == pack.cells:
            continue
        # It gained cells, or was parted for those that would have been its own: never mixed with the cells of another pack.
        strangers = {cell for other in now for cell in after[other].cells} & (old - set(pack.cells))
        assert not strangers


@settings(deadline=None)
@given(GRIDS, st.integers(200_001, 400_000), st.sampled_from([1, 5, 60]))
def test_a_size_beyond_all_others_moves_no_pack_unless_its_own_family_was_whole(grid, size, minutes):
    before = packs_by_minutes(study(grid, minutes), seconds)
    after = packs_by_minutes(study(grid | {"params": [*grid["params"], size]}, minutes), seconds)
    for name, pack in before.items():
        if name != pack.family and max(cell.target for cell in pack.cells) < 131_072:  # below the last power of two
            assert after[name].cells == pack.cells


@settings(deadline=None)
@given(GRIDS, st.sampled_from([1, 5, 60, 100_000]))
def test_a_changed_grid_leaves_the_hashes_of_unmoved_packs(grid, minutes):
    one, reordered = study(grid, minutes), study({axis: values[::-1] for axis, values in grid.items()}, minutes)
    hashes = [
        {name: pack_hash(each, pack) for name, pack in packs_by_minutes(each, seconds).items()} for each in (one, reordered)
    ]
    assert hashes[0] == hashes[1]


def test_names_are_the_prefixes_that_the_cells_share():
    grid = {"params": [5000, 20_000], "images": [500, 4000], "seeds": [0, 1, 2, 3]}

    def names(minutes: float) -> list[str]:
        return list(packs_by_minutes(study(grid, minutes, families=["vit"]), lambda *_: 60.0))

    start = JOB_SECONDS / 60
    assert names(16 + start) == ["vit"]
    assert names(8 + start) == ["vit-n5000", "vit-n20000"]
    assert names(4 + start) == ["vit-n5000-s0-1", "vit-n5000-s2-3", "vit-n20000-s0-1", "vit-n20000-s2-3"]
    assert names(2 + start)[:2] == ["vit-n5000-s0", "vit-n5000-s1"]
    assert names(1)[:3] == ["vit-n5000-d500-s0", "vit-n5000-d4000-s0", "vit-n5000-d500-s1"]


def test_small_sizes_are_bundled():
    grid = {"params": [5000, 6000, 7000, 70_000], "images": [500], "seeds": [0]}
    found = packs_by_minutes(study(grid, 3, families=["vit"]), lambda _, target, images: target / 500)
    assert {name: len(pack.cells) for name, pack in found.items()} == {"vit-n5000-7000": 3, "vit-n70000": 1}


def test_several_cells_at_a_time_fit_more_into_a_job():
    grid = {"params": [5000], "images": [500], "seeds": list(range(64))}
    found = [len(packs_by_minutes(study(grid, 10, cores, ["vit"]), lambda *_: 60.0)) for cores in (1, 2, 8)]
    assert found == [8, 4, 1]


STUDY = """name: a
families: {mlp: }
grid: {params: [13000], images: [500]}
jobs:
  minutes: 10
  calibration: paces.json
"""


def problems(text: str, folder: Path) -> str:
    path = folder / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError) as error:
        open_study(path)
    return str(error.value)


def test_minutes_need_a_calibration_that_suits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, study_path = Path("paces.json"), tmp_path / "study.yaml"
    missing = problems(STUDY, tmp_path)
    assert "line 5: jobs.minutes: received 10; paces.json is not there: run `scaling calibrate" in missing
    assert open_study(study_path, calibrated=False).jobs.minutes == 10

    speeds = {"mlp 28x28x1 batch 64": Speed(Line(1e-4, 0.0))}
    write_calibration(Calibration("cuda", "bf16", "GPU", speeds), path)
    assert "paces.json is of cuda, bf16, GPU, the study asks for device: cpu" in problems(STUDY + "device: cpu\n", tmp_path)
    assert "paces.json says nothing of mlp" in problems(STUDY + "recipe: {batch: 32}\n", tmp_path)
    path.write_text("{}")
    assert "paces.json: not a calibration" in problems(STUDY, tmp_path)
    write_calibration(Calibration("cpu", "fp32", "CPU", speeds), path)
    study_path.write_text(STUDY)
    assert list(packs_of(open_study(study_path), Layout("a"))) == ["mlp"]
    path.unlink()
    with pytest.raises(CalibrationError, match="is not there"):
        packs_of(Study.model_validate({"name": "a", "families": {"mlp": None}, "grid": {"params": [13000], "images": [500]},
                                       "jobs": {"minutes": 5, "calibration": "paces.json"}}), Layout("a"))  # fmt: skip


def test_a_job_has_one_size(tmp_path):
    said = problems(STUDY.replace("minutes: 10", "minutes: 10\n  pack: size"), tmp_path)
    assert "jobs.minutes: received 10; a job's size is given twice, by pack: size and by minutes" in said
    assert "jobs.minutes: received 0.5" in problems(STUDY.replace("minutes: 10", "minutes: 0.5"), tmp_path)


def test_a_family_may_not_have_the_name_of_anothers_pack(tmp_path):
    names = "families: {mlp: , mlp-n13000: {model: mlp}}"
    said = problems(STUDY.replace("families: {mlp: }", names).replace("minutes: 10", "pack: size"), tmp_path)
    assert "families.mlp-n13000: the jobs of mlp have such names" in said
