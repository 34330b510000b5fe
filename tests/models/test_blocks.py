import pytest
import torch
from torch import nn

from scaling.models import ImageSpec, build
from scaling.models.blocks import blocks_of
from scaling.models.family import Regularisation
from scaling.models.timm_family import Enlarged


def named(model):
    names = {parameter: name for name, parameter in model.named_parameters()}
    return [{names[parameter] for parameter in block} for block in blocks_of(model)]


@pytest.mark.parametrize(
    ("family", "width", "blocks", "first", "last"),
    [
        ("mlp", 16, 3, "1.weight", "7.weight"),
        ("alexnet", 6, 8, "features.0.weight", "classifier.8.weight"),
        ("vgg", 4, 7, "features.1.bias", "head.fc.weight"),  # a batch norm is of its convolution's block
        ("googlenet", 6, 6, "stem.0.weight", "classifier.3.weight"),
        ("resnet", 4, 5, "stem.0.weight", "classifier.weight"),
        ("vit", 8, 5, "pos_embed", "head.weight"),
        ("swin", 8, 5, "patch_embed.proj.weight", "head.fc.weight"),
        ("convnext", 4, 7, "stem.0.weight", "classifier.weight"),
    ],
)
def test_each_parameter_is_in_one_block_from_the_images_to_the_classifier(family, width, blocks, first, last):
    image = ImageSpec(28, 1, 10)
    depth = {"mlp": 2, "alexnet": 8, "vgg": 2, "googlenet": 4, "vit": 3}.get(family, 1)
    model = build(family, width, depth, image, Regularisation())
    found = named(model)
    assert len(found) == blocks
    assert sorted(name for block in found for name in block) == sorted(name for name, _ in model.named_parameters())
    assert first in found[0]
    assert last in found[-1]


def test_heads_of_googlenet_belong_to_their_modules():
    found = named(build("googlenet", 6, 4, ImageSpec(28, 1, 10), Regularisation()))
    assert {"inceptions.3b.pool.weight", "auxiliary.3b.5.bias"} <= found[2]


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 4))
        self.norm = nn.LayerNorm(4)
        self.body = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)) for _ in range(2))
        self.head = nn.Linear(4, 2)


def test_a_model_without_a_rule_of_its_own_has_the_blocks_of_its_sequences():
    expected = [
        {"positions", "norm.weight", "norm.bias"},
        {f"body.0.{name}" for name in ("0.weight", "0.bias", "1.weight", "1.bias")},
        {f"body.1.{name}" for name in ("0.weight", "0.bias", "1.weight", "1.bias")},
        {"head.weight", "head.bias"},
    ]
    assert named(Own()) == expected
    assert len(blocks_of(Enlarged(Own(), 32))) == 4  # what is around a model is no block


def test_a_model_may_say_its_order_as_timms_do():
    model = Own()
    model.group_matcher = lambda coarse: {"head": r"^head", "rest": r"."}  # pyright: ignore
    assert [len(block) for block in blocks_of(model)] == [2, 11]
