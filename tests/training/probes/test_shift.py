import numpy as np
import pytest
import torch
from torch import nn

from scaling.training.probes.shift import CROPS, DIRECTIONS, DISTANCES, cropped, cut, moved, shift_rows


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (-3, 1), (4, -5), (-6, -6), (9, 9)])
def test_moving_is_padding_with_black_and_cutting(down, right):
    images = torch.randint(1, 256, (3, 2, 8, 8), dtype=torch.uint8)
    wide = np.zeros((3, 2, 28, 28), np.uint8)
    wide[..., 10 + down : 18 + down, 10 + right : 18 + right] = images.numpy()
    assert np.array_equal(moved(images, down, right).numpy(), wide[..., 10:18, 10:18])


def test_what_is_cut_stays_in_place():
    images = torch.randint(1, 256, (1, 1, 8, 8), dtype=torch.uint8)
    left = cut(images, 3, -2)
    assert torch.equal(left[..., :5, 2:], images[..., :5, 2:])
    assert left[..., 5:, :].sum() == 0
    assert left[..., :2].sum() == 0


def test_a_crop_is_the_middle_enlarged():
    images = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    images[..., 4:24, 4:24] = 200
    assert cropped(images, 20 / 28).min() == 200
    assert cropped(images, 1.0).equal(images)


def dots(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of 1 to 4 bright pixels, apart from each other and from the edges; how many is the class, less one."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
    labels = torch.randint(0, 4, (count,), generator=generator)
    places = torch.tensor([(r, c) for r in range(8, 20, 3) for c in range(8, 20, 3)])
    for image, label in zip(images, labels, strict=True):
        for row, column in places[torch.randperm(len(places), generator=generator)[: label + 1]]:
            image[0, row, column] = 255
    return images, labels


def mean_by_distance(rows, quantity):
    kept = [r for r in rows if r["quantity"] == quantity and r["label"] not in ("crop", "cut")]
    return [np.mean([r["value"] for r in kept if r["x"] == d]) for d in (0, *DISTANCES)]


def test_a_model_that_shifts_with_the_image_survives_and_one_that_knows_places_does_not():
    images, labels = dots(300)

    def count(batch: torch.Tensor) -> torch.Tensor:  # a sum over positions: no shift changes it
        return (batch.float() / 255).sum((1, 2, 3)).long().clamp(1, 4) - 1

    steady = shift_rows(count, images, labels)
    assert mean_by_distance(steady, "accuracy") == [1.0] * 7
    assert mean_by_distance(steady, "survival") == [1.0] * 7

    templates = {bytes(image.numpy()): label for image, label in zip(images, labels, strict=True)}

    def memorised(batch: torch.Tensor) -> torch.Tensor:  # knows each image at its place and nothing else
        return torch.stack([templates.get(bytes(image.numpy()), torch.tensor(0)) for image in batch])

    lost = shift_rows(memorised, images, labels)
    accuracy = mean_by_distance(lost, "accuracy")
    assert accuracy[0] == 1.0
    assert max(accuracy[1:]) < 0.45  # some of one dot, by the default
    assert mean_by_distance(lost, "survival")[1] == pytest.approx((labels == 0).double().mean().item(), abs=0.1)


def test_every_direction_crop_and_control_has_its_rows():
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    rows = shift_rows(lambda batch: batch[:, 0, 0, 0].long() % 3, images, torch.zeros(5).long())
    assert len(rows) == 2 * (1 + len(DISTANCES) * len(DIRECTIONS) + len(CROPS) + len(DIRECTIONS))
    assert sorted(r["x"] for r in rows if r["label"] == "crop") == [2.0, 2.0, 4.0, 4.0]


def test_a_convolution_with_a_sum_over_positions_survives_whole_shifts_of_its_stride():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images, labels = dots(50)
    rows = shift_rows(lambda batch: net(batch.float()).argmax(1), images, labels)
    assert mean_by_distance(rows, "survival") == [1.0] * 7
