"""Colour out of the box: the default study with other images, and the studies of CIFAR and ImageNet, to their reports.

The images are made up, in the layouts of the real ones. The commands run in this process, which saves the start of each.
"""

import dataclasses
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from typer.testing import CliRunner

from scaling.cli.commands import app
from scaling.data.sources import cifar
from scaling.jobs.opening import open_study
from scaling.jobs.packing import packs_of
from scaling.models import ImageSpec, Regularisation, get_family
from scaling.models.registry import FAMILIES
from scaling.study.layout import Layout

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
SHORT = {"batch": 16, "images_floor": 48, "images_factor": 1, "evaluations": 1, "patience": 0}
"""Three steps a run, or a few more."""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scaling(*arguments: str) -> str:
    run = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert run.exit_code == 0, run.output
    return run.stdout


def smaller(name: str, to: str, **blocks: dict) -> dict:
    """The study ``name`` with some keys of some blocks replaced, written to the file ``to``."""
    study = YAML(typ="safe").load(ROOT / name)
    for block, changes in blocks.items():
        study[block] = study.get(block, {}) | changes
    Path(to).write_text(json.dumps(study))
    return study


def reported(path: str) -> pl.DataFrame:
    """The runs of a study that was taken through all its jobs to the report."""
    scaling("prepare", path)
    study = open_study(Path(path))
    layout = Layout(study.name)
    for family in study.families:
        scaling("tune", path, family)
    for pack in packs_of(study, layout):
        scaling("train", path, pack)
    for job in ("collect", "fit", "report", "complete"):
        scaling(job, path)
    runs = pl.read_parquet(layout.runs)
    assert set(runs["status"]) == {"done"}
    assert runs["loss"].is_finite().all()
    page = layout.report.read_text()
    assert all(key[:8] in page for key in runs["key"])
    return runs


def write_images(folder: Path, split: str, classes: int, each: int, side: int, ending: str) -> None:
    random = np.random.default_rng(len(split))
    for number in range(classes):
        place = folder / split / f"n{number:08}"
        place.mkdir(parents=True)
        for image in range(each):
            pixels = random.integers(0, 256, (side, side, 3), np.uint8)
            pixels[:, :, number % 3] //= 2  # something to learn
            Image.fromarray(pixels).save(place / f"{image}.{ending}")


def test_the_default_study_on_colour_images(folder):
    write_images(folder / "mine", "train", 10, 12, 32, "png")
    write_images(folder / "mine", "test", 10, 4, 32, "png")
    said = smaller(
        "config.yaml",
        "study.yaml",
        data={"source": "image-folder", "folder": "mine", "side": 32, "validation": 40},
        grid={"images": [60], "repeats": []},
        recipe=SHORT | {"anchors": {"images": 40, "rates": [0.005, 0.01], "widen": 0}},
        families={family: None for family in FAMILIES if family not in ("mlp", "alexnet", "swin", "vgg")},
        laws={"bootstrap": 20},
    )
    runs = reported("study.yaml")
    assert set(runs["family"]) == set(FAMILIES)
    assert len(runs) == 4 * len(FAMILIES)
    sizes = {family: own.unique(maintain_order=True).to_list() for (family,), own in _sizes(runs)}
    assert sizes["vgg"] == said["grid"]["params"]
    assert sizes["alexnet"] == said["families"]["alexnet"]["params"]
    assert sizes["mlp"] == [49_700, 134_000, 367_000, 994_000]
    tuned = json.loads(Path("results/default/tuning/mlp.json").read_text())
    assert [anchor["target"] for anchor in tuned["anchors"]] == [49_700, 344_000]
    plan = json.loads(scaling("plan", "study.yaml", "--json"))
    mlp = next(part for part in plan["families"] if part["family"] == "mlp")
    assert (plan["new"], plan["tuning_jobs"], mlp["anchors"]) == (0, 0, [49_700, 344_000])
    assert [move["what"] for move in mlp["moves"]] == ["sizes", "anchors"]
    page = Path("reports/default/index.html").read_text()
    assert "mlp: sizes moved from 13k, 35k, 96k, 260k to 49.7k, 134k, 367k, 994k" in page
    assert "grid.params has no effect on mlp, alexnet, swin: own sizes" in page


def _sizes(runs: pl.DataFrame):
    return ((name, own["target_params"]) for name, own in runs.sort("target_params").group_by("family"))


def cifar_archive(archive: cifar.Archive, classes: int) -> cifar.Archive:
    """A small archive of the layout of ``archive`` where downloads are kept, and what it is then known by."""
    random = np.random.default_rng(classes)
    each = 400 // len(archive.train)

    def member(images: int) -> bytes:
        rows = random.integers(0, 256, (images, archive.label_bytes + cifar.PIXELS), np.uint8)
        rows[:, archive.label_bytes - 1] = np.arange(images) % classes
        return rows.tobytes()

    contents = dict.fromkeys(archive.train, member(each)) | {archive.test: member(100)}
    contents[archive.names] = "\n".join(f"class_{number}" for number in range(classes)).encode()
    path = Path("results/data/downloads") / archive.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return dataclasses.replace(archive, md5=hashlib.md5(path.read_bytes()).hexdigest())


def test_the_studies_of_cifar_and_imagenet(folder, monkeypatch):
    monkeypatch.setattr(cifar, "CIFAR10", cifar_archive(cifar.CIFAR10, 10))
    monkeypatch.setattr(cifar, "CIFAR100", cifar_archive(cifar.CIFAR100, 100))
    write_images(folder / "data/imagenet", "train", 1000, 2, 16, "JPEG")
    write_images(folder / "data/imagenet", "val", 1000, 1, 16, "JPEG")
    recipe = SHORT | {"learning_rate": 0.01, "anchors": {"images": 64}}
    for name, sizes in {"cifar10": [50_000], "cifar100": [52_000], "imagenet": [220_000]}.items():
        smaller(
            f"studies/{name}.yaml",
            f"{name}.yaml",
            data={"validation": 100},
            grid={"params": sizes, "images": [64], "repeats": []},
            recipe=recipe,
            laws={"bootstrap": 20},
        )
        runs = reported(f"{name}.yaml")
        assert runs["target_params"].to_list() == sizes * 7
        assert runs["params"].to_list() == pytest.approx(sizes * 7, rel=0.05)


@pytest.mark.parametrize("side", [64, 96])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_on_larger_images_of_a_thousand_classes(family, side, ladders):
    image = ImageSpec(side, 3, 1000)
    least, _ = ladders.range(family, image)
    rung = ladders.rung(family, 2 * least, image)
    torch.manual_seed(0)
    model = get_family(family).build(rung.width, rung.depth, image, Regularisation())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    images, labels = torch.randn(8, 3, side, side), torch.arange(8)
    losses = []
    for _ in range(6):
        logits = model(images)
        logits = logits[0] if isinstance(logits, tuple) else logits
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
