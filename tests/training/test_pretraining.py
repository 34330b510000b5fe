"""Backbones: trained without labels, once, bit for bit again after a stop, and what cells start from."""

import dataclasses
import os
import signal

import pytest
import torch

from scaling.jobs.runner import PackRunner
from scaling.models import ImageSpec
from scaling.models.counting import forward_flop
from scaling.runs.deciding_code import probe_code
from scaling.runs.grid import Backbone
from scaling.runs.records import DIVERGED, DONE, MEASURED, SCHEMA
from scaling.runs.store import Store
from scaling.study.pretraining_settings import Pretraining
from scaling.training.device import Device
from scaling.training.loop import Interrupted, Trainer
from scaling.training.pretraining import Pretrainer
from scaling.training.start import LostBackbone, Start, read_start

pytestmark = pytest.mark.usefixtures("one_thread")

OBJECTIVES = ("mae", "dino")


def never() -> bool:
    return False


def ignore(*_) -> None:
    pass


@pytest.fixture
def pretrained_cell(small_cell):
    def make(objective="mae", steps=12, rate=None, mask=None, recipe=None, **changes):
        cell = small_cell("vit", 4_000, **changes)
        fields = {"images_floor": 64 * steps, "batch": 64, "evaluations": 3, "learning_rate": rate} | (recipe or {})
        said = {"objective": objective, "mask": mask, "images": 500, "recipe": fields}
        backbone = Backbone(
            Pretraining.model_validate(said),
            cell.family,
            cell.width,
            cell.depth,
            cell.params,
            cell.seed,
            cell.device,
            cell.precision,
            cell.checksum,
            cell.validation,
        )
        return dataclasses.replace(cell, backbone=backbone)

    return make


@pytest.fixture
def runner(tmp_path, prepared):
    def make(cores=2, probes=(), checkpoint_seconds=60.0):
        store, device = Store(tmp_path / "store"), Device("cpu", "fp32", 0, "here")
        return PackRunner(
            store, prepared, device, label="pack", cores=cores, checkpoint_seconds=checkpoint_seconds, probes=probes
        )

    return make


def finished(backbone, images, path):
    trainer = Pretrainer(backbone, images)
    trainer.run(path / "whole", 1e9, never, ignore)
    return trainer, trainer.entry("here")


def comparable(entry):
    return {k: v for k, v in entry.row.items() if k not in MEASURED}, entry.curve


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("stop_at", [3, 7])
def test_resumed_is_bit_identical_to_unbroken(objective, stop_at, pretrained_cell, images, tmp_path):
    backbone = pretrained_cell(objective).backbone
    whole, expected = finished(backbone, images, tmp_path)
    broken = Pretrainer(backbone, images)
    with pytest.raises(Interrupted, match=f"step {stop_at} of 12"):
        broken.run(tmp_path / "c", 1e9, lambda: broken.progress.step >= stop_at, ignore)
    resumed = Pretrainer(backbone, images)
    assert resumed.restore(tmp_path / "c")
    resumed.run(tmp_path / "c", 1e9, never, ignore)
    assert comparable(resumed.entry("here")) == comparable(expected)
    for name, tensor in whole.weights.items():
        assert torch.equal(tensor, resumed.weights[name]), name


@pytest.mark.slow
def test_no_label_is_looked_at(pretrained_cell, images, tmp_path):
    for objective in OBJECTIVES:
        backbone = pretrained_cell(objective, steps=3).backbone
        first, _ = finished(backbone, images, tmp_path)
        blind = Pretrainer(backbone, images)
        blind.images.train.labels.fill_(0)
        blind.run(tmp_path / "c", 1e9, never, ignore)
        assert all(torch.equal(tensor, blind.weights[name]) for name, tensor in first.weights.items())


@pytest.mark.slow
def test_it_learns(pretrained_cell, images, tmp_path):
    _, entry = finished(pretrained_cell(steps=150).backbone, images, tmp_path)
    losses = [point["validation_loss"] for point in entry.curve]
    assert losses[-1] < losses[0] < 1.0
    assert losses[-1] < 0.75
    assert entry.row["status"] == DONE
    assert set(entry.row) <= set(SCHEMA)


def test_dino_says_what_its_teacher_says(pretrained_cell, images, tmp_path):
    _, entry = finished(pretrained_cell("dino").backbone, images, tmp_path)
    assert all({"entropy", "information"} <= set(point) for point in entry.curve)
    trainer = Pretrainer(pretrained_cell("dino").backbone, images)
    trainer.backward(0)
    assert all(parameter.grad is None for parameter in trainer.model.teacher.parameters())


