import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from scaling.models import ImageSpec, build, get_family
from scaling.models.counting import count_params, forward_flop, sketch
from scaling.models.registry import FAMILIES

IMAGE = ImageSpec(28, 3, 10)
PIXELS = 28 * 28


class Attention(nn.Module):
    """Self-attention over the pixels of an image, without any projection."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = images.flatten(2).transpose(1, 2)[:, None]
        return F.scaled_dot_product_attention(tokens, tokens, tokens)


@pytest.mark.parametrize(
    ("model", "multiply_adds"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), PIXELS * 9 * 3 * 8),
        (nn.Conv2d(3, 8, 5, stride=2, padding=2), PIXELS // 4 * 25 * 3 * 8),
        (nn.Conv2d(3, 6, 3, padding=1, groups=3), PIXELS * 9 * 1 * 6),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * PIXELS, 7)), 3 * PIXELS * 7),
        (Attention(), 2 * PIXELS**2 * 3),  # Q K^T, and its product with V
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.GELU()), 0),
    ],
    ids=["convolution", "strided", "grouped", "linear", "attention", "uncounted"],
)
def test_flop_of_single_layers_by_hand(model: nn.Module, multiply_adds: int):
    assert forward_flop(model, IMAGE) == 2 * multiply_adds


@pytest.mark.parametrize(
    ("name", "giga_multiply_adds"),
    [("resnet50", 4.1), ("vit_small_patch16_224", 4.6), ("swin_tiny_patch4_window7_224", 4.5)],
)
def test_flop_of_published_models(name: str, giga_multiply_adds: float):
    model = sketch(lambda: timm.create_model(name))
    assert forward_flop(model, ImageSpec(224, 3, 1000)) / 2e9 == pytest.approx(giga_multiply_adds, rel=0.02)


def test_flop_of_vit_by_hand():
    tokens, width = 16, 192
    block = tokens * 12 * width**2 + 2 * tokens**2 * width
    expected = 12 * block + tokens * 49 * width + width * 10
    assert forward_flop(build("vit", width, 12, ImageSpec(28, 1, 10)), ImageSpec(28, 1, 10)) == 2 * expected


def test_flop_of_mlp_is_twice_its_weights():
    model = build("mlp", 16, 2, IMAGE)
    assert forward_flop(model, IMAGE) == 2 * sum(layer.weight.numel() for layer in model if isinstance(layer, nn.Linear))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sketch_counts_like_the_model_which_stays_as_it_is(name: str):
    family = get_family(name)
    width = 2 * family.widths[0]
    model = build(name, width, family.depth(width), IMAGE)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    drawn = sketch(lambda: build(name, width, family.depth(width), IMAGE))
    assert all(parameter.is_meta for parameter in drawn.parameters())
    assert count_params(drawn) == count_params(model)
    assert forward_flop(drawn, IMAGE) == forward_flop(model, IMAGE) > 0
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_parameters_that_are_frozen_do_not_count():
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    assert count_params(model) == 6
