"""Edits that can change a result change a fingerprint; edits that cannot leave it as it is."""

import shutil

import pytest

from scaling.runs.deciding_code import PACKAGE, STOPS, TELLING_KEYWORDS, TRAINING
from scaling.runs.fingerprint import Code, CodeError

FAMILIES = ("mlp", "alexnet", "vgg", "googlenet", "plain", "resnet", "vit", "swin")


@pytest.fixture
def edited(tmp_path):
    """A function that edits a copy of the package and says whose fingerprints changed: families, or the training loop."""

    def fingerprints(package):
        code = Code(package, STOPS, TELLING_KEYWORDS)
        found = {family: code.fingerprint([f"scaling.models.{family}:family"]) for family in FAMILIES}
        return found | {"training": code.fingerprint(TRAINING)}

    before = fingerprints(PACKAGE)
    copy = tmp_path / "scaling"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.npz", "__pycache__"))

    def edit(file, old, new):
        path = copy / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        now = fingerprints(copy)
        return {name for name in now if now[name] != before[name]}

    return edit


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        ("models/vit.py", "PATCH = 7", "PATCH = 14", {"vit"}),
        ("models/vit.py", 'global_pool="avg"', 'global_pool="max"', {"vit"}),
        ("models/transformer.py", "** -0.5", "** -0.4", {"vit", "swin"}),
        ("training/schedule.py", "math.cos(", "math.sin(", {"training"}),
        ("data/augment.py", "flip", "mirror", {"training"}),
        ("study/recipe.py", "math.ceil(self.images_seen(images) / self.batch)", "self.images_seen(images)", {"training"}),
    ],
)
def test_an_edit_that_can_change_a_result_touches_exactly_the_runs_that_it_can_change(edited, file, old, new, touched):
    assert edited(file, old, new) == touched


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models/vit.py", "PATCH = 7", "# the side of a patch\nPATCH   =   7"),
        ("models/vit.py", "PATCH", "SIDE_OF_PATCH"),
        ("models/vit.py", "channels; dropout where the paper has it", "channels"),
        ("models/vit.py", "model", "net"),
        ("models/vit.py", "arXiv:2010.11929", "arXiv 2010.11929"),
        ("models/family.py", "it must be positive and finite", "allowed: above 0"),
        ("training/schedule.py", "rise", "warm"),
        ("training/schedule.py", "step: int, steps: int", "step, steps"),
        ("runs/lease.py", "HEARTBEAT_SECONDS: Final = 10.0", "HEARTBEAT_SECONDS: Final = 20.0"),
        ("study/recipe.py", "images a step", "images per step"),
    ],
)
def test_an_edit_of_names_comments_messages_or_layout_touches_nothing(edited, file, old, new):
    if (old, new) == ("model", "net"):
        old, new = "model = Vision", "net = Vision"
        assert edited(file, "(model)\n    return model", "(net)\n    return net")  # half of a renaming is an edit
    assert edited(file, old, new) == set()


def test_code_that_cannot_be_parsed_is_named_with_its_line(tmp_path):
    package = tmp_path / "scaling"
    package.mkdir()
    (package / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(CodeError, match=r"broken\.py: line 2"):
        Code(package).fingerprint(["scaling.broken:f"])
