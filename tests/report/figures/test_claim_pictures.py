"""The pictures of claims about images show what the nets and the probes do."""

import numpy as np
import pytest
import torch

from scaling.models import swin, vit
from scaling.report.figures.patches_and_windows import SWIN_PATCH, VIT_PATCH, WINDOW, padded
from scaling.report.figures.shifted_images import CROPS, FAR, NEAR, cropped, cut, moved
from scaling.report.figures.window_reach import reached
from scaling.report.gallery import OF_CLAIMS
from scaling.report.inline_svg import inline_svg
from scaling.training.probes import shift

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 1, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize("by", [NEAR, FAR])
def test_shifts_and_cuts_are_those_of_the_probe(by: int):
    probed = torch.from_numpy(IMAGES)
    assert by in shift.DISTANCES
    assert np.array_equal(moved(IMAGES[0], by, by), shift.moved(probed, by, by)[0].numpy())
    assert np.array_equal(cut(IMAGES[0], by, by), shift.cut(probed, by, by)[0].numpy())


def test_crops_are_those_of_the_probe_up_to_rounding():
    assert CROPS == shift.CROPS
    for share in CROPS:
        probed = shift.cropped(torch.from_numpy(IMAGES), share)[0].numpy()
        assert np.abs(cropped(IMAGES[0], share).astype(int) - probed).max() <= 1


def test_patches_and_windows_are_those_of_the_nets():
    assert (VIT_PATCH, SWIN_PATCH, WINDOW) == (vit.PATCH, swin.PATCH, swin.WINDOW)


def test_a_position_sees_its_own_window_and_with_a_shift_all_that_touch_it():
    half = WINDOW // 2
    assert reached(8, (0, half)).all()
    still = reached(8, (0, 0))
    assert still.sum() == WINDOW**2
    assert still[4:, 4:].all()
    # On a larger image the reach ends: two windows across, of three.
    assert reached(16, (0, half)).mean() == (2 * WINDOW / 16) ** 2


@pytest.mark.parametrize("claim", ["shifts-and-crops", "cost-of-windows", "shifted-windows"])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_is_drawn_where_images_are_prepared_and_only_there(claim: str, channels: int):
    own = OF_CLAIMS[claim]
    figure = own.draw([], np.repeat(IMAGES, channels, axis=1))
    assert "image/png" in inline_svg(figure, "picture", own.title)
    assert own.draw([], None) is None


def test_padding_is_on_all_sides():
    whole = padded(np.ones((1, 28, 28), np.uint8), 16)
    assert whole.shape == (1, 32, 32)
    assert np.flatnonzero(whole[0, 16])[[0, -1]].tolist() == [2, 29]
