import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models.swin_transformer import SwinTransformerBlock
from torch import nn

from scaling.models import ImageSpec, Regularisation, build, get_family
from scaling.models.counting import count_params, forward_flop
from scaling.models.family import channels
from scaling.models.registry import FAMILIES
from scaling.models.transformer import block_size

GREY = ImageSpec(28, 1, 10)
IMAGES = [GREY, ImageSpec(32, 3, 100), ImageSpec(64, 3, 7), ImageSpec(37, 1, 3)]
RESIDUAL = {"resnet", "vit", "swin", "mixer", "convnext"}


def small(name: str, image: ImageSpec = GREY, regularisation: Regularisation | None = None, factor: float = 1) -> nn.Module:
    torch.manual_seed(0)
    family = get_family(name)
    width = factor * family.widths[0]
    return build(name, width, family.depth(width), image, regularisation)


def batch(image: ImageSpec, size: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    images = torch.randn(size, image.channels, image.side, image.side)
    return images, torch.randint(image.classes, (size,))


@pytest.mark.parametrize("image", IMAGES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_one_step_gives_every_parameter_a_finite_gradient(name: str, image: ImageSpec):
    model = small(name, image)
    images, labels = batch(image)
    output = model(images)
    logits, auxiliary = output if isinstance(output, tuple) else (output, ())
    assert len(auxiliary) == (2 if name == "googlenet" else 0)
    loss = sum(F.cross_entropy(each, labels) for each in (logits, *auxiliary))
    loss.backward()
    without = [key for key, parameter in model.named_parameters() if parameter.grad is None]
    assert not without
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    with torch.no_grad():
        assert model.eval()(images).shape == (4, image.classes)


@pytest.mark.parametrize("name", FAMILIES)
def test_loss_at_the_start_is_near_that_of_guessing(name: str):
    images, labels = batch(GREY, 64)
    model = small(name, factor=2)
    output = model(images)
    loss = F.cross_entropy(output[0] if isinstance(output, tuple) else output, labels)
    assert math.log(10) - 0.3 < loss < 2 * math.log(10)


@pytest.mark.parametrize("name", FAMILIES)
def test_channels_last_computes_the_same(name: str):
    model = small(name, factor=2).eval()
    images, _ = batch(GREY)
    with torch.no_grad():
        expected = model(images)
        last = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_gives_the_same_model(name: str):
    first, second = small(name).state_dict(), small(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", FAMILIES)
def test_no_strided_pointwise_convolution(name: str):
    # In channels_last with few channels its backward pass corrupts memory on CPUs.
    family = get_family(name)
    for _, depth in family.depths:
        model = build(name, 2 * family.widths[0], depth, GREY)
        layers = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
        assert not [layer for layer in layers if layer.kernel_size == (1, 1) and layer.stride != (1, 1)]


@pytest.mark.parametrize("name", FAMILIES)
def test_dropout_acts_while_training_only(name: str):
    images, _ = batch(GREY, 16)
    model = small(name, regularisation=Regularisation(dropout=0.5), factor=4)

    def logits() -> torch.Tensor:
        output = model(images)
        return output[0] if isinstance(output, tuple) else output

    assert not torch.equal(logits(), logits())
    model.eval()
    assert torch.equal(logits(), logits())
    model = small(name, factor=4)
    assert torch.equal(logits(), logits())


@pytest.mark.parametrize("name", sorted(RESIDUAL))
def test_stochastic_depth_acts_while_training_only(name: str):
    images, _ = batch(GREY, 64)
    model = small(name, regularisation=Regularisation(stochastic_depth=0.5), factor=2)
    for module in model.modules():  # a ResNet's blocks start as their shortcuts, with nothing to drop
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - RESIDUAL))
def test_stochastic_depth_is_refused_without_residual_branches(name: str):
    with pytest.raises(ValueError, match=rf"stochastic_depth of {name} is 0.1; .* must be 0"):
        small(name, regularisation=Regularisation(stochastic_depth=0.1))


def test_unknown_family_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match="no family is called 'vggg'; there are mlp, alexnet"):
        get_family("vggg")


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan, math.inf])
def test_width_must_be_positive_and_finite(width: float):
    with pytest.raises(ValueError, match=f"width of vgg is {width}"):
        build("vgg", width, 2, GREY)


