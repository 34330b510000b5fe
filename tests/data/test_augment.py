from __future__ import annotations

import numpy as np
import pytest
import torch

from scaling.data import DataError
from scaling.data import augment as module
from scaling.data.augment import Augment, normalise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(b: int, c: int = 3, h: int = 7, w: int = 5) -> torch.Tensor:
    return torch.randint(1, 256, (b, c, h, w), generator=generator(99), dtype=torch.uint8)


def crops(image: np.ndarray, k: int, flip: bool, pad: float) -> dict[tuple[bool, int, int], np.ndarray]:
    """Every outcome for one image [c, h, w]: flipped or not, padded by k with numpy and cropped by slices."""
    _, h, w = image.shape
    outcomes = {}
    for mirrored in {False, flip}:
        padded = np.pad(image[..., ::-1] if mirrored else image, ((0, 0), (k, k), (k, k)), constant_values=pad)
        for y in range(2 * k + 1):
            for x in range(2 * k + 1):
                outcomes[mirrored, y, x] = padded[:, y : y + h, x : x + w]
    return outcomes


def test_without_flip_and_shift_the_batch_is_returned_as_it_is():
    batch = images(4)
    assert Augment(flip=False, shift=0)(batch, generator()) is batch


@pytest.mark.parametrize(("flip", "shift"), [(True, 0), (False, 1), (True, 1), (True, 2)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels_last", [False, True])
def test_every_image_is_a_padded_crop_and_all_outcomes_are_equally_likely(flip, shift, dtype, channels_last):
    count = 2000
    one = images(1).to(dtype)
    batch = one.expand(count, -1, -1, -1).contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )
    augmented = Augment(flip, shift, pad_value=7)(batch, generator()).numpy()
    assert augmented.dtype == one.numpy().dtype
    seen = {}
    for outcome, crop in crops(one[0].numpy(), shift, flip, 7).items():
        seen[outcome] = int((augmented == crop).all(axis=(1, 2, 3)).sum())
    assert sum(seen.values()) == count  # nothing else occurs
    expected = count / len(seen)
    assert max(abs(n - expected) for n in seen.values()) < 5 * np.sqrt(expected)


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_windows_are_the_same_copied_as_on_a_cpu_and_gathered_as_elsewhere(shift, monkeypatch):
    batch, augment = images(40), Augment(flip=True, shift=shift, pad_value=7, vertical_flip=True)
    copied = augment(batch, generator(3))
    monkeypatch.setattr(module, "_copied", module._gathered)
    assert torch.equal(augment(batch, generator(3)), copied)
    for before, after in zip(batch.numpy(), copied.numpy(), strict=True):
        either = (before, before[:, ::-1])
        assert any(np.array_equal(after, crop) for one in either for crop in crops(one, shift, True, 7).values())
    assert not torch.equal(copied, batch)


def test_each_image_of_a_batch_stays_in_its_place():
    batch = images(64)
    augmented = Augment(flip=True, shift=1)(batch, generator(1)).numpy()
    for before, after in zip(batch.numpy(), augmented, strict=True):
        assert any(np.array_equal(after, crop) for crop in crops(before, 1, True, 0).values())


def test_the_generator_alone_decides():
    batch, augment = images(32), Augment(flip=True, shift=2)
    assert torch.equal(augment(batch, generator(5)), augment(batch, generator(5)))
    assert not torch.equal(augment(batch, generator(5)), augment(batch, generator(6)))


def test_a_negative_shift_is_refused():
    with pytest.raises(DataError, match="shift -1"):
        Augment(flip=True, shift=-1)


def test_normalised_training_images_have_mean_0_and_deviation_1():
    batch = images(500)
    scaled = batch.double() / 255
    mean, std = (getattr(scaled, name)((0, 2, 3)).float().numpy() for name in ("mean", "std"))
    result = normalise(batch, mean, std)
    assert result.dtype == torch.float32
    expected = (scaled - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    assert torch.allclose(result.double(), expected, atol=1e-5)
    assert result.mean((0, 2, 3)).abs().max() < 1e-4
    with pytest.raises(DataError, match=r"torch\.float32"):
        normalise(batch.float(), mean, std)
