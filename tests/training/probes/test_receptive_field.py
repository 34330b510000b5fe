import pytest
import torch
from torch import nn

from scaling.models import ImageSpec, build, get_family
from scaling.models.registry import FAMILIES
from scaling.training.probes.receptive_field import pixel_influence, receptive_fields


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
