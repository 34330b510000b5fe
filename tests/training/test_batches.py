"""What a run's batches hold: the same however they are cut, on whatever step a run goes on from."""

import pytest
import torch

from scaling.training.loop import Interrupted, Trainer

pytestmark = pytest.mark.usefixtures("one_thread")

STRONG = {
    "crop": 0.4,
    "policy": "trivialaugment",
    "erase": 0.25,
    "mixup": 0.2,
    "cutmix": 1.0,
    "vertical_flip": True,
    "label_smoothing": 0.1,
}


@pytest.mark.parametrize(("family", "target"), [("mlp", 13_000), ("alexnet", 8_500)])
@pytest.mark.parametrize("micro_batch", [24, 5])
def test_micro_batches_mix_the_images_of_the_whole_batch(family, target, micro_batch, small_cell, images):
    cell = small_cell(family, target, dropout=0.0, **STRONG)
    whole, parts = Trainer(cell, images), Trainer(cell, images)
    parts.shrink(micro_batch)
    for step in (0, 1):
        assert parts.backward(step).item() == pytest.approx(whole.backward(step).item(), abs=1e-6)
    for (name, mine), theirs in zip(parts.model.named_parameters(), whole.model.parameters(), strict=True):
        scale = theirs.grad.abs().max().item()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-5 * scale + 1e-9, msg=name)


def test_each_key_changes_what_is_seen(small_cell, images):
    seen = {}
    for name, value in {"none": 0, **STRONG}.items():
        trainer = Trainer(small_cell(**({} if name == "none" else {name: value})), images)
        trainer.model.train()
        seen[name] = trainer.backward(3).item()
    assert len(set(seen.values())) == len(seen), seen


def test_an_augmented_run_resumes_bit_identically(small_cell, images, tmp_path):
    cell = small_cell("vgg", 5_000, schedule="warmup-stable-decay", epochs=5.0, **STRONG)
    whole, broken, resumed = (Trainer(cell, images) for _ in range(3))
    assert whole.steps == 16  # 5 epochs of 200 images, 64 at a time
    whole.run(tmp_path / "w", 1e9, lambda: False, lambda *_: None)
    with pytest.raises(Interrupted):
        broken.run(tmp_path / "c", 1e9, lambda: broken.progress.step >= 7, lambda *_: None)
    resumed.restore(tmp_path / "c")
    resumed.run(tmp_path / "c", 1e9, lambda: False, lambda *_: None)
    assert resumed.progress.curve == whole.progress.curve
    assert len(whole.progress.curve) > 2
