import pytest
import torch
from torch import nn

from scaling.models import ImageSpec, build, get_family
from scaling.models.registry import FAMILIES
from scaling.training.probes.gradients import gradient_norms, pixel_influence, receptive_fields


def test_norms_are_those_of_the_weights_in_order_and_of_nothing_else():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 26 * 26, 3))
    net(torch.randn(4, 1, 28, 28)).square().sum().backward()
    norms = gradient_norms(net)
    assert [name for name, _ in norms] == ["0", "3"]
    assert norms[1][1] == pytest.approx(net[3].weight.grad.norm().item(), rel=1e-6)


def test_gradients_that_vanish_and_explode_are_seen():
    def chain(gain: float) -> list[float]:
        net = nn.Sequential(*[nn.Linear(4, 4, bias=False) for _ in range(10)])
        for layer in net:
            nn.init.orthogonal_(layer.weight, gain)
        net(torch.randn(32, 4)).sum().backward()
        return [value for _, value in gradient_norms(net)]

    # Signal and gradient are scaled alike, so the norm is the same at every depth of a chain, and gain^9 overall.
    small, one, large = chain(0.5), chain(1.0), chain(2.0)
    assert small[0] < 0.01 * one[0] < 1e-4 * large[0]


@pytest.mark.parametrize("side", [1, 3, 5])
def test_the_field_of_a_convolution_is_its_kernel(side):
    net = nn.Sequential(nn.Conv2d(1, 2, side, padding=side // 2))
    influence, positions = pixel_influence(net, "0", "nchw", torch.randn(3, 1, 9, 9))
    assert positions == 81
    assert int((influence > 0).sum()) == side**2
    assert influence[4, 4] > 0


def test_stacked_convolutions_see_further():
    net = nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1) for _ in range(3)])
    influence, _ = pixel_influence(net, "2", "nchw", torch.randn(3, 1, 15, 15))
    assert int((influence > 0).sum()) == 49


@pytest.mark.parametrize("family", [name for name, facts in FAMILIES.items() if facts.maps])
def test_every_family_with_positions_has_a_field_at_each_of_its_maps(family):
    width = 2 * get_family(family).widths[0]
    model = build(family, width, get_family(family).depth(width), ImageSpec(28, 1, 10))
    rows = receptive_fields(model, family, torch.randn(4, 1, 28, 28))
    assert {row["label"] for row in rows} == {place for place, _ in FAMILIES[family].maps}
    for row in rows:
        assert 0 < row["value"] <= 1
        assert row["x"] > 1


def test_maps_are_named_for_every_family_but_the_mlp():
    assert {name for name, facts in FAMILIES.items() if not facts.maps} == {"mlp"}
    assert receptive_fields(build("mlp", 16, 2, ImageSpec(28, 1, 10)), "mlp", torch.randn(1, 1, 28, 28)) == []


def test_windows_bound_what_a_swin_block_sees_and_shifting_them_opens_them():
    model = build("swin", 16, 1, ImageSpec(64, 1, 10))  # 16 x 16 patches of 4 pixels, windows of 4 x 4 patches
    images = torch.randn(4, 1, 64, 64)

    def seen(place: str) -> float:
        return (pixel_influence(model, place, "nhwc", images)[0] > 0).double().mean().item()

    assert seen("layers.0.blocks.0") == pytest.approx(1 / 16)  # one window
    assert seen("layers.0.blocks.1") == pytest.approx(4 / 16)  # a shifted window straddles four
    still = model.layers[0].blocks[1]
    still.shift_size, still.attn_mask = (0, 0), None
    assert seen("layers.0.blocks.1") == pytest.approx(1 / 16)


def test_every_token_of_a_vit_sees_all():
    rows = receptive_fields(build("vit", 16, 3, ImageSpec(28, 1, 10)), "vit", torch.randn(4, 1, 28, 28))
    assert rows[0]["value"] == 1.0
