import pytest
import torch

from scaling.models import ImageSpec, build
from scaling.training.objectives.mae import MaskedAutoencoder
from scaling.training.streams import generator


def autoencoder(mask=0.75, side=28, width=16.0, channels=1) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(build("vit", width, 2, ImageSpec(side, channels, 10)), mask)


def some_images(count=3, side=28, channels=1) -> torch.Tensor:
    return torch.randn(count, channels, side, side, generator=generator(0, "test"))


@pytest.mark.parametrize(("mask", "visible"), [(0.25, 12), (0.5, 8), (0.75, 4), (0.9, 2), (0.99, 1)])
def test_as_many_patches_stay_visible_as_the_mask_says(mask, visible):
    assert autoencoder(mask).patches == 16
    assert autoencoder(mask).visible == visible


def test_the_loss_is_that_of_hidden_patches_alone(monkeypatch):
    model, images = autoencoder(), some_images()
    order = model.order(len(images), generator(0, "order"))
    targets = model.targets(images)
    wrong = torch.zeros(len(images), model.patches, 1).scatter_(1, order[:, : model.visible, None], 5.0)
    monkeypatch.setattr(model, "forward", lambda *_: targets + wrong)  # perfect where hidden, wrong where visible
    assert model.loss(images, order).item() == 0
    monkeypatch.setattr(model, "forward", lambda *_: targets + (wrong == 0) * 2.0)
    assert model.loss(images, order).item() == pytest.approx(4.0)


def test_the_encoder_sees_no_hidden_pixel():
    model, images = autoencoder(), some_images()
    order = model.order(len(images), generator(0, "order"))
    patches = model.patchify(images)
    hidden = torch.ones(len(images), model.patches, 1, dtype=torch.bool).scatter_(1, order[:, : model.visible, None], False)
    other = model.unpatchify(torch.where(hidden, torch.randn_like(patches), patches), 28)
    assert not torch.equal(images, other)
    assert torch.equal(model(images, order), model(other, order))
    seen = []
    model.encoder.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    model(images, order)
    assert seen[0][1] == model.visible


def test_mask_tokens_reach_the_decoder_alone():
    model, images = autoencoder(), some_images()
    model.loss(images, model.order(3, generator(0, "order"))).backward()
    assert model.mask_token.grad.abs().sum() > 0
    before = []
    model.encoder.blocks.register_forward_hook(lambda *given: before.append(given[2]))
    model(images)
    with torch.no_grad():
        model.mask_token += 1
    model(images)
    assert torch.equal(before[0], before[1])


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3)])
def test_patches_become_images_again_padded_or_not(side, channels):
    model, images = autoencoder(side=side, channels=channels), some_images(2, side, channels)
    assert torch.equal(model.unpatchify(model.patchify(images), side), images)
    # in the order of the encoder's patches: its first patch is the first one
    embedded = model.encoder.patch_embed(images)
    changed = model.patchify(images)
    changed[:, 3] += 1
    moved = (model.encoder.patch_embed(model.unpatchify(changed, side)) - embedded).abs().sum(-1) > 1e-6
    assert set(moved.nonzero()[:, 1].tolist()) <= {3}


def test_targets_are_normalised_patch_by_patch():
    targets = autoencoder().targets(some_images())
    assert targets.mean(-1).abs().max() < 1e-5
    assert targets.var(-1) == pytest.approx(torch.ones(3, 16), abs=1e-4)


def test_a_reconstruction_keeps_what_was_visible():
    model, images = autoencoder(), some_images()
    order = model.order(3, generator(0, "order"))
    seen, painted = model.eval().reconstruct(images, order)
    visible = ~seen.isnan()
    assert visible.float().mean().item() == pytest.approx(model.visible / model.patches)
    assert torch.allclose(painted[visible], images[visible])
    assert not torch.allclose(painted[~visible], images[~visible])
