from pathlib import Path

import pytest

from scaling.jobs.opening import open_study
from scaling.models.family import ImageSpec
from scaling.runs.grid import cells
from scaling.study.study_file import StudyError

GOOD = "name: a\nfamilies: {vit: }\ngrid: {params: [5000], images: [500]}\n"


def errors(tmp_path: Path, ladders, text: str) -> list[str]:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError) as caught:
        open_study(path, ladders)
    return str(caught.value).splitlines()


def test_good(tmp_path, ladders):
    path = tmp_path / "study.yaml"
    path.write_text(GOOD)
    assert open_study(path, ladders).name == "a"


def test_images_beyond_the_data(tmp_path, ladders):
    found = errors(tmp_path, ladders, GOOD.replace("[500]", "[500, 18001]"))
    assert len(found) == 1
    assert "line 3: grid.images[1]: received 18001; allowed: at most 18000" in found[0]


def test_size_outside_the_ladder_names_the_range(tmp_path, ladders):
    found = errors(tmp_path, ladders, GOOD.replace("[5000]", "[5]"))
    assert len(found) == 1
    assert "grid.params[0]: vit cannot have 5 parameters" in found[0]
    assert "allowed are" in found[0]


def test_errors_of_every_kind_at_once(tmp_path, ladders):
    text = GOOD.replace("{vit: }", "{vit: , resent: }").replace("[5000]", "[5]").replace("[500]", "[90000]")
    found = errors(tmp_path, ladders, text + "recipe: {batch: 0}\n")
    assert len(found) == 4
    assert all(line.startswith(str(tmp_path / "study.yaml")) for line in found)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("jobs: {gpus_per_run: 3}\n", "received 3; a batch of 64 images cannot be cut into so many equal slices"),
        ("device: cpu\njobs: {gpus_per_run: 2}\n", "received 2; with `device: cpu` allowed: 1"),
    ],
)
def test_several_gpus_per_run_that_cannot_be(tmp_path, ladders, more, message):
    (found,) = errors(tmp_path, ladders, GOOD + more)
    assert f"jobs.gpus_per_run: {message}" in found


def test_a_depth_that_cannot_be_built(tmp_path, ladders):
    found = errors(tmp_path, ladders, GOOD.replace("{vit: }", "{goo: {model: googlenet, depth: 5}}"))
    assert found == [f"{tmp_path}/study.yaml: line 2: families.goo.depth: depth of googlenet is 5; allowed are 4, 7, 9 modules"]


def test_anchors_that_an_arm_does_not_have_move_into_its_range(tmp_path, ladders):
    path = tmp_path / "study.yaml"
    path.write_text(GOOD.replace("families: {vit: }", "families: {deep: {model: plain, depth: 9, params: [40000]}}"))
    study = open_study(path, ladders)
    least, _ = ladders.range(study.architecture("deep"), ImageSpec(28, 1, 10))
    assert least > 5000
    smallest, largest = study.family_recipe("deep").anchors.params
    assert least <= smallest < 1.01 * least
    assert largest / smallest == pytest.approx(40_000 / 5000, rel=0.01)
    assert [(move.what, move.said) for move in study.moves("deep")] == [("anchors", (5000, 40_000))]


COLOUR = "data: {source: cifar100}\n"


def test_every_size_of_every_family_is_refused_at_once(tmp_path, ladders):
    families = "families:\n  mlp:\n  alexnet:\n    params: [9000, 60000]\n  vgg:\n"
    text = f"name: a\n{families}grid: {{params: [2000, 14000], images: [500]}}\n"
    found = errors(tmp_path, ladders, text + COLOUR)
    least = {name: ladders.range(name, ImageSpec(32, 3, 100))[0] for name in ("mlp", "alexnet", "vgg")}
    assert [line.split(": ", 1)[1].split("; ")[0] for line in found] == [
        "line 5: families.alexnet.params[0]: alexnet cannot have 9,000 parameters",
        "line 7: grid.params[0]: mlp cannot have 2,000 parameters",
        "line 7: grid.params[1]: mlp cannot have 14,000 parameters",
        "line 7: grid.params[0]: vgg cannot have 2,000 parameters",
    ]
    for line, family in zip(found, ("alexnet", "mlp", "mlp", "vgg"), strict=True):
        assert f"for 32x32x3 images of 100 classes allowed are {least[family]:,} to " in line
        assert f", nearest is {least[family]:,}" in line
    assert found[1].endswith("`out_of_range: move` under `grid` would give mlp 51,200, 358,000")


def test_of_many_sizes_twenty_lines_and_a_count(tmp_path, ladders):
    sizes = ", ".join(str(size) for size in range(100, 130))
    found = errors(tmp_path, ladders, GOOD.replace("[5000]", f"[{sizes}]"))
    assert len(found) == 21
    assert found[-1].endswith("and 10 more problems")


def test_sizes_move_where_the_study_asks_for_it(tmp_path, ladders):
    path = tmp_path / "study.yaml"
    grid = "grid: {params: [5000, 14000], images: [500], out_of_range: move, repeats: [{params: [5000], seeds: [7]}]}\n"
    path.write_text(f"name: a\nfamilies: {{mlp: , vgg: }}\n{grid}{COLOUR}")
    study = open_study(path, ladders)
    assert study.sizes("vgg") == [5000, 14_000]
    assert study.moves("vgg") == ()
    assert study.sizes("mlp") == [51_200, 143_000]
    assert {(cell.target, cell.seed) for cell in cells(study, "mlp")} == {(51_200, 0), (51_200, 7), (143_000, 0)}
    assert study.with_own_sizes() == []


def test_images_from_to_and_count_beyond_the_data(tmp_path, ladders):
    found = errors(tmp_path, ladders, GOOD.replace("[500]", "{from: 500, to: 50000, count: 3}"))
    assert found == [
        f"{tmp_path}/study.yaml: line 3: grid.images[2]: received 50000; allowed: at most 18000 "
        "(20000 training images less 2000 for validation)"
    ]


def test_runs_beside_the_grid_are_checked_like_those_of_it(tmp_path, ladders):
    rows = (
        "{family: vti, params: 5000, images: 500, seeds: [0]}",
        "{family: vit, params: 5, images: 500, seeds: [0]}",
        "{family: vit, params: 5000, images: 90000, seeds: [0]}",
    )
    found = [errors(tmp_path, ladders, GOOD.replace("[500]}", f"[500], added: [{row}]}}")) for row in rows]
    assert ['grid.added[0].family: received "vti"' in line for line in found[0]] == [True]
    assert ["grid.added[0].params: vit cannot have 5 parameters" in line for line in found[1]] == [True]
    assert ["grid.added[0].images: received 90000; allowed: at most 18000" in line for line in found[2]] == [True]


def test_images_of_an_arm_beyond_the_data(tmp_path, ladders):
    found = errors(tmp_path, ladders, GOOD.replace("vit: ", "vit: {images: [18001]}"))
    assert ["families.vit.images[0]: received 18001" in line for line in found] == [True]


def test_missing_folder_of_images(tmp_path, ladders):
    found = errors(tmp_path, ladders, GOOD + "data: {source: image-folder, side: 32, folder: nowhere}\n")
    assert len(found) == 1
    assert "nowhere" in found[0]


def test_sizes_at_which_nothing_can_be_timed(tmp_path, ladders):
    found = errors(tmp_path, ladders, GOOD + "benchmarks: {params: [24000, 5], transformer_params: 100}\n")
    assert "line 4: benchmarks.params[1]: vit cannot have 5 parameters" in found[0]
    assert "line 4: benchmarks.transformer_params: vit cannot have 100 parameters" in found[1]