@pytest.mark.parametrize(("name", "depth"), [("vgg", 0), ("alexnet", 9), ("googlenet", 5)])
def test_depths_that_a_family_does_not_have_are_refused(name: str, depth: int):
    with pytest.raises(ValueError, match=f"depth of {name} is {depth}"):
        build(name, 8, depth, GREY)


@pytest.mark.parametrize("sizes", [(27, 1, 10), (28, 0, 10), (28, 1, 1)])
def test_images_that_no_family_takes_are_refused(sizes: tuple[int, int, int]):
    with pytest.raises(ValueError, match=" is "):
        ImageSpec(*sizes)


@pytest.mark.parametrize("rate", [-0.1, 1.0, math.nan])
def test_rates_outside_their_range_are_refused(rate: float):
    with pytest.raises(ValueError, match=f"dropout is {rate}"):
        Regularisation(dropout=rate)


@settings(deadline=None)
@given(st.floats(0.01, 1000), st.floats(0.01, 50))
def test_channels_are_the_nearest_whole_number(width: float, multiplier: float):
    count = channels(width, multiplier)
    assert count == 1 if width * multiplier < 0.5 else abs(count - width * multiplier) <= 0.5 + 1e-9


@settings(deadline=None)
@given(st.floats(8, 600), st.sampled_from([32, 64]))
def test_a_block_keeps_its_number_of_weights_and_whole_heads(width: float, largest: int):
    size = block_size(width, largest)
    assert size.embedding % size.heads == 0
    assert 5 <= size.embedding / size.heads <= 1.5 * largest
    hidden = int(size.embedding * size.mlp_ratio)
    assert 2 <= hidden / size.embedding <= 7
    weights = 4 * size.embedding**2 + 2 * size.embedding * hidden
    assert abs(weights / (12 * width**2) - 1) < 0.02


def test_vit_of_the_paper_has_the_papers_sizes():
    tiny, small_ = block_size(192, 64), block_size(384, 64)
    assert (tiny.heads, tiny.embedding, int(192 * tiny.mlp_ratio)) == (3, 192, 768)
    assert (small_.heads, small_.embedding, int(384 * small_.mlp_ratio)) == (6, 384, 1536)


def test_parameters_by_hand():
    def conv_norm(*counts: int) -> int:
        return sum(9 * a * b + 2 * b for a, b in pairwise(counts))

    assert count_params(build("mlp", 16, 2, GREY)) == 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    head = 16 * 10 + 10
    vgg = conv_norm(1, 4, 4, 8, 8, 16, 16) + (4 + 4 + 8 + 8 + 16 + 16)  # timm's VGG keeps the biases before its norms
    assert count_params(build("vgg", 4, 2, GREY)) == vgg + head
    plain = conv_norm(1, 4, 4, 4, 8, 8, 16, 16) + head
    assert count_params(build("plain", 4, 1, GREY)) == plain
    shortcuts = 4 * 8 + 2 * 8 + 8 * 16 + 2 * 16
    assert count_params(build("resnet", 4, 1, GREY)) == plain + shortcuts
    block = 12 * 192**2 + 13 * 192
    vit = 12 * block + 49 * 192 + 192 + 16 * 192 + 2 * 192 + 192 * 10 + 10
    assert count_params(build("vit", 192, 12, GREY)) == vit
    alexnet = sum(
        (inputs + 1) * outputs
        for inputs, outputs in [
            (25, 96), (96 * 25, 256), (256 * 9, 384), (384 * 9, 384), (384 * 9, 256),
            (256 * 4, 1536), (1536, 1536), (1536, 10),
        ]
    )  # fmt: skip
    assert count_params(build("alexnet", 96, 8, GREY)) == alexnet