@pytest.mark.slow
def test_the_compute_of_pretraining_is_counted(pretrained_cell, images, tmp_path):
    spec = ImageSpec(28, 1, 10)
    for objective, passes in (("mae", 3.0), ("dino", 8.0)):
        trainer, entry = finished(pretrained_cell(objective, steps=3).backbone, images, tmp_path)
        model = trainer.model if objective == "mae" else trainer.model.student
        assert entry.row["flop"] == passes * forward_flop(model, spec) * entry.row["images_seen"]
    # of an MAE, the patches that are seen cost the encoder, all of them the decoder
    costs = [forward_flop(Pretrainer(pretrained_cell(mask=mask).backbone, images).model, spec) for mask in (0.25, 0.5, 0.75)]
    assert costs[0] > costs[1] > costs[2]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_micro_batches_see_what_the_whole_batch_sees(objective, pretrained_cell, images):
    """Masks and views are drawn before a batch is cut."""
    gradients = []
    for micro_batch in (64, 24):
        trainer = Pretrainer(pretrained_cell(objective).backbone, images)
        trainer.shrink(micro_batch)
        trainer.backward(0)
        gradients.append([parameter.grad for parameter in trainer.model.parameters() if parameter.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_backbones_key_depends_on_what_it_is_and_its_cells_on_it(pretrained_cell, small_cell):
    cell = pretrained_cell()
    assert "backbone" not in small_cell("vit", 4_000).settings()
    plain = small_cell("vit", 4_000).settings()
    code = plain["code"] | {"start": cell.settings()["code"]["start"]}
    assert cell.settings() == plain | {"backbone": cell.backbone.key, "code": code}
    assert pretrained_cell(mask=0.75).key == cell.key
    others = [pretrained_cell("dino"), pretrained_cell(mask=0.5), pretrained_cell(rate=0.1), pretrained_cell(steps=13)]
    others += [pretrained_cell(seed=1), pretrained_cell(recipe={"weight_decay": 0.1})]
    assert len({cell.backbone.key, *(other.backbone.key for other in others)}) == len(others) + 1
    assert len({cell.key, *(other.key for other in others)}) == len(others) + 1
    assert pretrained_cell(images_=300).backbone.key == cell.backbone.key  # shared by all D


@pytest.mark.slow
def test_a_cell_starts_from_the_encoder_and_its_own_classifier(runner, pretrained_cell, images):
    for objective, encoder in (("mae", "encoder."), ("dino", "teacher.encoder.")):
        cell = pretrained_cell(objective)
        one = runner()
        assert one.run([cell]).failed == {}
        start = read_start(one.store, cell.backbone)
        trainer = Trainer(cell, images, start)
        scratch = Trainer(dataclasses.replace(cell, backbone=None), images).model.state_dict()
        for name, tensor in trainer.model.state_dict().items():
            expected = scratch[name] if name.startswith("head.") else start.tensors[encoder + name].view(tensor.shape)
            assert torch.equal(tensor, expected), name
        assert not torch.equal(trainer.model.pos_embed, scratch["pos_embed"])
        row = one.store.read(cell.key).row
        assert row["flop_pretraining"] == one.store.read(cell.backbone.key).row["flop"] > 0
        assert row["flop"] == row["flop_pretraining"] + 3 * row["flop_forward"] * row["images_seen"]


@pytest.mark.slow
def test_a_backbone_is_trained_once_for_all_its_cells(runner, pretrained_cell):
    cells = [pretrained_cell(images_=images) for images in (100, 200)]
    one = runner()
    outcome = one.run(cells)
    backbone = cells[0].backbone.key
    assert set(outcome.finished) == {backbone, *(cell.key for cell in cells)}
    stamp = one.store.weights_path(backbone).stat().st_mtime_ns
    assert runner().run([*cells, pretrained_cell(images_=300)]).failed == {}
    assert one.store.weights_path(backbone).stat().st_mtime_ns == stamp
    assert {path.name for path in one.store.folder(backbone).iterdir()} == {"record.json", "weights.safetensors", "log.txt"}


@pytest.mark.slow
def test_a_backbone_that_a_twin_trains_is_waited_for(runner, pretrained_cell):
    cell = pretrained_cell()
    one = runner()
    twin = one.store.lease(cell.backbone.key)
    twin.owner = twin.owner | {"host": "another-node"}
    assert twin.acquire()
    looks = []

    def release(running):
        looks.append([job.cell.key for job in running])
        if len(looks) == 5:
            twin.path.unlink()

    one._beat = release
    assert one.run([cell]).failed == {}
    assert looks[:5] == [[]] * 5


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_lost_weights_are_made_again_bit_for_bit(runner, pretrained_cell, damage):
    cell = pretrained_cell()
    one = runner()
    one.run([cell])
    path, record = one.store.weights_path(cell.backbone.key), one.store.record_path(cell.backbone.key)
    content, stamp = path.read_bytes(), record.stat().st_mtime_ns
    later = pretrained_cell(images_=300)
    if damage == "missing":
        path.unlink()
        with pytest.raises(LostBackbone, match="is missing"):
            read_start(one.store, cell.backbone)
    else:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        first = runner().run([later])
        assert "does not match" in first.failed[later.key]
        assert str(path) in first.failed[later.key]
    assert runner().run([later]).failed == {}
    assert path.read_bytes() == content
    assert record.stat().st_mtime_ns == stamp


def test_a_backbone_that_fails_is_said_of_its_cells_and_leaves_others_alone(runner, pretrained_cell, small_cell):
    bad, good = pretrained_cell(), small_cell()
    bad = dataclasses.replace(bad, backbone=dataclasses.replace(bad.backbone, depth=0))
    one = runner()
    outcome = one.run([bad, good])
    assert outcome.finished == [good.key]
    assert "its backbone" in outcome.failed[bad.key]
    assert "its backbone" in one.store.log_path(bad.key).read_text()


def test_a_backbone_that_diverges_makes_its_cells_diverge(runner, pretrained_cell):
    cell = pretrained_cell(rate=1e6, steps=60, recipe={"optimizer": "sgd", "clip": 0})
    one = runner()
    assert one.run([cell]).failed == {}
    assert one.store.read(cell.backbone.key).row["status"] == DIVERGED
    row = one.store.read(cell.key).row
    assert row["status"] == DIVERGED
    assert "its backbone diverged: " in row["reason"]
    assert runner().run([cell]).failed == {}


@pytest.mark.slow
def test_a_killed_backbone_goes_on_from_its_checkpoint(runner, pretrained_cell):
    cell = pretrained_cell(steps=600)
    one = runner(cores=1, checkpoint_seconds=0.05)
    original = one._beat

    def kill(running):
        original(running)
        if running and one.store.checkpoint_path(cell.backbone.key).exists():
            os.kill(running[0].process.pid, signal.SIGKILL)
            one._beat = original

    one._beat = kill
    outcome = one.run([cell])
    assert outcome.failed[cell.backbone.key] == "killed by SIGKILL"
    assert "killed by SIGKILL" in outcome.failed[cell.key]
    assert runner().run([cell]).failed == {}
    assert "goes on from step" in one.store.log_path(cell.backbone.key).read_text()


@pytest.mark.slow
def test_features_and_pictures_are_read_off(runner, pretrained_cell, small_cell):
    cell, scratch = pretrained_cell(steps=100), small_cell("vit", 4_000)
    one = runner(probes=["representation", "reconstruction"])
    assert one.run([cell]).failed == {}
    assert runner(probes=["representation"]).run([scratch]).failed == {}
    found = {}
    for name, own in (("mae", cell), ("scratch", scratch)):
        for row in one.store.probe_rows(own.key, "representation", probe_code("representation")):
            if row["phase"] != "pre-training":
                found[name, row["quantity"], row["phase"]] = row["value"]
    assert len(found) == 8
    assert all(0.1 < value < 1 for value in found.values())
    assert found["mae", "neighbours accuracy", "start"] > found["scratch", "neighbours accuracy", "start"]
    pictures = one.store.probe_rows(cell.key, "reconstruction", probe_code("reconstruction"))
    assert {row["quantity"] for row in pictures} == {"original", "visible", "painted"}
    assert {len(row["label"]) for row in pictures} == {2 * 28 * 28}


def test_a_cell_without_its_backbone_is_refused(pretrained_cell, small_cell, images):
    with pytest.raises(ValueError, match="starts from it"):
        Trainer(pretrained_cell(), images)
    with pytest.raises(ValueError, match="starts from it"):
        Trainer(small_cell("vit", 4_000), images, Start("mae", {}, 0.0, []))
