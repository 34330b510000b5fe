import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scaling.models import ImageSpec, Ladders, Regularisation, SizeError, build
from scaling.models.counting import count_params
from scaling.models.outside import identity
from scaling.models.own_files import local_files

GREY = ImageSpec(28, 1, 10)
MODEL = """
from torch import nn
from parts import hidden

def mine(width, depth, image, dropout=0.0, bias=True):
    pixels = image.channels * image.side**2
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, width, bias), nn.Dropout(dropout), *hidden(width, depth),
                         nn.Linear(width, image.classes))
"""
PARTS = """
from torch import nn

def hidden(width, depth):
    return [nn.Linear(width, width) for _ in range(depth)]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_models.py").write_text(MODEL)
    (tmp_path / "parts.py").write_text(PARTS)
    return tmp_path


def mine(folder: Path) -> str:
    return f"{folder / 'my_models.py'}:mine"


def test_its_sizes_are_found_and_met(folder: Path):
    ladders = Ladders(folder / "ladders.json")
    smallest, largest = ladders.range(mine(folder), GREY)
    assert smallest == 784 + 1 + 2 + 20
    assert largest > 100_000_000
    rung = ladders.rung(mine(folder), 50_000, GREY)
    net = build(mine(folder), rung.width, rung.depth, GREY)
    assert (rung.within, rung.depth, count_params(net)) == (True, 1, rung.params)
    assert ladders.rung(mine(folder), 1_000_000, GREY).depth == 2


def test_a_size_that_is_known_is_served_without_torch_until_a_file_changes(folder: Path):
    name, cache = mine(folder), folder / "ladders.json"
    rung = Ladders(cache).rung(name, 50_000, GREY)
    code = (
        "import sys; from pathlib import Path; from scaling.models import ImageSpec, Ladders\n"
        f"print(Ladders(Path({str(cache)!r})).rung({name!r}, 50_000, ImageSpec(28, 1, 10)).params)\n"
        "assert 'torch' not in sys.modules"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(rung.params)]
    (folder / "parts.py").write_text(PARTS.replace("range(depth)", "range(2 * depth)"))
    narrower = Ladders(cache).rung(name, 50_000, GREY)
    assert narrower.width < rung.width


def test_rates_and_options_are_handed_over(folder: Path):
    net = build(mine(folder), 8, 1, GREY, Regularisation(dropout=0.25), options=[("bias", False)])
    assert (net[2].p, net[1].bias) == (0.25, None)
    with pytest.raises(ValueError, match=r"mine takes no stochastic_depth, which the recipe says is 0\.1"):
        build(mine(folder), 8, 1, GREY, Regularisation(stochastic_depth=0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("return nn.Sequential(", "return nn.Seqential("),
            r"my_models.py: line 7: AttributeError: .*Seqential.*called as mine\(width=1.*docs/own_models.md",
        ),
        (("image.classes)", "image.classes + 1)"), r"gives \[2, 11\] for 2 28x28x1 images .* must give logits, \[2, 10\]"),
        (("nn.Flatten()", "nn.Identity()"), "does not take 28x28x1 images of 10 classes: .*RuntimeError"),
        (("    return nn.Seq", "    return 3\n    nn.Seq"), "mine returned a int; it must return a torch.nn.Module"),
        (("width, depth, image", "width, image"), "unexpected keyword argument 'depth'"),
        (("pixels =", "pixels = = "), "my_models.py: line 6: invalid syntax"),
        (("from parts", "from prats"), "my_models.py: line 3: ModuleNotFoundError: No module named 'prats'"),
        (("def mine", "def my"), "defines no mine"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(folder: Path, change: tuple[str, str], message: str):
    text = MODEL.replace(*change)
    assert text != MODEL
    (folder / "my_models.py").write_text(text)
    with pytest.raises(SizeError, match=message) as refused:
        Ladders(folder / "ladders.json").range(mine(folder), GREY)
    assert "\n" not in str(refused.value)


def test_a_width_that_changes_nothing_is_refused(folder: Path):
    (folder / "my_models.py").write_text(MODEL.replace("    pixels", "    width = 9\n    pixels"))
    with pytest.raises(SizeError, match="it must rise with the width"):
        Ladders(folder / "ladders.json").range(mine(folder), GREY)


def test_a_model_that_looks_at_values_is_built_with_them(folder: Path):
    looks = MODEL.replace(
        "    pixels", "    rates = [rate.item() for rate in __import__('torch').linspace(0, 1, depth)]\n    pixels"
    )
    (folder / "my_models.py").write_text(looks)
    ladders = Ladders(folder / "ladders.json")
    assert 1_000_000 < ladders.range(mine(folder), GREY)[1] <= 20_000_000
    assert ladders.rung(mine(folder), 50_000, GREY).within


def test_modules_beside_it_are_its_own(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other")
    (other / "my_models.py").write_text(MODEL)
    (other / "parts.py").write_text(PARTS.replace("range(depth)", "range(depth + 3)"))
    counts = [len(build(mine(place), 8, 1, GREY)) for place in (folder, other, folder)]
    assert counts == [5, 8, 5]
    assert {path.name for path in local_files(folder / "my_models.py")} == {"my_models.py", "parts.py"}


def test_keys_call_it_by_its_name_alone(folder: Path):
    assert identity(mine(folder)) == identity("elsewhere/my_models.py:mine") == "own:mine"
    assert identity("timm/convnext") == "timm/convnext"
    assert identity("vit") == "vit"


def test_the_same_seed_gives_the_same_model(folder: Path):
    def weights() -> list[torch.Tensor]:
        torch.manual_seed(3)
        return list(build(mine(folder), 8, 1, GREY).state_dict().values())

    assert all(torch.equal(one, other) for one, other in zip(weights(), weights(), strict=True))
