import pytest
import torch

from scaling.data.random_changes import Mix, RandomChanges


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(c: int = 3, b: int = 16, side: int = 32) -> torch.Tensor:
    return torch.randint(1, 256, (b, c, side, side), generator=generator(99), dtype=torch.uint8)


CHANGES = [
    RandomChanges(crop=0.3),
    RandomChanges(policy="randaugment"),
    RandomChanges(policy="trivialaugment"),
    RandomChanges(erase=1.0),
    RandomChanges(crop=0.3, policy="randaugment", magnitude=20, erase=0.5),
]


def test_without_changes_the_batch_is_returned_as_it_is():
    images = batch()
    assert RandomChanges()(images, generator()) is images


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [28, 64])
def test_changes_keep_the_form_and_the_generator_alone_decides(changes, channels, side):
    images = batch(channels, side=side)
    before = images.clone()
    torch.manual_seed(1)
    first = changes(images, generator(5))
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, changes(images, generator(5)))
    assert not torch.equal(first, changes(images, generator(6)))
    assert torch.equal(images, before)
    assert (first.shape, first.dtype) == (images.shape, torch.uint8)
    torch.manual_seed(1)
    assert torch.equal(state, torch.random.get_rng_state())  # dropout's stream is left as it was


@pytest.mark.parametrize("changes", [CHANGES[0], CHANGES[1], CHANGES[2], CHANGES[3]])
def test_every_image_gets_changes_of_its_own(changes):
    same = batch(b=1).expand(24, -1, -1, -1)
    changed = changes(same, generator())
    assert len({tuple(image.flatten().tolist()) for image in changed}) > 12


def test_a_crop_shows_no_other_pixels():
    left = torch.zeros(50, 1, 32, 32, dtype=torch.uint8)
    left[..., 16:] = 200
    shares = (RandomChanges(crop=0.1)(left, generator()) > 100).float().mean((1, 2, 3))
    assert shares.min() == 0
    assert shares.max() == 1
    assert shares.mean().item() == pytest.approx(0.5, abs=0.15)


def test_an_erased_rectangle_has_the_colour_and_the_share_of_images():
    images = torch.full((400, 3, 20, 20), 255, dtype=torch.uint8)
    erased = RandomChanges(erase=0.25, colour=(10.0, 20.0, 30.0))(images, generator())
    hit = (erased != 255).any(1)
    assert hit.any((1, 2)).float().mean().item() == pytest.approx(0.25, abs=0.08)
    for channel, value in enumerate((10, 20, 30)):
        assert set(erased[:, channel][hit].tolist()) == {value}
    shares = hit.float().mean((1, 2))
    assert 0.02 * 0.8 < shares[shares > 0].min() < shares.max() < 0.33 * 1.2


def test_a_mixture_has_the_shares_of_its_labels():
    """Images that are their label everywhere: what is left of each can be read off."""
    labels = torch.arange(6)
    images = torch.nn.functional.one_hot(labels, 6).float()[:, :, None, None].expand(-1, -1, 8, 8)
    for mix in (Mix(1.0, 0.0, 6), Mix(0, 1, 6), Mix(0.5, 0.5, 6)):
        for seed in range(5):
            mixed, shares = mix(images, labels, generator(seed))
            torch.testing.assert_close(mixed.mean((2, 3)), shares)
            torch.testing.assert_close(shares.sum(1), torch.ones(6))


def test_mixup_blends_and_cutmix_pastes():
    images = torch.arange(4.0)[:, None, None, None].expand(-1, 3, 8, 8)
    blended, _ = Mix(1.0, 0.0, 4)(images, torch.arange(4), generator())
    pasted, _ = Mix(0.0, 1.0, 4)(images, torch.arange(4), generator(3))
    assert len(blended[1].unique()) == 1
    assert 0 < blended[1].unique().item() < 1
    assert set(pasted.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
    assert len(pasted[1].unique()) == 2
    assert (bool(Mix(0, 0, 4)), bool(Mix(0, 1, 4)), bool(Mix(1, 0, 4))) == (False, True, True)


def test_with_both_each_batch_draws_one_of_them():
    images = torch.arange(4.0)[:, None, None, None].expand(-1, 1, 16, 16)
    whole = [
        set(Mix(1.0, 1.0, 4)(images, torch.arange(4), generator(seed))[0].unique().tolist()) <= {0, 1, 2, 3}
        for seed in range(60)
    ]
    assert 15 < sum(whole) < 45
