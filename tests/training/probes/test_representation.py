import pytest
import torch

from scaling.models import ImageSpec, build
from scaling.training.probes import representation
from scaling.training.probes.representation import accuracies, features, linear_probe, neighbours, standardise
from scaling.training.streams import generator


def clusters(count: int, distance: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features around one centre a class, ``distance`` from the origin, and their labels."""
    draws = generator(seed, "clusters")
    labels = torch.arange(count) % 4
    return torch.randn(count, 6, generator=draws) + distance * torch.eye(6)[labels], labels


@pytest.mark.parametrize("predict", [neighbours, linear_probe])
def test_separate_classes_are_told_apart_and_equal_ones_are_guessed(predict):
    for distance, low, high in ((8.0, 0.98, 1.0), (0.0, 0.15, 0.35)):
        known, labels = clusters(200, distance)
        asked, truth = clusters(400, distance, seed=1)
        known, asked = standardise(known, asked)
        share = (predict(known, labels, asked, 4) == truth).float().mean().item()
        assert low <= share <= high


def test_the_scale_of_a_feature_is_of_no_account():
    known, labels = clusters(100, 2.0)
    asked, _ = clusters(50, 2.0, seed=1)
    scale = torch.tensor([1e3, 1.0, 1e-3, 5.0, 1.0, 1.0])
    first = neighbours(*standardise(known, asked)[:1], labels, standardise(known, asked)[1], 4)
    scaled = standardise(known * scale + 3, asked * scale + 3)
    assert torch.equal(first, neighbours(scaled[0], labels, scaled[1], 4))


def test_neighbours_in_parts_are_those_at_once(monkeypatch):
    (known, labels), (asked, _) = clusters(200, 2.0), clusters(50, 2.0, seed=1)
    whole = neighbours(known, labels, asked, 4)
    monkeypatch.setattr(representation, "SIMILARITIES", 7 * 200)
    assert torch.equal(neighbours(known, labels, asked, 4), whole)


@pytest.mark.parametrize("family", ["vit", "mlp", "vgg"])
def test_features_are_what_the_classifier_is_given(family):
    torch.manual_seed(0)
    model = build(family, 16.0, 1, ImageSpec(28, 1, 10)).eval()
    images = torch.randn(10, 1, 28, 28)
    found = features(model, images.split(4))
    classifier = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        torch.testing.assert_close(classifier(found), model(images), rtol=1e-4, atol=1e-5)
    labels = torch.arange(10) % 10
    assert accuracies(model, ([images], labels), ([images], labels), 10)["probe"] == 1.0
    assert not classifier._forward_pre_hooks
