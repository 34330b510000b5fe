import math

import pytest
import torch

from scaling.models import ImageSpec, build
from scaling.training.objectives.dino import ANSWERS, COLLAPSED, SelfDistillation, draw_view, view
from scaling.training.streams import generator


@pytest.fixture
def pair() -> SelfDistillation:
    torch.manual_seed(0)
    return SelfDistillation(build("vit", 16.0, 2, ImageSpec(28, 1, 10)))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(64, 1, 28, 28, generator=generator(0, "test"))


def test_the_teacher_gets_no_gradient_and_the_student_does(pair, images):
    pair.loss(images, images.flip(3)).backward()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in pair.teacher.parameters())
    idle = {name for name, parameter in pair.student.named_parameters() if parameter.grad is None}
    assert idle == {"encoder.head.weight", "encoder.head.bias"}


def test_the_teacher_is_the_students_moving_average(pair, images):
    before = [parameter.clone() for parameter in pair.teacher.parameters()]
    with torch.no_grad():
        for parameter in pair.student.parameters():
            parameter += 1.0
    pair.loss(images, images)
    pair.follow(0.0)
    for old, new, student in zip(before, pair.teacher.parameters(), pair.student.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.01 * (student - old))
    pair.loss(images, images)
    last = [parameter.clone() for parameter in pair.teacher.parameters()]
    pair.follow(1.0)  # at the end it stands still
    assert all(torch.equal(a, b) for a, b in zip(last, pair.teacher.parameters(), strict=True))


def test_the_centre_moves_to_the_mean_answer(pair, images):
    pair.loss(images, images)
    with torch.no_grad():
        mean = pair.teacher(images).mean(0)
    pair.follow(0.5)
    torch.testing.assert_close(pair.centre, 0.1 * mean)


def test_views_are_crossed(pair, images, monkeypatch):
    # A student that answers as the teacher does, view by view, has a higher loss than one that answers as to the other view.
    answers = {1.0: torch.eye(ANSWERS)[:1], 2.0: torch.eye(ANSWERS)[1:2]}
    first, second = torch.full((1, 1, 28, 28), 1.0), torch.full((1, 1, 28, 28), 2.0)

    def answering(swap):
        return lambda views: torch.cat([answers[3 - v[0, 0, 0].item() if swap else v[0, 0, 0].item()] for v in views])

    monkeypatch.setattr(pair.teacher, "forward", answering(False))
    losses = []
    for swap in (False, True):
        monkeypatch.setattr(pair.student, "forward", answering(swap))
        losses.append(pair.loss(first, second).item())
    assert losses[1] < losses[0]


@pytest.mark.parametrize("kind", ["sharp", "uniform"])
def test_collapse_is_seen_in_what_the_answers_tell(pair, images, kind, monkeypatch):
    same = torch.zeros(ANSWERS)
    same[3] = 1.0 if kind == "sharp" else 0.0
    monkeypatch.setattr(pair.teacher, "forward", lambda given: same.expand(len(given), -1))
    entropy, information = pair.entropy([images[:40], images[40:]])
    assert information < COLLAPSED
    assert entropy == pytest.approx(0.0 if kind == "sharp" else math.log(ANSWERS), abs=1e-3)
    monkeypatch.setattr(pair.teacher, "forward", lambda given: torch.eye(ANSWERS)[: len(given)])
    assert pair.entropy([images])[1] == pytest.approx(math.log(64), rel=0.01)


def test_views_differ_from_image_to_image_and_repeat_with_their_draws():
    one = torch.rand(1, 1, 28, 28, generator=generator(1, "test")).expand(8, -1, -1, -1)
    first, again = view(one, draw_view(8, generator(0, "v"))), view(one, draw_view(8, generator(0, "v")))
    assert torch.equal(first, again)
    assert first.shape == one.shape
    assert len({tuple(image.flatten().tolist()) for image in first}) == 8
    assert not torch.equal(first, view(one, draw_view(8, generator(1, "v"))))
