import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.models import ImageSpec, build
from scaling.models.alexnet import LocalResponseNorm
from scaling.models.googlenet import Inception
from scaling.models.transformer import PaddedPatchEmbed


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.floats(0.1, 100), st.booleans())
def test_local_response_norm_is_torchs(count: int, side: int, scale: float, channels_last: bool):
    x = scale * torch.randn(2, count, side, side)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    expected = F.local_response_norm(x, size=5, alpha=5e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(LocalResponseNorm()(x), expected)


def test_local_response_norm_keeps_its_sum_in_bfloat16():
    x = 100 * torch.randn(4, 16, 3, 3, generator=torch.Generator().manual_seed(0))
    found = LocalResponseNorm()(x.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), LocalResponseNorm()(x.bfloat16().float()), rtol=2**-7, atol=0)
    assert (found.float() / x.bfloat16().float()).std() > 0.01  # not one factor for all


def test_inception_is_its_four_branches():
    torch.manual_seed(0)
    module = Inception(5, one=4, reduce3=3, three=6, reduce5=2, five=3, pool=2).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 5, 7, 7)
    norm, norm_reduced = module.activate[0], module.activate_reduced[0]

    def activated(y: torch.Tensor, layer: torch.nn.BatchNorm2d, start: int) -> torch.Tensor:
        part = slice(start, start + y.shape[1])
        return F.relu(F.batch_norm(y, layer.running_mean[part], layer.running_var[part], layer.weight[part], layer.bias[part]))

    one, reduce3, reduce5 = module.pointwise.weight.split((4, 3, 2))
    branches = (
        activated(F.conv2d(x, one), norm, 0),
        activated(F.conv2d(activated(F.conv2d(x, reduce3), norm_reduced, 0), module.three.weight, padding=1), norm, 4),
        activated(F.conv2d(activated(F.conv2d(x, reduce5), norm_reduced, 3), module.five.weight, padding=2), norm, 10),
        activated(F.conv2d(F.max_pool2d(x, 3, 1, 1), module.pool.weight), norm, 13),
    )
    with torch.no_grad():
        torch.testing.assert_close(module(x), torch.cat(branches, dim=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("side", "padded"), [(28, 28), (32, 35), (37, 42)])
def test_patches_of_a_padded_image_are_those_of_the_image_amid_zeros(side: int, padded: int):
    embed = PaddedPatchEmbed(padded, patch_size=7, in_chans=1, embed_dim=3)
    image = torch.randn(1, 1, side, side)
    amid = torch.zeros(1, 1, padded, padded)
    start = (padded - side) // 2
    amid[..., start : start + side, start : start + side] = image
    torch.testing.assert_close(embed(image), embed.proj(amid).flatten(2).transpose(1, 2))


def patches_seen(model: torch.nn.Module, row: int, column: int) -> torch.Tensor:
    """Which of the 8 x 8 patches the first stage's output at one place depends on."""
    features = torch.randn(1, 8, 8, model.embed_dim, requires_grad=True)
    model.layers[0](features)[0, row, column].sum().backward()
    weight = features.grad[0].abs().sum(-1)
    return weight > 1e-12 * weight.max()  # a mask of -100 leaves exp(-100)


def test_the_windows_of_swin_shift_at_28_pixels():
    torch.manual_seed(0)
    model = build("swin", 16, 1, ImageSpec(28, 1, 10)).eval()
    still, shifted = model.layers[0].blocks
    assert (still.window_size, still.shift_size, still.attn_mask) == ((4, 4), (0, 0), None)
    assert (shifted.window_size, shifted.shift_size) == ((4, 4), (2, 2))
    assert (shifted.attn_mask < -50).any()  # patches that the cyclic shift brought together do not see each other

    assert patches_seen(model, 3, 3).all()  # a shifted window holds parts of all four still ones
    corner = patches_seen(model, 0, 0)
    assert corner[:4, :4].all()
    assert not corner[4:].any()  # masked, not wrapped around
    assert not corner[:, 4:].any()

    shifted.shift_size, shifted.attn_mask = (0, 0), None
    unshifted = patches_seen(model, 3, 3)
    assert unshifted[:4, :4].all()
    assert unshifted.sum() == 16