def test_googlenet_of_the_paper_has_its_modules_and_drops_its_auxiliary_heads_from_the_count():
    model = build("googlenet", 64, 9, ImageSpec(28, 3, 1000))
    outputs = [module.channels_out for module in model.inceptions.values()]
    assert outputs == [256, 480, 512, 512, 512, 528, 832, 832, 1024]  # table 1 of the paper
    everything = sum(parameter.numel() for parameter in model.parameters())
    auxiliary = sum(parameter.numel() for parameter in model.auxiliary.parameters())
    assert count_params(model) == everything - auxiliary
    assert 5.5e6 < count_params(model) < 7.5e6  # the table's rows sum to 6.8 million


@pytest.mark.parametrize(("name", "skips"), [("resnet", True), ("plain", False)])
def test_only_the_residual_net_has_skips(name: str, skips: bool):
    model = small(name, factor=2).eval()
    for block in model.blocks:
        nn.init.zeros_(block.conv2.weight)
    with torch.no_grad():
        logits = model(batch(GREY)[0])
    assert (logits.std(0).sum() > 1e-3) == skips


OPTIONED = [
    (name, option, value) for name, facts in FAMILIES.items() for option, values in facts.options.items() for value in values
]


@pytest.mark.parametrize(("name", "option", "value"), OPTIONED)
def test_the_usual_value_of_an_option_changes_nothing_and_another_something(name: str, option: str, value: object):
    images, _ = batch(GREY, 8)
    width = 3 * get_family(name).widths[0]

    def outputs(*options: tuple[str, object]) -> torch.Tensor:
        torch.manual_seed(0)
        model = build(name, width, get_family(name).depth(width), GREY, options=options)
        for module in model.modules():  # blocks that start as their shortcuts would hide what is in them
            if isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
        return model(images)

    assert torch.equal(outputs((option, value)), outputs()) == (value is FAMILIES[name].options[option][0])


@pytest.mark.parametrize(("name", "option", "value"), OPTIONED)
def test_a_net_with_an_option_learns_in_all_its_parameters(name: str, option: str, value: object):
    images, labels = batch(GREY)
    width = 2 * get_family(name).widths[0]
    model = build(name, width, get_family(name).depth(width), GREY, options=[(option, value)])
    F.cross_entropy(model(images), labels).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("name", ["plain", "resnet"])
def test_pools_in_place_of_strides_keep_parameters_and_flop(name: str):
    pooled, strided = (build(name, 8, 2, GREY, options=[("downsample", value)]) for value in ("pool", "stride"))
    assert count_params(pooled) == count_params(strided)
    assert forward_flop(pooled, GREY) == forward_flop(strided, GREY)
    assert sum(isinstance(module, nn.MaxPool2d) for module in pooled.modules()) == 2
    assert all(module.stride == (1, 1) for module in pooled.blocks.modules() if isinstance(module, nn.Conv2d))


@pytest.mark.parametrize("name", ["plain", "resnet"])
def test_a_deep_net_without_norms_starts_with_logits_of_ordinary_size(name: str):
    torch.manual_seed(0)
    model = build(name, 8, 9, GREY, options=[("norm", "none")])
    assert not [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        assert model(batch(GREY, 16)[0]).abs().max() < 30


def test_without_shifts_no_window_of_swin_moves():
    model = build("swin", 16, 2, GREY, options=[("shift", False)])
    blocks = [module for module in model.modules() if isinstance(module, SwinTransformerBlock)]
    assert len(blocks) == 4
    assert all(block.shift_size == (0, 0) and block.attn_mask is None for block in blocks)


@pytest.mark.parametrize(("options", "message"), [([("nrm", "none")], "no option nrm"), ([("norm", "layer")], "batch, none")])
def test_options_that_a_family_does_not_have_are_refused(options: list, message: str):
    with pytest.raises(ValueError, match=message):
        build("resnet", 8, 1, GREY, options=options)
