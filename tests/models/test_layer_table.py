import pytest
import torch
from torch import nn

from scaling.models import get_family
from scaling.models.architecture import Architecture
from scaling.models.counting import count_params, sketch
from scaling.models.family import ImageSpec, Regularisation
from scaling.models.ladder import Ladders
from scaling.models.layer_table import Layer, described, folded
from scaling.models.registry import FAMILIES

IMAGE = ImageSpec(32, 3, 100)


def small(name: str) -> nn.Module:
    family = get_family(name)
    width = family.widths[0]
    return sketch(lambda: family.build(width, family.depth(width), IMAGE, Regularisation()))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_layers_of_every_family_hold_all_its_weights(name):
    model = small(name)
    found = described(model, IMAGE)
    assert sum(layer.params * layer.times for layer in found.layers) == count_params(model)
    assert found.layers[-1].shape == (100,)
    assert all(layer.shape for layer in found.layers)
    assert found.outline.startswith("3×32×32 → ")
    assert found.outline.endswith(" 100")


def test_equal_blocks_in_a_row_are_folded_and_others_are_not():
    block = [("norm", 8), ("linear", 72)]
    rows = [Layer(f"blocks.{place}.{name}", "L", (9, 8), params) for place in range(3) for name, params in block]
    rows += [Layer("blocks.3.norm", "L", (9, 8), 8), Layer("head", "Linear", (10,), 90)]
    assert folded(rows) == [
        Layer("blocks.0–2.norm", "L", (9, 8), 8, 3),
        Layer("blocks.0–2.linear", "L", (9, 8), 72, 3),
        Layer("blocks.3.norm", "L", (9, 8), 8),
        Layer("head", "Linear", (10,), 90),
    ]


class Unusual(nn.Module):
    """A shared layer, parameters of its own, and a layer whose parameters are used without calling it."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3, 1, 1))
        self.shared = nn.Linear(32, 32)
        self.again = self.shared
        self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
        self.last = nn.Linear(32, 100)
        self.frozen = nn.Linear(5, 5).requires_grad_(False)

    def forward(self, images):
        tokens = self.again(self.shared((images * self.scale).mean(1)))
        return self.last(self.attention(tokens, tokens, tokens)[0].mean(1))


def test_parameters_that_no_call_uses_are_listed_and_shared_ones_once():
    model = Unusual()
    found = described(model, IMAGE)
    assert sum(layer.params for layer in found.layers) == count_params(model)
    named = {layer.name: layer for layer in found.layers}
    assert named["scale"] == Layer("scale", "parameter", (3, 1, 1), 3)
    assert named["attention.in_proj_weight"].params == 3 * 32 * 32
    assert named["attention.out_proj"].shape == ()
    assert "frozen" not in named
    assert found.outline == "3×32×32 → shared 32×32 → last 100"
    assert not model.last._forward_hooks


def test_a_ladder_describes_timms_models_and_remembers(tmp_path, monkeypatch):
    made, ladders = Architecture("timm/resnet18"), Ladders(tmp_path / "ladders.json")
    found = ladders.description(made, 300_000, IMAGE)
    assert sum(layer["params"] * layer["times"] for layer in found["layers"]) == ladders.rung(made, 300_000, IMAGE).params
    assert found["outline"].endswith("fc 100")
    monkeypatch.setattr("scaling.models.ladder._described", None)  # would be called if it were not remembered
    assert Ladders(tmp_path / "ladders.json").description(made, 300_000, IMAGE)["layers"] == list(found["layers"])
