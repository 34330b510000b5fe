from pathlib import Path

import pytest

from scaling.runs.fingerprint import CodeError
from scaling.runs.own_code import own_fingerprint

MODEL = '''
"""A model."""
from layers import stack
from sizes.hidden import FACTOR
from torch import nn

def helper(width):
    return FACTOR * width

def mine(width, depth, image):
    # a comment
    return nn.Sequential(nn.Flatten(), *stack(helper(width), depth))

def another(width):
    return 1
'''
LAYERS = '''
from torch import nn

def stack(width, depth):
    """Layers."""
    return [nn.Linear(width, width) for _ in range(depth)]

def unused():
    return 1
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sizes").mkdir()
    files = {"my.py": MODEL, "layers.py": LAYERS, "sizes/__init__.py": "", "sizes/hidden.py": "FACTOR = 2\n", "loose.py": "1 +"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def after(folder: Path, file: str, old: str, new: str) -> str:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return own_fingerprint(folder / "my.py", "mine")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("my.py", "# a comment", "# another"),
        ("my.py", "A model.", "A net."),
        ("my.py", "return 1", "return 2"),
        ("layers.py", "Layers.", "Some layers."),
        ("layers.py", "return 1", "return 2"),
        ("loose.py", "1 +", "2 +"),
    ],
)
def test_what_decides_nothing_changes_nothing(folder: Path, file: str, old: str, new: str):
    assert after(folder, file, old, new) == after(folder, file, new, old)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("my.py", "nn.Flatten()", "nn.Identity()"),
        ("my.py", "FACTOR * width", "FACTOR + width"),
        ("layers.py", "range(depth)", "range(depth + 1)"),
        ("sizes/hidden.py", "2", "3"),
    ],
)
def test_what_the_model_refers_to_changes_it(folder: Path, file: str, old: str, new: str):
    assert after(folder, file, old, new) != after(folder, file, new, old)


@pytest.mark.parametrize(
    "found",
    [
        "import layers\n",  # may be used by any name, or register something
        "import importlib\nlayers_ = importlib.import_module('layers')\n",
        "import sizes.more\n",
    ],
)
def test_what_may_be_reached_without_its_name_counts_as_a_whole(folder: Path, found: str):
    (folder / "sizes" / "__init__.py").unlink()
    (folder / "sizes" / "more.py").write_text("def unused():\n    return 1\n")
    (folder / "my.py").write_text(found + MODEL)
    file = "sizes/more.py" if "more" in found else "layers.py"
    assert after(folder, file, "return 1", "return 2") != after(folder, file, "return 2", "return 1")


def test_a_decorated_definition_may_register_itself(folder: Path):
    (folder / "my.py").write_text(
        MODEL.replace("def another", "@nets.append\ndef another").replace("def helper", "nets = []\n\ndef helper")
    )
    assert after(folder, "my.py", "return 1", "return 2") != after(folder, "my.py", "return 2", "return 1")


def test_the_place_changes_nothing(folder: Path):
    before = own_fingerprint(folder / "my.py", "mine")
    assert own_fingerprint(folder.rename(folder.parent / "moved") / "my.py", "mine") == before


def test_what_cannot_be_read_is_named(folder: Path):
    with pytest.raises(CodeError, match=r"my.py: defines no yours"):
        own_fingerprint(folder / "my.py", "yours")
    (folder / "layers.py").write_text("def stack(:\n")
    with pytest.raises(CodeError, match=r"layers.py: line 1: "):
        own_fingerprint(folder / "my.py", "mine")
    (folder / "layers.py").write_text(LAYERS)
    (folder / "my.py").write_text("from layers import *\n" + MODEL)
    with pytest.raises(CodeError, match=r"import \* hides"):
        own_fingerprint(folder / "my.py", "mine")
