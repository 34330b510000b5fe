import subprocess
import sys
from pathlib import Path

import pytest

from scaling.models.architecture import Architecture
from scaling.models.outside import BY_DEPTH, BY_WIDTH
from scaling.study.check import checked_study
from scaling.study.schema import Study
from scaling.study.study_file import StudyError, parse, read_tree

OWN = "from torch import nn\n\ndef mine(width, depth, image):\n    pixels = image.channels * image.side**2\n"
OWN += "    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, width), nn.Linear(width, image.classes))\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "nets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(entry: str, name: str = "one", more: str = "") -> Path:
    path = Path("studies/study.yaml")
    path.write_text(f"name: a\nfamilies:\n  {name}: {entry}\ngrid: {{params: [20000], images: [500]}}\n{more}")
    return path


def said(entry: str, name: str = "one", more: str = "") -> Study:
    study, problems = parse(read_tree(written(entry, name, more)))
    assert study is not None, problems
    return study


def test_an_entry_may_be_timms_under_the_name_of_a_family(folder):
    study = said("{model: timm/convnext}", "convnext")
    assert study.architecture("convnext") == Architecture("timm/convnext")
    assert study.kind("convnext") == "convolutional"
    assert study.family_recipe("convnext").anchors.params == [5000, 40000]


def test_what_moves_is_part_of_the_architecture(folder):
    study = said(
        "{model: timm/convnext_tiny, width: {dims: [1, 2, 4, 8.0]}, depth: {depths: [1, 1, 3, 1]}, options: {patch_size: 2}}"
    )
    options = ((BY_DEPTH, '{"depths": [1, 1, 3, 1]}'), (BY_WIDTH, '{"dims": [1, 2, 4, 8]}'), ("patch_size", 2))
    assert study.architecture("one") == Architecture("timm/convnext_tiny", options)
    assert said("{model: timm/vit, depth: 2}").architecture("one").depth == 2


def test_a_file_of_ones_own_lies_beside_the_study(folder):
    study = said("{model: nets.py:mine, kind: fully-connected}")
    assert study.architecture("one").family == "studies/nets.py:mine"
    assert study.kind("one") == "fully-connected"
    assert said("{model: nets.py:mine}").kind("one") == "other"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "{model: timm/convnet}",
            'one.model: received "timm/convnet"; how it is scaled is not known: did you mean timm/convnext?',
        ),
        ("{model: timm/xcit_nano_12_p16_224}", "say by `width` which of its arguments move"),
        ("{model: vggg}", "timm/NAME or PATH.py:NAME; did you mean 'vgg'?"),
        ("{model: nets.py}", 'one.model: received "nets.py", allowed: '),
        ("{model: nets.py:mone}", "nets.py: defines no mone; did you mean 'mine'?"),
        ("{model: net.py:mine}", "there is no file studies/net.py; beside it are nets.py"),
        ("{model: vgg, kind: other}", 'one.kind: received "other"; vgg is convolutional'),
        ("{model: vgg, width: {dims: 1}}", 'one.width: received {"dims": 1}; vgg is no model of timm'),
        (
            "{model: nets.py:mine, depth: {depths: 1}}",
            'one.depth: received {"depths": 1}; studies/nets.py:mine is no model of timm',
        ),
        (
            "{model: timm/convnext, width: {dims: [1, -2]}}",
            "one.width.dims: received [1, -2]; must be a number above 0 and at most 1,000,000, or a list",
        ),
        (
            "{model: timm/convnext, recipe_name: historical}",
            "no paper's recipe is known of timm/convnext; allowed: recipe_name: modern",
        ),
        ("{model: timm/vit, pretrain: {objective: mae}}", "timm/vit cannot be pre-trained; allowed: vit"),
        ("{model: resnet}", "an entry called vgg is that family"),
    ],
)
def test_what_its_name_tells_is_wrong_is_said_without_torch(folder, entry: str, message: str):
    path = written(entry, "vgg" if entry == "{model: resnet}" else "one")
    _, problems = parse(read_tree(path))
    assert len(problems) == 1
    assert message in str(problems[0])
    assert str(problems[0]).startswith("line 3: families.")


def test_a_paper_recipe_for_all_is_refused_for_what_has_no_paper(folder):
    _, problems = parse(read_tree(written("{model: timm/vit}", more="recipe_name: historical\n")))
    assert ["no paper's recipe" in str(problem) for problem in problems] == [True]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "{model: timm/convnext, width: {dimz: [1, 2, 4, 8]}}",
            "one.model: timm/convnext takes no argument 'dimz'; did you mean 'dims'?",
        ),
        (
            "{model: nets.py:mine, params: [20]}",
            "one.params[0]: studies/nets.py:mine cannot have 20 parameters; for 28x28x1 images",
        ),
        (
            "{model: nets.py:mine, recipe: {dropout: 0.1}}",
            "one.recipe: studies/nets.py: mine takes no dropout, which the recipe says",
        ),
        (
            "{model: timm/densenet, recipe: {stochastic_depth: 0.1}}",
            "one.recipe: timm/densenet takes no argument 'drop_path_rate'",
        ),
        (
            "{model: vgg, recipe: {stochastic_depth: 0.1}}",
            "one.recipe: stochastic_depth of vgg is 0.1; without residual branches",
        ),
        (
            "{model: nets.py:mine, options: {norm: batch}}",
            "one.model: studies/nets.py: TypeError: mine() got an unexpected keyword",
        ),
    ],
)
def test_what_building_it_tells_is_wrong_is_said_before_any_job(folder, ladders, entry: str, message: str):
    with pytest.raises(StudyError) as refused:
        checked_study(written(entry), ladders)
    assert len(refused.value.problems) == 1
    assert message in str(refused.value)


def test_reading_a_study_imports_no_torch(folder):
    path = written("{model: nets.py:mine}")
    code = (
        "import sys; from pathlib import Path; from scaling.study.study_file import parse, read_tree\n"
        "from scaling.runs.grid import packs, pack_hash\n"
        f"study, _ = parse(read_tree(Path({str(path)!r})))\n"
        "print([pack_hash(study, pack) for pack in packs(study).values()])\n"
        "assert 'torch' not in sys.modules and 'timm' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
