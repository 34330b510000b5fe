from pathlib import Path

import pytest

from scaling.jobs.opening import open_study
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


def test_depths_and_anchors_that_an_arm_does_not_have(tmp_path, ladders):
    deep = "families: {deep: {model: plain, depth: 9, params: [40000]}, goo: {model: googlenet, depth: 5}}"
    found = errors(tmp_path, ladders, GOOD.replace("families: {vit: }", deep))
    assert "families.goo.depth: depth of googlenet is 5; allowed are 4, 7, 9 modules" in found[0]
    found = errors(tmp_path, ladders, GOOD.replace("families: {vit: }", deep.split(", goo")[0] + "}"))
    assert len(found) == 1
    assert "families.deep.recipe.anchors.params: plain depth=9 cannot have 5,000 parameters" in found[0]


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
