import pytest
import torch

from scaling.data.augment import normalise
from scaling.jobs.runner import PackRunner
from scaling.runs.answers import asked_images, kept_answers
from scaling.runs.store import Store
from scaling.training.device import Device
from scaling.training.loop import Trainer
from scaling.training.take_probes import restore_weights


@pytest.mark.parametrize("family", ["mlp", "resnet"])
def test_a_run_keeps_what_its_reported_model_says(tmp_path, prepared, images, small_cell, family, one_thread):
    cell, store = small_cell(family, 13_000), Store(tmp_path / "store")
    device = Device("cpu", "fp32", 0, "here")
    PackRunner(store, prepared, device, label="pack", cores=1, checkpoint_seconds=60.0, probes=["shift"]).run([cell])
    said = kept_answers(store, cell.key)
    assert [answer.image for answer in said] == asked_images(len(images.test_images))
    trainer = Trainer(cell, images)
    assert restore_weights(store, trainer)
    model = trainer.average.model.eval()
    with torch.no_grad():
        asked = torch.from_numpy(images.test_images[[answer.image for answer in said]])
        shares = model(normalise(asked, trainer.images.mean, trainer.images.std)).softmax(1)
    assert [answer.label for answer in said] == shares.argmax(1).tolist()
    assert [answer.probability for answer in said] == pytest.approx(shares.amax(1).tolist(), abs=1e-3)
    assert len({answer.label for answer in said}) > 1
