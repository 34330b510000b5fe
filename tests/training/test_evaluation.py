"""Errors of a model whose answers are known."""

import pytest
import torch
from torch import nn

from scaling.training.evaluation import Evaluation, balanced_error, evaluate


class Answers(nn.Module):
    """Its logits are the pixels of the first row: the brightest column is the likeliest class."""

    def forward(self, images):
        return images[:, 0, 0, :]


def evaluated(ranks: torch.Tensor, labels: torch.Tensor, classes: int, at_a_time: int = 250) -> Evaluation:
    """Each image's own class comes at its place in ``ranks`` [n], 0 the first, among ``classes`` likely classes."""
    brightness = torch.arange(classes - 1, -1, -1, dtype=torch.uint8)
    images = torch.zeros(len(labels), 1, classes, classes, dtype=torch.uint8)
    for image, rank, label in zip(images, ranks.tolist(), labels.tolist(), strict=True):
        order = [c for c in range(classes) if c != label]
        order.insert(rank, label)
        image[0, 0, order] = 8 * brightness
    one = torch.ones(1)
    return evaluate(Answers(), images, labels, 0 * one, one, channels_last=False, bf16=False, at_a_time=at_a_time)


@pytest.mark.parametrize("at_a_time", [7, 250])
def test_top_5_counts_the_five_likeliest_of_many_classes(at_a_time):
    labels = torch.arange(21).repeat(2)
    found = evaluated(torch.arange(42) % 7, labels, 21, at_a_time)
    assert found.error == pytest.approx(6 / 7)
    assert found.top5_error == pytest.approx(2 / 7)
    assert evaluated(torch.arange(20) % 7, torch.arange(20), 20).top5_error is None


def test_the_balanced_error_weighs_classes_alike_where_they_are_uneven():
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 2, 2])
    found = evaluated(torch.tensor([0, 0, 0, 0, 0, 1, 1, 1]), labels, 3)
    assert found.error == pytest.approx(3 / 8)
    assert found.balanced_error == pytest.approx((1 / 6 + 1) / 2)  # class 1 has no images
    assert balanced_error(torch.tensor([0.0, 1.0, 1.0, 0.0]), torch.tensor([0, 1, 1, 0])) is None
